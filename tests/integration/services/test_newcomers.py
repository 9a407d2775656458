"""Whoever comes or changes between rounds, in a programme of thousands that wants them matched at once."""

import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.matching import solver, store
from services.matching.engine import Pool
from services.matching.waking import run_round_now
from shared.contracts.people import Role
from tests.integration.services.crowds import big_programme
from tests.integration.services.runs import SPRING, Programme
from tests.integration.services.said import enrolment, person
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Who
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)

MENTORS = int(os.environ.get("MENTORS", "3000"))
WAITING = 20
AT_ONCE: dict[str, Any] = {"matching": {"at_once": True}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform
    solver.close()


@pytest.fixture(autouse=True)
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the pools of all rounds that are computed."""
    computed: list[int] = []
    match = solver.match

    async def counted(pool: Pool, *rest: Any, **more: Any) -> Any:
        computed.append(len(pool.mentors))
        return await match(pool, *rest, **more)

    monkeypatch.setattr(solver, "match", counted)
    return computed


async def round_now(spring: Programme) -> None:
    async with spring.matching.process.database.transaction(spring.tenant) as uow:
        run_round_now(uow, SPRING)
    await spring.matching.fire_timers()


async def best_of_a_round(spring: Programme) -> dict[str, tuple[str, int]]:
    """Mentor and score by mentee, as a round over everybody would have it now."""
    began = time.perf_counter()
    async with spring.matching.process.database.transaction(spring.tenant, read_only=True) as uow:
        seen = await store.read_pool(uow, SPRING)
    assert seen is not None
    found = await solver.match(seen.pool, seen.configuration, solver.nothing)
    print(f"a whole round would take {(time.perf_counter() - began) * 1000:.0f} ms; at once:", end=" ")
    return {pair.mentee_id: (pair.mentor_id, pair.score) for pair in found.pairs}


async def score_of(spring: Programme, mentee: str) -> int:
    (row,) = await spring.matching.rows(
        spring.tenant,
        f"SELECT score FROM proposal WHERE tenant = :tenant AND mentee_id = '{mentee}' AND status = 'open'",
    )
    return int(row.score)


async def settled(spring: Programme) -> dict[str, str]:
    """Open proposals after a round, from which the tests go on."""
    await round_now(spring)
    return await spring.proposals()


async def more(spring: Programme, before: dict[str, str]) -> dict[str, str]:
    """What is proposed beside *before*, no time having passed; how long it took is printed."""
    began, cpu = time.perf_counter(), time.process_time()
    await spring.matching.fire_timers()
    clock, processor = time.perf_counter() - began, time.process_time() - cpu
    print(f"{clock * 1000:.0f} ms, {processor * 1000:.0f} of them the service's processor")
    now = await spring.proposals()
    return {mentee: mentor for mentee, mentor in now.items() if before.get(mentee) != mentor}


def somebody(name: str, role: Role, **more: Any) -> tuple[Any, Any]:
    return person(name, **more), enrolment(name, SPRING, role)


async def test_whoever_comes_or_changes_has_a_proposal_at_once(platform: Platform, rounds: list[int]) -> None:
    matching = platform["matching"]
    spring = await big_programme(matching, WAITING, MENTORS, **AT_ONCE)
    alone: dict[str, Any] = {"languages": ["tlh"], "level": 3, "skills_wanted": {"skill 7": 5}}
    await matching.hear(spring.tenant, *somebody("stranger", Role.MENTEE, **alone))
    told = await settled(spring)
    assert len(told) == WAITING
    assert "stranger" not in told
    assert rounds == [MENTORS]

    wants = {"skill 3": 5, "skill 11": 4, "skill 40": 2}
    await matching.hear(spring.tenant, *somebody("new", Role.MENTEE, level=4, skills_wanted=wants))
    best = await best_of_a_round(spring)
    found = await more(spring, told)
    assert found.keys() == {"new"}
    assert await score_of(spring, "new") == best["new"][1]

    told |= found
    changed = person("stranger", **(alone | {"languages": ["en"]}))
    await matching.hear(spring.tenant, changed, version=2)
    best = await best_of_a_round(spring)
    found = await more(spring, told)
    assert found.keys() == {"stranger"}
    assert await score_of(spring, "stranger") == best["stranger"][1]  # several mentors may be as good

    told |= found
    await matching.hear(spring.tenant, *somebody("other", Role.MENTEE, **alone))
    assert await more(spring, told) == {}
    await matching.hear(spring.tenant, *somebody("guide", Role.MENTOR, level=6, languages=["tlh", "en"]))
    found = await more(spring, told)
    assert found == {"other": "guide"}
    assert rounds[0] == MENTORS
    assert len(rounds) == 3, "one round, and two that the test asked for to compare"

    told |= found
    (row,) = await matching.rows(
        spring.tenant,
        "SELECT proposal_id FROM proposal WHERE tenant = :tenant AND mentee_id = 'new' AND status = 'open'",
    )
    await matching.ask(Who("new", spring.tenant), "POST", f"/proposals/{row.proposal_id}/decline")
    best = await best_of_a_round(spring)
    found = await more(spring, told)
    assert found.keys() == {"new"}
    assert found["new"] != told["new"]
    assert await score_of(spring, "new") == best["new"][1]


async def test_what_is_remembered_never_decides(platform: Platform, rounds: list[int]) -> None:
    """The best mentor has left, paused, been filled or become the manager since the round: somebody else is."""
    matching = platform["matching"]
    spring = await big_programme(matching, 1, 40, **AT_ONCE)
    told = await settled(spring)
    wants = {"skill 3": 5, "skill 11": 4, "skill 40": 2}
    await matching.hear(spring.tenant, *somebody("new", Role.MENTEE, level=3, skills_wanted=wants))
    best: list[str] = []
    for change in ("left", "paused", "full", "manager", "avoided"):
        best.append((await best_of_a_round(spring))["new"][0])
        await _without_waking(spring, best[-1], change)
    assert len(set(best)) == 5
    _, score = (await best_of_a_round(spring))["new"]
    before = len(rounds)
    found = await more(spring, told)
    assert found.keys() == {"new"}
    assert found["new"] not in best
    assert await score_of(spring, "new") == score
    assert len(rounds) == before


async def _without_waking(spring: Programme, mentor: str, change: str) -> None:
    """What somebody else's transaction has written by now, before its timers are fired."""
    set_ = {
        "left": ("enrolment", "status = 'withdrawn'", "person_id = :mentor"),
        "paused": ("enrolment", "paused = true", "person_id = :mentor"),
        "full": ("mentor_load", "active = 50", "person_id = :mentor"),
        "manager": ("person", "manager_id = :mentor", "person_id = 'new'"),
        "avoided": ("enrolment", "avoid = '[\"new\"]'", "person_id = :mentor"),
    }[change]
    table, values, where = set_
    async with spring.matching.process.database.transaction(spring.tenant) as uow:
        statement = sa.text(f"UPDATE {table} SET {values} WHERE tenant = :tenant AND {where}")
        await uow.connection.execute(statement, {"tenant": spring.tenant, "mentor": mentor})


async def test_after_a_restart_the_next_round_has_them(platform: Platform, rounds: list[int]) -> None:
    matching = platform["matching"]
    spring = Programme(matching, new_tenant())
    await spring.begin(2, 5, **AT_ONCE)
    assert await more(spring, {}) == {}
    told = await settled(spring)
    assert len(told) == 2
    solver.close()
    await matching.hear(spring.tenant, *somebody("new", Role.MENTEE))
    assert await more(spring, told) == {}
    assert await settled(spring) == told | {"new": (await spring.proposals())["new"]}
    await matching.hear(spring.tenant, *somebody("later", Role.MENTEE))
    assert set(await more(spring, await spring.proposals() | {})) == {"later"}
    assert len(rounds) == 2
