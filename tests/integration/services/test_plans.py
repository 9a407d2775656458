"""What reading a pool costs, whatever PostgreSQL believes about the size of a tenant.

Statistics are old when they matter most: when a new tenant has just arrived with thousands of people. Then every
table looks as if the tenant had one row in it, and a join of two tables may be done by comparing all with all. What
is counted here are rows that the executor touched, not seconds.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from services.matching.store import read_pool
from services.matching.store.tables import ENROLMENT, MENTEE, MENTOR_LOAD, PERSON
from shared.contracts.people import Role
from shared.persistence.driver import Connection, Statement
from shared.persistence.kinds import Kind
from tests.integration.services.crowds import big_programme
from tests.integration.services.runs import SPRING
from tests.integration.services.said import enrolment, person
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform

MENTEES, MENTORS = 600, 400
MOST: Final = 20 * (MENTEES + MENTORS)
"""Rows touched by one node of a plan: a few passes over everybody, far from all with all."""

Admin: TypeAlias = "asyncpg.Connection[Any]"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform


def _touched(node: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    rows = (
        node["Actual Rows"]
        + node.get("Rows Removed by Filter", 0)
        + node.get("Rows Removed by Join Filter", 0)
    )
    yield (
        rows * node["Actual Loops"],
        f"{node['Node Type']} on {node.get('Relation Name', '')} {node.get('Index Name', '')}",
    )
    for child in node.get("Plans", ()):
        yield from _touched(child)


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


@contextmanager
def explained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, str, str]]]:
    """Of every statement that goes straight to the driver: the node that touched most rows."""
    seen: list[tuple[float, str, str]] = []
    fetch = Connection.fetch

    async def explain(self: Connection, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
        await self.command("SAVEPOINT before")
        plan = Statement(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.text}")
        (row,) = await fetch(self, plan, values)
        await self.command("ROLLBACK TO before")
        seen.append((*max(_touched(_decoded(row[0])[0]["Plan"])), statement.text))
        return await fetch(self, statement, values)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "fetch", explain)
        yield seen


@pytest.mark.parametrize("known", ["nothing", "another tenant", "everything", "empty"])
async def test_a_pool_is_read_in_a_few_passes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    matching = platform["matching"]
    async with platform.databases.login("matching", "admin") as admin:
        if known == "empty":
            await admin.execute("TRUNCATE person, enrolment, mentee, mentor_load, proposal, relationship")
            await admin.execute("ANALYZE")
        if known == "another tenant":
            await big_programme(matching, MENTEES, MENTORS)
            await admin.execute("ANALYZE")
        spring = await big_programme(matching, MENTEES, MENTORS)
        if known == "everything":
            await admin.execute("ANALYZE")
    with explained(monkeypatch) as seen:
        async with matching.process.database.transaction(spring.tenant) as uow:
            pool = await read_pool(uow, SPRING)
    assert pool is not None
    assert len(pool.pool.mentees) == MENTEES
    assert max(seen)[0] <= MOST, max(seen)


MANY: Final = 60_000
HEARD: Final = 100


async def _copied(admin: Admin, kind: Kind[Any], tenant: str) -> None:
    """Rows of a tenant once more, with other keys, until there are many."""
    keys = {name: f"{name} || '-' || n" for name in kind.key_fields if name != "programme_id"}
    names = ", ".join(("tenant", *kind.fields))
    values = ", ".join(("tenant", *(keys.get(name, name) for name in kind.fields)))
    await admin.execute(
        f"INSERT INTO {kind.name} ({names}) SELECT {values} FROM {kind.name},"
        f" generate_series(1, {MANY} / (SELECT count(*) FROM {kind.name} WHERE tenant = $1)) n WHERE tenant = $1",
        tenant,
    )


async def test_a_batch_finds_its_rows_by_key(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    matching = platform["matching"]
    async with platform.databases.login("matching", "admin") as admin:
        await matching.hear(new_tenant(), person("before"))
        await admin.execute("ANALYZE")
        spring = await big_programme(matching, 100, 100)
        names = [f"mentee-{number:05}" for number in range(HEARD)]
        await matching.hear(spring.tenant, *(person(name) for name in names))
        for kind in (PERSON, ENROLMENT, MENTEE, MENTOR_LOAD):
            await _copied(admin, kind, spring.tenant)
        await admin.execute(
            "INSERT INTO inbox SELECT (jsonb_populate_record(i, jsonb_build_object('id', n))).* FROM inbox i,"
            " generate_series(1, $2) n WHERE i.tenant = $1 AND i.id = (SELECT min(id) FROM inbox WHERE tenant = $1)",
            spring.tenant,
            MANY,
        )
    with explained(monkeypatch) as seen:
        await matching.hear(spring.tenant, *(person(name, level=3) for name in names), version=2)
        await matching.hear(
            spring.tenant, *(enrolment(name, SPRING, Role.MENTEE) for name in names), version=2
        )
    assert max(seen)[0] <= 20 * HEARD, max(seen)
