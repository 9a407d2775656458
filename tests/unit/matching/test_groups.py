"""One mentor, several mentees who belong together: in rounds, and checked again where they are proposed."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.matching import solver, store
from services.matching.commands import decline_proposal
from services.matching.engine import Configuration, Pool
from services.matching.pairs import open_proposals
from services.matching.solver_process import Result
from services.matching.store import PROPOSAL, RELATIONSHIP
from services.matching.waking import MATCHING, ROUND
from shared.contracts.base import EventData
from tests.unit.matching.support import SPRING, World, enrolment, person, programme

MENTEES = ("ann", "bea", "cem", "dan", "eva", "fay")


def people(*mentees: str, capacity: int = 4) -> list[EventData]:
    told: list[EventData] = [
        programme(matching={"form": "group", "group_size": 4, "smallest_group": 2}),
        person("mia", level=6, capacity=capacity), enrolment("mia", "mentor"),
    ]  # fmt: skip
    for name in mentees:
        told += [person(name, skills_wanted={"law": 3}), enrolment(name, "mentee")]
    return told


@pytest.fixture(autouse=True)
def _leaders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leaders(uow: Any, programme_id: str, mentors: Any) -> set[str]:
        rows = [*world.proposals(), *world.store.all(RELATIONSHIP)]
        return {
            one.mentor_id
            for one in rows
            if one.programme_id == programme_id and one.status in ("open", "active")
        }

    monkeypatch.setattr(store, "leaders", leaders)


async def test_a_round_makes_groups_and_nobody_joins_one_later(world: World) -> None:
    await world.hear(*people(*MENTEES))
    await world.wait(minutes=1)
    led = Counter(mentor for _, mentor in world.open_pairs())
    assert led == {"mia": 4}
    coherent = {each.score for each in world.proposals()}
    alone = Configuration().weights
    assert min(coherent) == alone.experience + alone.overlap + alone.coherence
    group = world.open_pairs()
    mentee = next(iter(group))[0]
    async with world.uow() as uow:
        (proposal,) = await open_proposals(uow, mentee)
    await world.do(decline_proposal, proposal.proposal_id, mentee)
    await world.wait(minutes=5)
    assert world.open_pairs() == group - {(mentee, "mia")}


async def test_too_few_are_no_group(world: World) -> None:
    await world.hear(*people("ann"))
    await world.wait(minutes=1)
    assert world.open_pairs() == set()
    assert world.mentee("ann").found == "all-full"


async def round_of(world: World, programme: str) -> None:
    """A round and its computation."""
    await world._fire((ROUND, programme))
    (matching,) = [name for name in world.store.timers if name[0] == MATCHING]
    await world._fire(matching)


async def meanwhile(world: World, monkeypatch: pytest.MonkeyPatch, *told: EventData) -> None:
    """A round in which these are heard of after the look."""
    compute = solver.match

    async def slowly(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        result = await compute(pool, configuration, keep_alive)
        await world.hear(*told)
        return result

    monkeypatch.setattr(solver, "match", slowly)
    world.now += timedelta(minutes=1)
    await round_of(world, SPRING)


async def test_who_avoids_a_member_by_now_is_not_put_beside_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.hear(*people("ann", "bea", "cem"))
    await meanwhile(world, monkeypatch, enrolment("ann", "mentee", avoid=["bea"]))
    together = {mentee for mentee, _ in world.open_pairs()}
    assert len(together) == 2
    assert not {"ann", "bea"} <= together
    assert (ROUND, SPRING) in world.store.timers


async def test_when_a_group_becomes_too_small_nobody_of_it_is_proposed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.hear(*people("ann", "bea"))
    await meanwhile(world, monkeypatch, enrolment("ann", "mentee", "withdrawn"))
    assert world.store.all(PROPOSAL) == []
    assert world.mentee("bea").waits


async def test_a_group_is_not_larger_than_the_mentors_room_by_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: list[EventData] = [programme("autumn"), enrolment("mia", "mentor", programme="autumn")]
    other += [person("zoe"), enrolment("zoe", "mentee", programme="autumn")]
    await world.hear(*people("ann", "bea", "cem", capacity=3), *other)
    compute = solver.match

    async def overtaken(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        result = await compute(pool, configuration, keep_alive)
        monkeypatch.setattr(solver, "match", compute)
        await round_of(world, "autumn")
        return result

    monkeypatch.setattr(solver, "match", overtaken)
    world.now += timedelta(minutes=1)
    await round_of(world, SPRING)
    assert world.load("mia").reserved == 3
    assert ("zoe", "mia") in world.open_pairs()
