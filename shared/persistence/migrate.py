"""Migrations of one service: Alembic with a fixed environment, run as the owner role.

Two migrators at once wait for each other on an advisory lock; a migration that cannot get a table lock
in 5 s gives up instead of queueing all traffic behind it.
"""

import importlib
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shared.persistence.database import engine_url, ssl_argument
from shared.runtime.failpoints import failpoint
from shared.runtime.settings import Settings, SettingsError

_LOCK = 0x4D454E54  # any constant that all migrators of this database share


def _config(service: str) -> Config:
    package = importlib.import_module(f"services.{service}")
    assert package.__file__ is not None
    config = Config()
    config.set_main_option("script_location", str(Path(package.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def head_of(service: str) -> str:
    """The newest revision that this code knows of."""
    return revisions_of(service)[0]


@cache
def revisions_of(service: str) -> tuple[str, ...]:
    """All revisions that this code knows of, the newest first."""
    known = tuple(
        script.revision for script in ScriptDirectory.from_config(_config(service)).walk_revisions()
    )
    if not known:
        raise RuntimeError(f"{service} has no migrations")
    return known


async def revision_of(connection: AsyncConnection) -> str | None:
    """The revision that the database is at, or None when it has never been migrated."""
    exists = await connection.scalar(sa.text("SELECT to_regclass('alembic_version')"))
    if exists is None:
        return None
    revision: str | None = await connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


async def migrate(service: str, settings: Settings) -> str:
    """Bring the service's database to head and return the head's revision.

    Raises :class:`SettingsError` without the owner's password.
    """
    user = settings.database_owner_user or f"mentoring_{service}_owner"
    if settings.database_owner_password is None:
        raise SettingsError(
            "migrations need the owner's password: set MENTORING_DATABASE_OWNER_PASSWORD or its file"
        )
    engine = create_async_engine(
        engine_url(service, settings, user, settings.database_owner_password),
        poolclass=NullPool,
        connect_args={"ssl": ssl_argument(settings)},
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade, service)
            await connection.commit()
    finally:
        await engine.dispose()
    return head_of(service)


def _upgrade(connection: Connection, service: str) -> None:
    config = _config(service)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def run_environment() -> None:
    """The body of every service's ``migrations/env.py``."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        sa.event.listen(connection, "after_cursor_execute", _between_statements)
        context.run_migrations()


def _between_statements(*_: object) -> None:
    failpoint("in_migration")
