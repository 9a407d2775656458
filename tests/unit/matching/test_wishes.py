"""Avoid lists, ranked choices, pauses, supervision: what they do to proposals, whenever they are heard of."""

from datetime import timedelta
from typing import Any

import pytest

from services.matching import commands, solver
from services.matching.domain.mentees import Found
from services.matching.engine import Configuration, Pool
from services.matching.solver_process import Result
from services.matching.store import ENROLMENT
from services.matching.waking import ROUND
from shared.contracts.base import EventData
from shared.contracts.pairs import ProposalChanged
from shared.contracts.people import EnrolmentChanged, PersonErased
from shared.errors import Conflict
from tests.support.memory import NOW
from tests.unit.matching.support import SPRING, World, enrolment, person, programme

SUPERVISED = programme(rounds="supervised")


def everything(mentee: Any = None, mentor: Any = None, **settings: Any) -> list[EventData]:
    return [
        programme(**settings),
        person("ann"), enrolment("ann", "mentee", **(mentee or {})),
        person("max", level=6), enrolment("max", "mentor", **(mentor or {})),
    ]  # fmt: skip


@pytest.mark.parametrize("by", ["ann", "max"])
async def test_who_avoids_is_never_proposed(world: World, by: str) -> None:
    wishes = {"mentee": {"avoid": ["max"]}} if by == "ann" else {"mentor": {"avoid": ["ann"]}}
    await world.hear(*everything(**wishes))
    await world.wait(minutes=1)
    assert world.proposals() == []
    assert world.mentee("ann").found is Found.NO_CANDIDATE


async def test_an_avoid_list_counts_in_every_programme_and_role(world: World) -> None:
    await world.hear(*everything(), programme("autumn"))
    await world.hear(enrolment("max", "mentee", programme="autumn", avoid=["ann"]))
    await world.wait(minutes=1)
    assert world.proposals() == []
    await world.hear(enrolment("max", "mentee", "withdrawn", programme="autumn", avoid=["ann"]))
    await world.hear(person("max", level=7))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}


@pytest.mark.parametrize(
    "told", [enrolment("ann", "mentee", avoid=["max"]), enrolment("max", "mentor", avoid=["zoe", "ann"])]
)
async def test_what_is_proposed_to_somebody_avoided_is_withdrawn(
    world: World, told: EnrolmentChanged
) -> None:
    await world.hear(*everything())
    await world.wait(minutes=1)
    await world.hear(told)
    assert world.statuses() == ["open", "withdrawn"]
    await world.wait(minutes=1)
    assert world.open_pairs() == set()
    told_of_it = world.said(ProposalChanged)[-1].model_dump_json()
    assert "avoid" not in told_of_it


async def test_others_proposals_stay(world: World) -> None:
    await world.hear(*everything(), person("bob"))
    await world.wait(minutes=1)
    await world.hear(enrolment("ann", "mentee", avoid=["bob", "nobody-known"]))
    assert world.statuses() == ["open"]


