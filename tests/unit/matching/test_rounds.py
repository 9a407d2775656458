"""Into the pool by three topics in any order; rounds that wait, join, and leave a reason."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from services.matching import rounds, solver
from services.matching.domain.mentees import Found, Place, Standing
from services.matching.domain.pairs import ProposalStatus
from services.matching.engine import Configuration, Pool
from services.matching.proposing import proposal_id_of
from services.matching.solver_process import Result
from services.matching.store import PERSON, PROGRAMME
from services.matching.waking import ROUND
from shared.contracts.base import EventData
from shared.contracts.pairs import ProposalChanged
from shared.messaging.handlers import Outcome
from tests.support.memory import NOW
from tests.unit.matching.support import SPRING, World, enrolment, memory, person, programme


def everything() -> list[EventData]:
    return [
        programme(),
        person("ann"), enrolment("ann", "mentee"),
        person("max", level=6), enrolment("max", "mentor"),
    ]  # fmt: skip


async def test_a_mentee_and_a_mentor_are_proposed_to_each_other(world: World) -> None:
    await world.hear(*everything())
    await world.wait(seconds=59)
    assert world.open_pairs() == set()
    await world.wait(seconds=1)

    proposal = world.proposal_of("ann")
    assert (proposal.mentor_id, proposal.version, proposal.attempt) == ("max", 1, 1)
    assert proposal.proposal_id == proposal_id_of(SPRING, "ann", "max", 1)
    assert proposal.expires_at == world.now + timedelta(days=7)
    (said,) = world.said(ProposalChanged)
    assert said.expires_at == proposal.expires_at
    assert said.reasons == proposal.reasons
    assert (world.load("max").reserved, world.mentee("ann").place) == (1, Place.PROPOSED)


async def test_the_order_of_topics_does_not_matter() -> None:
    outcomes = set()
    for order in permutations(everything()):
        with memory(World()) as world:
            await world.hear(*order)
            await world.wait(minutes=1)
            world.check()
            proposal = world.proposal_of("ann")
            outcomes.add(repr((proposal, world.mentee("ann"), world.load("max"), len(world.store.timers))))
    assert len(outcomes) == 1


async def test_repeated_and_old_events_change_nothing(world: World) -> None:
    await world.hear(*everything())
    await world.wait(minutes=1)
    rows, said = {name: dict(table) for name, table in world.store.rows.items()}, len(world.store.said)
    for data in everything():
        assert await world.hear(data, sequence=1) is Outcome.STALE
    assert (rows, said) == (world.store.rows, len(world.store.said))


async def test_who_comes_meanwhile_joins_the_same_round(world: World) -> None:
    await world.hear(*everything(), person("zoe", level=6), enrolment("zoe", "mentor"))
    await world.wait(seconds=50)
    await world.hear(person("bob"), enrolment("bob", "mentee"))
    assert world.store.timers[ROUND, SPRING].due == NOW + timedelta(minutes=1)
    await world.wait(seconds=10)
    assert {mentee for mentee, _ in world.open_pairs()} == {"ann", "bob"}


async def test_consent_is_needed(world: World) -> None:
    await world.hear(*everything()[1:], programme(), person("ann", matching_consent=False))
    await world.wait(minutes=1)
    assert world.open_pairs() == set()
    assert world.mentee("ann").standing is Standing.NO_CONSENT
    await world.hear(person("ann"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}


async def test_a_withdrawn_consent_withdraws_what_is_proposed(world: World) -> None:
    await world.hear(*everything())
    await world.wait(minutes=1)
    await world.hear(person("max", level=6, matching_consent=False))
    await world.wait(minutes=1)
    assert world.statuses() == ["open", "withdrawn"]
    assert world.mentee("ann").found is Found.NO_CANDIDATE
    await world.hear(person("max", level=6))
    await world.wait(minutes=1)
    assert (world.proposal_of("ann").attempt, world.statuses()) == (2, ["open", "withdrawn", "open"])


async def test_who_finds_nobody_waits_with_a_reason_until_the_pool_changes(world: World) -> None:
    await world.hear(programme(), person("ann"), enrolment("ann", "mentee"))
    await world.wait(minutes=1)
    waiting = world.mentee("ann")
    assert (waiting.found, waiting.since, waiting.waits) == (Found.NO_CANDIDATE, NOW.date(), True)
    assert world.store.timers == {}
    await world.wait(days=2)

    await world.hear(person("max", level=3), enrolment("max", "mentor"))
    await world.wait(minutes=1)
    assert world.open_pairs() == set()
    await world.hear(person("max", level=4))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}
    assert world.mentee("ann").since == NOW.date()


async def test_full_mentors_are_another_reason(world: World) -> None:
    await world.hear(*everything(), person("bob"), enrolment("bob", "mentee"))
    await world.wait(minutes=1)
    ((lucky, _),) = world.open_pairs()
    (unlucky,) = {"ann", "bob"} - {lucky}
    assert world.mentee(unlucky).found is Found.ALL_FULL


async def test_what_does_not_matter_for_matching_wakes_nobody(world: World) -> None:
    await world.hear(programme(), person("ann"), enrolment("ann", "mentee"))
    await world.wait(minutes=1)
    await world.hear(person("ann", given_name="Anna", email="anna@example.org", job_title="Smith"))
    assert world.store.timers == {}


async def test_capacity_counts_over_all_programmes(world: World) -> None:
    await world.hear(*everything(), programme("autumn"))
    await world.hear(enrolment("max", "mentor", programme="autumn"), person("bob"))
    await world.hear(enrolment("bob", "mentee", programme="autumn"))
    await world.wait(minutes=1)
    assert len(world.open_pairs()) == 1
    assert world.load("max").reserved == 1


async def test_one_person_may_be_mentee_and_mentor_but_not_of_themselves(world: World) -> None:
    await world.hear(*everything(), enrolment("max", "mentee"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}
    assert world.mentee("max").found is Found.NO_CANDIDATE


async def test_an_inactive_programme_has_no_rounds(world: World) -> None:
    await world.hear(*everything()[1:], programme(active=False))
    await world.wait(days=1)
    assert world.open_pairs() == set()
    await world.hear(programme())
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "max")}


async def test_a_manager_above_is_no_mentor_even_if_not_enrolled_between(world: World) -> None:
    await world.hear(*everything(), person("mid", manager_id="max"), person("ann", manager_id="mid"))
    await world.wait(minutes=1)
    assert world.mentee("ann").found is Found.NO_CANDIDATE


@pytest.mark.parametrize(
    "meanwhile",
    [
        person("ann", job_level=9),
        person("max", level=6, status="left"),
        person("max", level=6, mentor_capacity=0),
        enrolment("max", "mentor", "withdrawn"),
        enrolment("ann", "mentee", "withdrawn"),
        programme(active=False),
    ],
    ids=lambda data: f"{data.subject} {type(data).__name__}",
)
async def test_what_changes_while_a_round_computes_is_not_proposed(
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
    assert ((ROUND, SPRING) in world.store.timers) == (meanwhile.subject != SPRING)


async def test_two_rounds_at_once_propose_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compute, again = solver.match, True

    async def interrupted(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        nonlocal again
        result = await compute(pool, configuration, keep_alive)
        if again:
            again = False
            await world.do(rounds.run_round, SPRING)
        return result

    await world.hear(*everything())
    monkeypatch.setattr(solver, "match", interrupted)
    await world.do(rounds.run_round, SPRING)
    assert len(world.proposals(ProposalStatus.OPEN)) == 1
    assert world.statuses() == ["open"]


async def test_a_place_taken_in_another_programme_meanwhile_is_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, again = solver.match, True

    async def overtaken(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        nonlocal again
        result = await compute(pool, configuration, keep_alive)
        if again:
            again = False
            await world.do(rounds.run_round, "autumn")
        return result

    await world.hear(*everything(), programme("autumn"), enrolment("max", "mentor", programme="autumn"))
    await world.hear(person("bob"), enrolment("bob", "mentee", programme="autumn"))
    monkeypatch.setattr(solver, "match", overtaken)
    await world.do(rounds.run_round, SPRING)
    assert world.open_pairs() == {("bob", "max")}
    await world.wait(minutes=2)
    assert world.mentee("ann").found is Found.ALL_FULL


async def test_what_is_not_known_yet_is_a_row_to_meet_at(world: World) -> None:
    await world.hear(enrolment("ann", "mentee"))
    stub = world.store.rows[PERSON.name][("ann",)]
    assert (stub.version, world.mentee("ann").standing) == (0, Standing.UNKNOWN)
    await world.hear(person("ann"))
    assert world.store.rows[PROGRAMME.name][(SPRING,)].version == 0
    assert world.store.timers == {}
    await world.hear(programme())
    assert (ROUND, SPRING) in world.store.timers


FAIR: dict[str, Any] = {"experience": 0, "overlap": 0}


@pytest.mark.parametrize("loss", [0.0, 0.3])
async def test_a_round_raises_the_lowest_score_as_the_programme_asks(world: World, loss: float) -> None:
    """ann has 15,000 with m and 6,000 with n; bob 9,000 with m, and 600 with n."""
    await world.hear(
        programme(matching={"weights": FAIR, "fairness_loss": loss}),
        person("ann", skills_wanted={"law": 5, "art": 5}), enrolment("ann", "mentee"),
        person("bob", skills_wanted={"law": 3, "oil": 1}), enrolment("bob", "mentee"),
        person("m", level=6, skills_offered={"law": 5}), enrolment("m", "mentor"),
        person("n", level=6, skills_offered={"art": 2, "oil": 1}), enrolment("n", "mentor"),
    )  # fmt: skip
    await world.wait(minutes=1)
    scores = sorted(each.score for each in world.proposals())
    assert scores == ([600, 15_000] if loss == 0 else [6_000, 9_000])
