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
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Driver: TypeAlias = "asyncpg.Connection[Any]"

_PARAMETER: Final = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_ROLLBACK_SECONDS: Final = 5.0

# asyncpg raises it where the server has ended the session between two statements and the socket is not closed yet
# ("cannot switch to state 11; another operation is in progress"): it is none of asyncpg's usual errors.
_LOST: Final = asyncpg.InternalClientError
_FAILED: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, _LOST)


def is_lost(error: BaseException) -> bool:
    """Whether the session had ended, as asyncpg's ``InternalClientError`` or as SQLAlchemy wraps it."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(original, _LOST) or isinstance(getattr(original, "__cause__", None), _LOST)


class Statement:
    """SQL with parameters by name (``:name``), numbered once for asyncpg, which keeps it prepared."""

    __slots__ = ("names", "sql", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        numbers = {name: f"${number}" for number, name in enumerate(self.names, 1)}
        self.sql = _PARAMETER.sub(lambda match: numbers[match[1]], text)


Write = tuple[Statement, Mapping[str, Any]]
"""A statement that changes something, with its values."""


class Connection:
    """A connection of the pool inside a transaction: through SQLAlchemy, or straight to the driver."""

    __slots__ = ("_driver", "execute")

    def __init__(self, connection: AsyncConnection, driver: Driver) -> None:
        self._driver = driver
        self.execute = connection.execute
        """SQLAlchemy's, for what is rare."""

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
        """Rows of the statement. Raises SQLAlchemy's errors, like :attr:`execute`."""
        try:
            return await self._driver.fetch(statement.sql, *[values[name] for name in statement.names])
        except _FAILED as error:
            raise _as_sqlalchemy_does(error, self._driver) from error

    async def command(self, sql: str) -> str:
        """Run a command without parameters; returns what the server calls it (``COMMIT``)."""
        try:
            return await self._driver.execute(sql)
        except _FAILED as error:
            raise _as_sqlalchemy_does(error, self._driver) from error

    async def commit(self) -> None:
        """Raises ``RuntimeError`` when the server rolls back instead, as it does after an error that somebody
        has swallowed."""
        if (done := await self.command("COMMIT")) != "COMMIT":
            raise RuntimeError(f"the transaction ended with {done}")


def _as_sqlalchemy_does(error: Exception, driver: Driver) -> DBAPIError:
    """Whoever decides by an error need not know which way it came. Statement and values are left out."""
    kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    return kind(None, None, error, connection_invalidated=driver.is_closed() or is_lost(error))


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


@asynccontextmanager
async def opened(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """A connection of *engine*, which must be in autocommit mode, outside any transaction."""
    connection, driver = await _open(engine)
    try:
        yield Connection(connection, driver)
    finally:
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
    except (*_FAILED, OSError, TimeoutError) as error:
        await connection.invalidate(error)
    finally:
        if driver.is_closed():
            await connection.invalidate()
        await connection.close()