@pytest.mark.parametrize(
    "meanwhile",
    [
        enrolment("ann", "mentee", avoid=["max"]),
        enrolment("max", "mentor", avoid=["ann"]),
        enrolment("max", "mentee", programme="autumn", avoid=["ann"]),
        enrolment("max", "mentor", paused=True),
        SUPERVISED,
    ],
)
async def test_what_is_heard_while_a_round_computes_counts(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: EventData
) -> None:
    compute = solver.match

    async def slowly(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        result = await compute(pool, configuration, keep_alive)
        assert len(result.pairs) == 1
        await world.hear(meanwhile)
        return result

    await world.hear(*everything())
    monkeypatch.setattr(solver, "match", slowly)
    world.now = NOW + timedelta(minutes=1)
    await world._fire((ROUND, SPRING))
    (matching,) = world.store.timers
    await world._fire(matching)
    assert world.proposals() == []


async def test_a_ranked_choice_decides_between_equals(world: World) -> None:
    mentors = [
        each for name in ("max", "zoe", "kim") for each in (person(name, level=6), enrolment(name, "mentor"))
    ]
    for wanted in ("max", "zoe", "kim"):
        await world.hear(programme(), *mentors, person(f"ann-{wanted}"))
        await world.hear(enrolment(f"ann-{wanted}", "mentee", choices=["nobody-known", wanted]))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann-max", "max"), ("ann-zoe", "zoe"), ("ann-kim", "kim")}
    assert not [each for each in world.said(ProposalChanged) if "choice" in str(each.reasons).lower()]


async def test_a_wish_that_is_met_gives_points_and_is_no_reason(world: World) -> None:
    await world.hear(*everything(mentee={"preferences": ["a sailor"]}, mentor={"preferences": ["A sailor"]}))
    await world.hear(person("bob"), enrolment("bob", "mentee"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}
    assert "sailor" not in world.said(ProposalChanged)[-1].model_dump_json()


async def test_a_mentor_who_pauses_takes_nobody_new(world: World) -> None:
    await world.hear(*everything(mentor={"paused": True}))
    await world.wait(minutes=1)
    assert (world.proposals(), world.mentee("ann").found) == ([], Found.ALL_FULL)
    await world.hear(enrolment("max", "mentor"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_pause_keeps_what_the_mentor_has_said_yes_to(world: World, accepted: bool) -> None:
    await world.hear(*everything())
    await world.wait(minutes=1)
    if accepted:
        await world.do(commands.accept_proposal, world.proposal_of("ann").proposal_id, "max")
    await world.hear(enrolment("max", "mentor", paused=True))
    assert bool(world.open_pairs()) == accepted


async def test_a_supervised_programme_proposes_nobody_by_itself(world: World) -> None:
    await world.hear(*everything(rounds="supervised"))
    assert world.store.timers == {}
    with pytest.raises(Conflict) as refused:
        await world.do(commands.start_round, SPRING)
    assert refused.value.code == "programme_supervised"
    await world.hear(person("ann", level=2), enrolment("max", "mentor", preferences=["a sailor"]))
    assert world.store.timers == {}
    await world.hear(programme())
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}


async def test_supervision_ends_what_was_about_to_run(world: World) -> None:
    await world.hear(*everything())
    assert (ROUND, SPRING) in world.store.timers
    await world.hear(SUPERVISED)
    assert world.store.timers == {}


async def test_wishes_and_settings_wake_a_round(world: World) -> None:
    await world.hear(*everything())
    await world.wait(minutes=1)
    for told in (
        enrolment("ann", "mentee", choices=["max"]),
        enrolment("max", "mentor", preferences=["a sailor"]),
        programme(matching={"objective": "value"}),
        person("max", level=6, office="Oslo"),
        person("max", level=6, office="Oslo", team="blue"),
    ):
        world.store.timers.pop((ROUND, SPRING), None)
        await world.hear(told)
        assert (ROUND, SPRING) in world.store.timers, told


async def test_what_an_erased_person_wished_for_is_gone(world: World) -> None:
    await world.hear(*everything(mentee={"choices": ["max"], "avoid": ["zoe"], "preferences": ["a sailor"]}))
    await world.hear(PersonErased(person_id="ann"), sequence=9)
    (mine,) = [each for each in world.store.all(ENROLMENT) if each.person_id == "ann"]
    assert (mine.choices, mine.avoid, mine.preferences) == ([], [], [])
    await world.hear(person("ann"), sequence=10)
    await world.hear(enrolment("ann", "mentee", avoid=["zoe"]), sequence=5)
    await world.hear(PersonErased(person_id="ann"), sequence=8)
    (mine,) = [each for each in world.store.all(ENROLMENT) if each.person_id == "ann"]
    assert mine.avoid == ["zoe"]  # a new employment; an old tombstone says nothing of it
