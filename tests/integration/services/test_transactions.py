"""Transactions on a pool of connections: what they leave behind, and single rows in them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.profiles.domain.programmes import Programme
from services.profiles.store import PROGRAMME
from shared.persistence.bootstrap import role_name
from shared.persistence.database import Database
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform
from tests.support.waiting import eventually

_TENANT = sa.text("SELECT current_setting('app.tenant', true)")
_CONNECTIONS = "SELECT pid, state FROM pg_stat_activity WHERE usename = $1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform


@pytest.fixture
def database(platform: Platform) -> Database:
    return platform["profiles"].process.database


async def in_every_connection(platform: Platform, database: Database) -> list[str]:
    """The tenant that each of so many transactions at once sees as the pool has connections."""
    size = platform["profiles"].settings.database_pool
    together = asyncio.Barrier(size)

    async def one(tenant: str) -> str:
        async with database.transaction(tenant) as uow, asyncio.timeout(20):
            await together.wait()
            ((seen,),) = await uow.rows(_TENANT)
            assert seen == tenant
            return tenant

    return await asyncio.gather(*(one(new_tenant()) for _ in range(size)))


async def test_a_tenant_ends_with_its_transaction(platform: Platform, database: Database) -> None:
    before = await in_every_connection(platform, database)
    async with database.app.connect() as connection:
        assert await connection.scalar(_TENANT) == ""
    assert len({*before, *await in_every_connection(platform, database)}) == 2 * len(before)


async def test_who_is_cancelled_leaves_no_transaction_open(
    platform: Platform, database: Database, databases: Databases
) -> None:
    asked = asyncio.Event()

    async def hang() -> None:
        async with database.transaction(new_tenant()) as uow:
            asked.set()
            await uow.rows(sa.text("SELECT pg_sleep(60)"))

    waiting = [asyncio.create_task(hang()) for _ in range(3)]
    await asked.wait()
    async with databases.login("profiles", "admin") as admin:

        async def active() -> int:
            rows = await admin.fetch(_CONNECTIONS, role_name("profiles", "app"))
            return sum(row["state"] == "active" for row in rows)

        async def all_ask() -> bool:
            return await active() == len(waiting)

        async def none_is_open() -> bool:
            rows = await admin.fetch(_CONNECTIONS, role_name("profiles", "app"))
            return all(row["state"] == "idle" for row in rows)

        await eventually(all_ask, what="three queries that hang")
        for task in waiting:
            task.cancel()
        assert all(
            isinstance(each, asyncio.CancelledError)
            for each in await asyncio.gather(*waiting, return_exceptions=True)
        )
        await eventually(none_is_open, what="connections without a transaction")
    await in_every_connection(platform, database)


async def test_a_commit_that_rolls_back_is_an_error(database: Database) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK, and without an error, when a statement before it has failed."""

    async def swallow() -> None:
        async with database.transaction(new_tenant()) as uow:
            with contextlib.suppress(DBAPIError):
                await uow.rows(sa.text("SELECT 1 / 0"))

    with pytest.raises(RuntimeError, match="ROLLBACK"):
        await swallow()


async def test_connections_that_the_server_has_closed_are_replaced_before_use(
    platform: Platform, database: Database, databases: Databases
) -> None:
    await in_every_connection(platform, database)
    async with databases.login("profiles", "admin") as admin:
        role = role_name("profiles", "app")
        await admin.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)

        async def all_gone() -> bool:
            return not await admin.fetch(_CONNECTIONS, role)

        await eventually(all_gone, what="the end of all connections")
    await in_every_connection(platform, database)


async def test_one_row_is_written_and_read_like_many(database: Database) -> None:
    tenant = new_tenant()
    for names in (["a"], ["b", "c"]):
        programmes = [Programme(name, name, coordinator_ids=[f"of-{name}"], version=1) for name in names]
        changed = [replace(each, name="other", coordinator_ids=[], version=2) for each in programmes]
        for rows in (programmes, changed):
            async with database.transaction(tenant) as uow:
                for each in rows:
                    await uow.get(PROGRAMME, each.programme_id)
                    uow.put(each)
            async with database.transaction(tenant, read_only=True) as uow:
                for expected in rows:
                    found = await uow.get(PROGRAMME, expected.programme_id)
                    assert found == expected
