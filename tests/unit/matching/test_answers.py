"""Yes, no, too late, and the places of the mentor; the end of a pair; sessions that are counted."""

from datetime import timedelta

import pytest

from services.matching import commands
from services.matching.domain.mentees import Found, Place
from services.matching.domain.pairs import EndReason, MentorLoad, Proposal
from services.matching.domain.people import Person
from services.matching.pairs import relationship_id_of
from services.matching.store import MENTOR_LOAD, PERSON
from shared.contracts.pairs import ProposalChanged, RelationshipStarted
from shared.contracts.sessions import SessionChanged
from shared.errors import Conflict, Forbidden, Invalid, NotYetKnown
from shared.messaging.handlers import Outcome
from tests.unit.matching.support import SPRING, World, enrolment, person, programme

accept, decline = commands.accept_proposal, commands.decline_proposal


@pytest.fixture
async def proposal(world: World) -> Proposal:
    await world.hear(
        programme(),
        person("ann"),
        enrolment("ann", "mentee"),
        person("max", level=6),
        enrolment("max", "mentor"),
    )
    await world.wait(minutes=1)
    return world.proposal_of("ann")


async def paired(world: World, proposal: Proposal) -> str:
    await world.do(accept, proposal.proposal_id, proposal.mentee_id)
    await world.do(accept, proposal.proposal_id, proposal.mentor_id)
    return relationship_id_of(proposal.proposal_id)


async def test_the_second_yes_starts_the_relationship(world: World, proposal: Proposal) -> None:
    await world.do(accept, proposal.proposal_id, "max")
    assert world.active() == set()
    await world.do(accept, proposal.proposal_id, "ann")
    assert world.active() == {("ann", "max")}

    said = [
        (each.status.value, each.mentor_accepted, each.mentee_accepted)
        for each in world.said(ProposalChanged)
    ]
    assert said == [("open", False, False), ("open", True, False), ("accepted", True, True)]
    (started,) = world.said(RelationshipStarted)
    assert started.relationship_id == relationship_id_of(proposal.proposal_id)
    assert (world.load("max"), world.mentee("ann").place) == (MentorLoad("max", 1, 0), Place.PAIRED)
    assert world.store.timers == {}


async def test_a_repeated_answer_has_the_same_result(world: World, proposal: Proposal) -> None:
    first = await world.do(accept, proposal.proposal_id, "max")
    assert await world.do(accept, proposal.proposal_id, "max") == first
    last = await world.do(accept, proposal.proposal_id, "ann")
    for participant in ("max", "ann"):
        assert await world.do(accept, proposal.proposal_id, participant) == last
    assert len(world.store.said) == 4


async def test_a_no_frees_the_place_and_the_pair_is_not_proposed_again(
    world: World, proposal: Proposal
) -> None:
    await world.hear(person("bob"), enrolment("bob", "mentee"))
    await world.wait(minutes=1)
    assert world.mentee("bob").found is Found.ALL_FULL
    await world.do(accept, proposal.proposal_id, "ann")
    closed = await world.do(decline, proposal.proposal_id, "max")
    assert await world.do(decline, proposal.proposal_id, "ann") == closed
    with pytest.raises(Conflict, match="can no longer be answered"):
        await world.do(accept, proposal.proposal_id, "max")
    await world.wait(minutes=1)
    assert world.open_pairs() == {("bob", "max")}
    assert world.mentee("ann").found is Found.NO_CANDIDATE


async def test_an_unanswered_proposal_expires(world: World, proposal: Proposal) -> None:
    await world.do(accept, proposal.proposal_id, "ann")
    world.now = proposal.expires_at
    with pytest.raises(Conflict) as refused:
        await world.do(accept, proposal.proposal_id, "max")
    assert refused.value.code == "proposal_closed"
    await world.wait(minutes=5)
    assert world.statuses() == ["open", "open", "expired"]
    assert (world.load("max").used, world.mentee("ann").found) == (0, Found.NO_CANDIDATE)


async def test_an_expiry_that_comes_after_the_answer_does_nothing(world: World, proposal: Proposal) -> None:
    await world.do(decline, proposal.proposal_id, "ann")
    world.now = proposal.expires_at
    async with world.uow() as uow:
        uow.set_timer("proposal-expiry", proposal.proposal_id, world.now)
    await world.wait(minutes=1)
    assert world.statuses() == ["open", "declined"]


async def test_only_the_two_can_answer(world: World, proposal: Proposal) -> None:
    with pytest.raises(Forbidden):
        await world.do(accept, proposal.proposal_id, "boss")
    for unknown in (accept, decline):
        with pytest.raises(NotYetKnown):
            await world.do(unknown, "nothing", "ann")


