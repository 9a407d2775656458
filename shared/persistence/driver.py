"""The way past SQLAlchemy for the few statements that every transaction runs.

For each execution SQLAlchemy compiles, wraps a cursor and builds a result; for a small statement that is
more work than asyncpg's own. Pool, dialect, types and everything that is asked rarely stay SQLAlchemy's.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Driver: TypeAlias = "asyncpg.Connection[Any]"

_PARAMETER: Final = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_ROLLBACK_SECONDS: Final = 5.0

KEEP_PLANS: Final = "set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'off', true)"
"""For transactions that mostly run statements *by key*: planning them takes longer than running them. Without
sequential scans a plan that is made while a table has one page is right when it has a million."""
_PLAN_EACH_TIME: Final = "SET LOCAL plan_cache_mode TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT"


class Statement:
    """SQL with parameters by name (``:name``), numbered once for asyncpg, which keeps it prepared.

    *by_key*: it finds one row of each table by its whole primary key, or none, so that one plan is right for
    tables of every size.
    """

    __slots__ = ("by_key", "names", "sql", "text")

    def __init__(self, text: str, *, by_key: bool = False) -> None:
        self.text, self.by_key = text, by_key
        self.names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        numbers = {name: f"${number}" for number, name in enumerate(self.names, 1)}
        self.sql = _PARAMETER.sub(lambda match: numbers[match[1]], text)


Write = tuple[Statement, Mapping[str, Any]]
"""A statement that changes something, with its values."""


class Connection:
    """A connection of the pool inside a transaction: through SQLAlchemy, or straight to the driver."""

    __slots__ = ("_connection", "_driver", "_keeps_plans")

    def __init__(self, connection: AsyncConnection, driver: Driver) -> None:
        self._connection, self._driver = connection, driver
        self._keeps_plans = False

    async def execute(
        self, statement: sa.Executable, values: Mapping[str, Any] | None = None
    ) -> sa.CursorResult[Any]:
        """SQLAlchemy's, for what is rare."""
        await self.plan_each_time()
        return await self._connection.execute(statement, values)

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
        """Rows of the statement. Raises SQLAlchemy's errors, like :meth:`execute`."""
        if not statement.by_key:
            await self.plan_each_time()
        try:
            return await self._driver.fetch(statement.sql, *[values[name] for name in statement.names])
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _as_sqlalchemy_does(error, self._driver) from error

    def plans_are_kept(self) -> None:
        """Say that the server has been told :data:`KEEP_PLANS` for this transaction."""
        self._keeps_plans = True

    async def plan_each_time(self) -> None:
        """The role's own setting, for whatever may find few rows today and many tomorrow."""
        if self._keeps_plans:
            self._keeps_plans = False
            await self.command(_PLAN_EACH_TIME)

    async def command(self, sql: str) -> str:
        """Run a command without parameters; returns what the server calls it (``COMMIT``)."""
        try:
            return await self._driver.execute(sql)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _as_sqlalchemy_does(error, self._driver) from error

    async def commit(self) -> None:
        """Raises ``RuntimeError`` when the server rolls back instead, as it does after an error that somebody
        has swallowed."""
        if (done := await self.command("COMMIT")) != "COMMIT":
            raise RuntimeError(f"the transaction ended with {done}")


def _as_sqlalchemy_does(error: asyncpg.PostgresError | asyncpg.InterfaceError, driver: Driver) -> DBAPIError:
    """Whoever decides by an error need not know which way it came. Statement and values are left out."""
    kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    return kind(None, None, error, connection_invalidated=driver.is_closed())


@asynccontextmanager
async def begun(engine: AsyncEngine, begin: str) -> AsyncIterator[Connection]:
    """A connection of *engine*, which must be in autocommit mode, on which *begin* has begun a transaction.
    The body commits; what it leaves without a commit is rolled back."""
    connection, driver = await _open(engine)
    left_open = True
    try:
        ours = Connection(connection, driver)
        await ours.command(begin)
        yield ours
        left_open = driver.is_in_transaction()
    finally:
        if left_open:
            # In a task of its own: whoever is cancelled must not leave a transaction behind in the pool.
            await asyncio.shield(asyncio.create_task(_abandon(connection, driver)))
        else:
            await connection.close()


async def _open(engine: AsyncEngine) -> tuple[AsyncConnection, Driver]:
    """After a restart of the server the pool is full of connections that asyncpg knows to be closed."""
    while True:
        connection = await engine.connect()
        assert connection.sync_connection is not None
        driver = cast("Driver", connection.sync_connection.connection.driver_connection)
        if not driver.is_closed():
            return connection, driver
        await connection.invalidate()
        await connection.close()


async def _abandon(connection: AsyncConnection, driver: Driver) -> None:
    try:
        if not driver.is_closed():
            await driver.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        await connection.invalidate(error)
    finally:
        if driver.is_closed():
            await connection.invalidate()
        await connection.close()
