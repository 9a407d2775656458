"""The four migrated databases that a package of tests shares. Tests keep apart by tenant: each takes a new one."""

import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from shared.contracts.topics import SERVICES
from shared.persistence.bootstrap import CLOCK_ROLE, ROLES, bootstrap, database_name, role_name
from shared.persistence.migrate import migrate
from shared.runtime.settings import Settings
from tests.support.servers import Servers

_MARK: Final = "made by the tests"
"""The comment on databases that the tests may drop."""


def new_tenant() -> str:
    """A tenant that nobody has used before."""
    return f"t-{uuid.uuid4().hex[:12]}"


class Databases:
    """The databases of all services, at head, and how to log in as each of their roles."""

    def __init__(self, servers: Servers, passwords: Mapping[tuple[str, str], str]) -> None:
        self.servers = servers
        self._passwords = passwords

    def password(self, service: str, role: str) -> SecretStr:
        return SecretStr(self._passwords[service, role])

    def dsn(self, service: str, role: str, *, database: str | None = None) -> str:
        """A connection string; *database* is another service's, for those who try."""
        address = urlsplit(self.servers.admin_dsn)
        user, password = role_name(service, role), self._passwords[service, role]
        place = f"{address.hostname or '127.0.0.1'}:{address.port or 5432}"
        return f"postgresql://{user}:{password}@{place}/{database_name(database or service)}"

    @asynccontextmanager
    async def login(
        self, service: str, role: str, *, database: str | None = None
    ) -> AsyncIterator["asyncpg.Connection[Any]"]:
        """A connection as one role of one service; ``admin`` is the server's administrator."""
        if role == "admin":
            connection = await asyncpg.connect(self.servers.admin_dsn, database=database_name(service))
        else:
            connection = await asyncpg.connect(self.dsn(service, role, database=database))
        try:
            yield connection
        finally:
            await connection.close()

    async def nothing_under_way(self) -> None:
        """Forget what an earlier module left to be sent or to become due: its topics are not this one's."""
        for service in SERVICES:
            async with self.login(service, "admin") as connection:
                await connection.execute("TRUNCATE outbox, timer")


@asynccontextmanager
async def prepared_databases(servers: Servers) -> AsyncIterator[Databases]:
    """All four databases, made and migrated as an installation would, and dropped at the end.

    Databases of these names are replaced if tests have made them. Raises ``RuntimeError`` for any others.
    """
    await _drop(servers.admin_dsn)
    passwords = {
        (service, role): secrets.token_urlsafe(18) for service in SERVICES for role in (*ROLES, CLOCK_ROLE)
    }
    await bootstrap(servers.admin_dsn, services=SERVICES, passwords=passwords, with_clock=True)
    databases = Databases(servers, passwords)
    for service in SERVICES:
        async with databases.login(service, "admin") as admin:
            await admin.execute(f"COMMENT ON DATABASE {database_name(service)} IS '{_MARK}'")
    try:
        for service in SERVICES:
            await migrate(service, settings_for(databases, service))
        yield databases
    finally:
        await _drop(servers.admin_dsn)


async def _drop(admin_dsn: str) -> None:
    """Drop what tests have made; before anything else, make sure that it is that."""
    admin = await asyncpg.connect(admin_dsn)
    try:
        found = await admin.fetch(
            "SELECT datname, shobj_description(oid, 'pg_database') AS mark FROM pg_database"
            " WHERE datname = ANY($1)",
            [database_name(service) for service in SERVICES],
        )
        for name, mark in found:
            if mark != _MARK and not await _is_toy(admin_dsn, name):
                raise RuntimeError(f"tests have not made the database {name}, so they do not touch it")
        for name, _ in found:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def _is_toy(admin_dsn: str, name: str) -> bool:
    """Whether the toy service of other tests lives there (it borrows a real service's name)."""
    connection = await asyncpg.connect(admin_dsn, database=name)
    try:
        return await connection.fetchval("SELECT to_regclass('thing')") is not None
    finally:
        await connection.close()


def settings_for(databases: Databases, service: str, **changes: Any) -> Settings:
    """Settings of one service on these databases; *changes* replace or add some."""
    address = urlsplit(databases.servers.admin_dsn)
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": databases.servers.bootstrap_servers,
        "database_host": address.hostname or "127.0.0.1",
        "database_port": address.port or 5432,
        "database_sslmode": "disable",
        "replica": "r0",
        "http_host": "127.0.0.1",
    }
    values |= {
        f"database_{role}_password": databases.password(service, role)
        for role in ("app", "plumbing", "owner")
    }
    return Settings(**(values | changes))


async def rows_of(admin: "asyncpg.Connection[Any]", tenant: str) -> list[tuple[str, str]]:
    """Every row of a tenant in every table of a service, as (table, text)."""
    tables = await admin.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    parts = [
        f"SELECT '{name}' AS name, t::text AS row FROM \"{name}\" t WHERE tenant = $1" for (name,) in tables
    ]
    rows = await admin.fetch(" UNION ALL ".join(parts) + " ORDER BY 1, 2", tenant)
    return [(row["name"], row["row"]) for row in rows]