async def test_fewer_places_withdraw_what_is_too_many(world: World) -> None:
    names = ["ann", "bob", "cid"]
    await world.hear(programme(), person("max", level=6, capacity=3), enrolment("max", "mentor"))
    for name in names:
        await world.hear(person(name), enrolment(name, "mentee"))
    await world.wait(minutes=1)
    await paired(world, world.proposal_of("ann"))
    await world.do(accept, world.proposal_of("cid").proposal_id, "cid")
    await world.hear(person("max", level=6, capacity=2))
    assert world.open_pairs() == {("cid", "max")}
    await world.hear(person("max", level=6, capacity=0))
    assert (world.open_pairs(), world.active()) == (set(), {("ann", "max")})
    await world.wait(minutes=1)
    assert world.mentee("bob").found is Found.ALL_FULL


async def test_a_full_mentor_is_refused_at_the_last_yes(world: World, proposal: Proposal) -> None:
    known: Person = world.store.rows[PERSON.name][("max",)]
    world.store.add(MentorLoad("max", active=1, reserved=1))
    await world.do(accept, proposal.proposal_id, "ann")
    with pytest.raises(Conflict) as refused:
        await world.do(accept, proposal.proposal_id, "max")
    assert refused.value.code == "mentor_full"
    assert (known.mentor_capacity, world.active()) == (1, set())
    world.store.rows[MENTOR_LOAD.name][("max",)] = MentorLoad("max", 0, 1)


# the end of a pair


async def test_a_no_fault_end_queues_the_mentee_with_priority(world: World, proposal: Proposal) -> None:
    identity = await paired(world, proposal)
    await world.hear(
        person("zoe", level=6), enrolment("zoe", "mentor"), person("bob"), enrolment("bob", "mentee")
    )
    ended = await world.do(commands.end_pair, identity, EndReason.NO_FAULT)
    assert await world.do(commands.end_pair, identity, EndReason.NO_FAULT) == ended
    assert world.ends() == [("ann", "no-fault", [], "queued")]
    assert (world.mentee("ann").priority, world.load("max").used) == (1, 0)
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "zoe"), ("bob", "max")}


async def test_a_reached_goal_ends_the_search_until_a_new_enrolment(world: World, proposal: Proposal) -> None:
    identity = await paired(world, proposal)
    await world.do(commands.end_pair, identity, EndReason.COMPLETED)
    assert world.ends() == [("ann", "completed", [], "goal-reached")]
    assert world.mentee("ann").place is Place.DONE
    with pytest.raises(Conflict):
        await world.do(commands.end_pair, identity, EndReason.NO_FAULT)
    await world.hear(enrolment("ann", "mentee", "withdrawn"), enrolment("ann", "mentee"))
    assert world.mentee("ann").waits
    with pytest.raises(NotYetKnown):
        await world.do(commands.end_pair, "nothing", EndReason.COMPLETED)


async def test_a_freed_place_is_offered_in_every_programme_of_the_mentor(
    world: World, proposal: Proposal
) -> None:
    identity = await paired(world, proposal)
    await world.hear(programme("autumn"), enrolment("max", "mentor", programme="autumn"), person("bob"))
    await world.hear(enrolment("bob", "mentee", programme="autumn"))
    await world.wait(minutes=1)
    assert world.mentee("bob", "autumn").found is Found.ALL_FULL
    await world.do(commands.end_pair, identity, EndReason.COMPLETED)
    await world.wait(minutes=1)
    assert world.open_pairs() == {("bob", "max")}


# rounds on request, sessions


async def test_a_coordinator_need_not_wait(world: World) -> None:
    await world.hear(programme(matching_delay_minutes=600), person("ann"), enrolment("ann", "mentee"))
    await world.hear(person("max", level=6), enrolment("max", "mentor"))
    await world.do(commands.start_round, SPRING)
    await world.wait(seconds=0)
    assert world.open_pairs() == {("ann", "max")}


async def test_a_completed_session_counts_once(world: World, proposal: Proposal) -> None:
    identity = await paired(world, proposal)

    def session(status: str, session_id: str = "s1", hours: int = 0) -> SessionChanged:
        return SessionChanged(
            session_id=session_id, relationship_id=identity, programme_id=SPRING, mentor_id="max", mentee_id="ann",
            status=status, starts_at=world.now + timedelta(hours=hours), minutes=60,
        )  # fmt: skip

    await world.hear(session("booked"), session("completed"))
    assert await world.hear(session("completed")) is Outcome.STALE
    await world.hear(session("completed", "s0", hours=-30))
    pair = world.relationship()
    assert (pair.sessions_completed, pair.last_session_at, pair.version) == (2, world.now, 1)

    unknown = session("completed", "s3").model_copy(update={"relationship_id": "other"})
    with pytest.raises(Invalid):
        await world.hear(unknown)
