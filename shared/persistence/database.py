"""Connections of one service: the ``app`` role for work, the ``plumbing`` role for moving things."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.persistence.driver import Connection, Statement, begun, is_lost, opened
from shared.persistence.kinds import Kind
from shared.persistence.uow import Uow
from shared.runtime.settings import Settings

_TENANT: Final = Statement("SELECT app_now(), set_config('app.tenant', :tenant, true)")

_UNAVAILABLE: Final = ("08", "57P01", "57P02", "57P03", "53300")
"""SQLSTATEs (or classes) that say that the server is away, going or full."""

_LOST_RACE: Final = ("40001", "40P01", "55P03")
"""Serialisation failure, deadlock, lock timeout: others were in the way."""
_RETRY: Final = (*_LOST_RACE, "23505", "57014")
"""Also statement timeout; and unique violation, which here means that another transaction made the same row
first, so that the second try finds it."""


def engine_url(service: str, settings: Settings, user: str, password: SecretStr | None) -> sa.URL:
    return sa.URL.create(
        "postgresql+asyncpg",
        username=user,
        password=password.get_secret_value() if password else None,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name or f"mentoring_{service}",
    )


def ssl_argument(settings: Settings) -> str | bool:
    return False if settings.database_sslmode == "disable" else settings.database_sslmode


def _sqlstate(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")


def is_unavailable(error: BaseException) -> bool:
    """PostgreSQL cannot be reached, is starting or stopping: nothing is wrong with the work itself."""
    if isinstance(error, OSError | PoolTimeout | asyncio.TimeoutError):
        return True
    if is_lost(error) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    state = _sqlstate(error)
    if state:
        return state.startswith(_UNAVAILABLE)
    return isinstance(error, DBAPIError) and "connection" in str(error.orig).lower()


def is_transient(error: BaseException) -> bool:
    """Trying the same transaction again may well succeed."""
    return is_unavailable(error) or _sqlstate(error) in _RETRY


def is_lost_race(error: BaseException) -> bool:
    """Other transactions were in the way, however often: the work itself is good."""
    return _sqlstate(error) in _LOST_RACE


class Database:
    """The two engines of a service, and units of work on them."""

    def __init__(self, service: str, settings: Settings, kinds: Iterable[Kind[Any]]) -> None:
        self.service = service
        self.kinds: dict[type[Any], Kind[Any]] = {kind.row: kind for kind in kinds}
        self.outbox_written = asyncio.Event()
        """Set after a commit that wrote outbox rows; the relay waits on it."""
        self.app = self._engine(
            settings,
            settings.database_app_user or f"mentoring_{service}_app",
            settings.database_app_password,
            settings.database_pool,
            isolation_level="AUTOCOMMIT",  # transactions begin and end in :func:`begun`
        )
        self.plumbing = self._engine(
            settings,
            settings.database_plumbing_user or f"mentoring_{service}_plumbing",
            settings.database_plumbing_password,
            4,
        )
        self._plain = self.plumbing.execution_options(isolation_level="AUTOCOMMIT")

    def _engine(
        self, settings: Settings, user: str, password: SecretStr | None, size: int, **options: Any
    ) -> AsyncEngine:
        return create_async_engine(
            engine_url(self.service, settings, user, password),
            pool_size=size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            json_deserializer=msgspec.json.decode,
            connect_args={
                "timeout": 5,
                "command_timeout": 60,
                "ssl": ssl_argument(settings),
                "server_settings": {
                    "timezone": "UTC"
                },  # moments in JSON are read as UTC, as asyncpg gives them
            },
            **options,
        )

    @asynccontextmanager
    async def transaction(self, tenant: str, *, read_only: bool = False) -> AsyncIterator[Uow]:
        """One transaction of *tenant*: flushed and committed at the end, rolled back on any error."""
        async with begun(self.app, "BEGIN READ ONLY" if read_only else "BEGIN") as connection:
            ((now, _),) = await connection.fetch(_TENANT, {"tenant": tenant})
            uow = Uow(
                connection,
                service=self.service,
                tenant=tenant,
                now=now,
                kinds=self.kinds,
                read_only=read_only,
            )
            yield uow
            if not read_only:
                await uow.flush()
            await connection.commit()
        if uow.wrote_outbox:
            self.outbox_written.set()

    @asynccontextmanager
    async def plumbing_transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction of the plumbing role, across tenants."""
        async with self.plumbing.connect() as connection:
            yield connection
            await connection.commit()

    def moving(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction of the plumbing role for the relay, which ends it itself."""
        return begun(self._plain, "BEGIN")

    async def glance(self, statement: Statement) -> Sequence[Any]:
        """Rows of one statement of the plumbing role without a transaction around it: a third of the round
        trips, for looks that are repeated all day and mostly find nothing."""
        async with opened(self._plain) as connection:
            return await connection.fetch(statement, {})

    async def apply(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """One statement of the plumbing role that is committed by itself."""
        async with opened(self._plain) as connection:
            await connection.fetch(statement, values)

    async def maintain(self, sql: str) -> None:
        """A command of the plumbing role that PostgreSQL runs outside transactions only, as ``VACUUM``."""
        async with opened(self._plain) as connection:
            await connection.command(sql)

    async def close(self) -> None:
        await self.app.dispose()
        await self.plumbing.dispose()
