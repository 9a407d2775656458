"""Databases and roles: who can reach what, and that the job can be repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local import Postgres
from shared.persistence.bootstrap import (
    ROLES,
    BootstrapError,
    bootstrap,
    bootstrap_from_environment,
    database_name,
    role_name,
)

from .conftest import PASSWORDS, SERVICES

pytestmark = pytest.mark.stack


@asynccontextmanager
async def _connected(
    postgres: Postgres, database: str, service: str, role: str, password: str | None = None
) -> AsyncIterator[Any]:
    password = password or PASSWORDS[service, role]
    connection = await asyncpg.connect(
        postgres.dsn(database_name(database), role_name(service, role), password)
    )
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("role", [*ROLES, "clock"])
async def test_a_role_cannot_enter_another_services_database(postgres: Postgres, role: str) -> None:
    async with _connected(postgres, "profiles", "profiles", role) as connection:
        assert await connection.fetchval("SELECT current_database()") == "mentoring_profiles"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with _connected(postgres, "matching", "profiles", role):
            pass


@pytest.mark.parametrize("role", ["app", "plumbing", "check", "clock"])
async def test_only_the_owner_creates(postgres: Postgres, role: str) -> None:
    async with _connected(postgres, "profiles", "profiles", role) as connection:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await connection.execute("CREATE TABLE mine (n int)")
        attributes = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles"
            " WHERE rolname = current_user"
        )
        assert not any(attributes)
        owner = await connection.fetchval(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        )
        assert owner == "mentoring_profiles_owner"


async def test_row_level_security_binds_the_app_role(postgres: Postgres) -> None:
    async with _connected(postgres, "profiles", "profiles", "owner") as owner:
        await owner.execute("CREATE TABLE secret (tenant text)")
        await owner.execute("ALTER TABLE secret ENABLE ROW LEVEL SECURITY")
        await owner.execute(f"GRANT SELECT ON secret TO {role_name('profiles', 'app')}")
        await owner.execute("INSERT INTO secret VALUES ('a')")
        try:
            async with _connected(postgres, "profiles", "profiles", "app") as app:
                assert await app.fetch("SELECT * FROM secret") == []
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await app.execute("ALTER TABLE secret DISABLE ROW LEVEL SECURITY")
        finally:
            await owner.execute("DROP TABLE secret")


async def test_timeouts_of_the_roles(postgres: Postgres) -> None:
    async def shown(role: str) -> tuple[str, ...]:
        names = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
        async with _connected(postgres, "profiles", "profiles", role) as connection:
            return tuple([str(await connection.fetchval(f"SHOW {name}")) for name in names])

    assert await shown("app") == ("1min", "10s", "1min")
    assert await shown("plumbing") == ("15s", "10s", "0")


async def test_repeating_keeps_data_and_rotates_passwords(postgres: Postgres) -> None:
    async with _connected(postgres, "matching", "matching", "owner") as owner:
        await owner.execute("CREATE TABLE kept AS SELECT 1 AS n")
    changed = PASSWORDS | {("matching", "app"): "another one"}
    same_time = (
        bootstrap(postgres.admin_dsn, services=SERVICES, passwords=changed, with_clock=True) for _ in range(3)
    )
    await asyncio.gather(*same_time)
    async with _connected(postgres, "matching", "matching", "app", "another one"):
        pass
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with _connected(postgres, "matching", "matching", "app"):
            pass
    async with _connected(postgres, "matching", "matching", "owner") as owner:
        assert await owner.fetchval("SELECT n FROM kept") == 1
        await owner.execute("DROP TABLE kept")
    await bootstrap(postgres.admin_dsn, services=SERVICES, passwords=PASSWORDS, with_clock=True)


async def test_nobody_moves_the_clock_unasked(postgres: Postgres) -> None:
    passwords = {("feedback", role): "p" for role in (*ROLES, "clock")}
    await bootstrap(postgres.admin_dsn, services=["feedback"], passwords=passwords, with_clock=True)
    async with _connected(postgres, "feedback", "feedback", "clock", "p"):
        pass
    await bootstrap(postgres.admin_dsn, services=["feedback"], passwords=passwords)
    with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)):
        async with _connected(postgres, "feedback", "feedback", "clock", "p"):
            pass


async def test_an_administrator_need_not_be_superuser(postgres: Postgres) -> None:
    admin = await asyncpg.connect(postgres.admin_dsn)
    try:
        await admin.execute("CREATE ROLE hosted LOGIN CREATEDB CREATEROLE PASSWORD 'h'")
    finally:
        await admin.close()
    dsn = postgres.dsn("postgres", "hosted", "h")
    passwords = {("notifications", role): "p" for role in ROLES}
    for _ in range(2):
        await bootstrap(dsn, services=["notifications"], passwords=passwords)
    async with _connected(postgres, "notifications", "notifications", "owner", "p") as owner:
        await owner.execute("CREATE TABLE made (n int)")


async def test_as_a_job_it_reads_variables_and_files(postgres: Postgres, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(postgres.admin_dsn + "\n")
    environ = {
        "MENTORING_BOOTSTRAP_ADMIN_DSN_FILE": str(file),
        "MENTORING_BOOTSTRAP_SERVICES": "profiles",
        "MENTORING_BOOTSTRAP_CLOCK": "1",
    } | {
        f"MENTORING_BOOTSTRAP_PROFILES_{role.upper()}_PASSWORD": PASSWORDS["profiles", role]
        for role in (*ROLES, "clock")
    }
    assert await bootstrap_from_environment(environ) == ["profiles"]

    del environ["MENTORING_BOOTSTRAP_PROFILES_APP_PASSWORD"]
    with pytest.raises(BootstrapError, match="Set MENTORING_BOOTSTRAP_PROFILES_APP_PASSWORD, or"):
        await bootstrap_from_environment(environ)


@pytest.mark.parametrize("service", ["Profiles", "a; DROP DATABASE postgres", "", "a-b"])
async def test_names_that_are_not_plain_are_refused(postgres: Postgres, service: str) -> None:
    with pytest.raises(BootstrapError, match="service's name"):
        await bootstrap(
            postgres.admin_dsn, services=[service], passwords={(service, role): "p" for role in ROLES}
        )
