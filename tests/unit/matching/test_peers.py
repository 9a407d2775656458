"""One pool of peers: who is paired with whom, and that both have one place in it, whichever side they stand on."""

from datetime import timedelta
from typing import Any

import pytest

from services.matching import solver
from services.matching.commands import accept_proposal, decline_proposal, end_pair
from services.matching.domain.mentees import Place
from services.matching.domain.pairs import EndReason, Proposal, ProposalStatus, Requeue
from services.matching.engine import Configuration, Pool
from services.matching.solver_process import Result
from services.matching.store import MENTOR_LOAD
from services.matching.waking import MATCHING, ROUND
from shared.contracts.base import EventData
from shared.contracts.pairs import ProposalChanged, RelationshipEnded, RelationshipStarted
from shared.contracts.people import PersonErased
from tests.unit.matching.support import SPRING, World, enrolment, person, programme

OF_PEERS: dict[str, Any] = {"matching": {"form": "peer"}}


def people(*names: str, **more: Any) -> list[EventData]:
    """Peers who are alike, and would take nobody as a mentor."""
    told: list[EventData] = [programme(**OF_PEERS)]
    for name in names:
        told += [person(name, capacity=0, **more), enrolment(name, "mentee")]
    return told


def open_of(world: World, person_id: str) -> Proposal:
    (found,) = [
        each for each in world.proposals(ProposalStatus.OPEN) if person_id in (each.mentee_id, each.mentor_id)
    ]
    return found


async def paired(world: World, *names: str) -> str:
    """The two have become a pair; its id."""
    proposal = open_of(world, names[0])
    for name in names:
        await world.do(accept_proposal, proposal.proposal_id, name)
    (started,) = world.said(RelationshipStarted)
    return started.relationship_id


async def test_two_are_proposed_once_and_both_are_taken(world: World) -> None:
    await world.hear(*people("bob", "ann"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "bob")}
    assert {world.mentee(name).place for name in ("ann", "bob")} == {Place.PROPOSED}
    (said,) = world.said(ProposalChanged)
    assert said.peers
    assert world.store.all(MENTOR_LOAD) == []
    await paired(world, "bob", "ann")
    assert {world.mentee(name).place for name in ("ann", "bob")} == {Place.PAIRED}
    assert world.said(RelationshipStarted)[0].peers
    await world.wait(minutes=5)
    assert world.open_pairs() == set()


async def test_each_learns_from_the_other_whoever_stands_where(world: World) -> None:
    told = people("ann", "bob", "cem", "dan")
    told += [
        person("ann", capacity=0, skills_wanted={"law": 5}),
        person("dan", capacity=0, skills_offered={"law": 5}),
        person("bob", capacity=0, skills_offered={"talks": 5}),
        person("cem", capacity=0, skills_wanted={"talks": 5}),
    ]
    await world.hear(*told)
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "dan"), ("bob", "cem")}
    assert "One knows law, which the other wants to learn" in open_of(world, "ann").reasons
    assert "One knows talks, which the other wants to learn" in open_of(world, "bob").reasons


async def test_an_odd_one_waits_with_the_reason(world: World) -> None:
    await world.hear(*people("ann", "bob", "cem"))
    await world.wait(minutes=1)
    (left,) = {"ann", "bob", "cem"} - set(next(iter(world.open_pairs())))
    assert world.mentee(left).found == "all-full"
    await world.hear(person("dan", capacity=0), enrolment("dan", "mentee"))
    await world.wait(minutes=1)
    assert {left, "dan"} in [set(pair) for pair in world.open_pairs()]


async def test_levels_are_a_distance(world: World) -> None:
    await world.hear(*people("ann", level=3), *people("bob", level=5))
    await world.wait(minutes=1)
    assert world.open_pairs() == set()
    assert world.mentee("ann").found == "no-candidate"
    await world.hear(programme(matching={"form": "peer", "rules": {"peer_level_gap": 2}}))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "bob")}


@pytest.mark.parametrize("who", ["ann", "bob"])
async def test_who_declined_gets_somebody_else(world: World, who: str) -> None:
    await world.hear(*people("ann", "bob"))
    await world.wait(minutes=1)
    await world.do(decline_proposal, open_of(world, who).proposal_id, who)
    assert {world.mentee(name).place for name in ("ann", "bob")} == {Place.FREE}
    await world.wait(minutes=5)
    assert world.open_pairs() == set(), "they were proposed before"
    await world.hear(*people("cem"))
    await world.wait(minutes=1)
    assert len(world.open_pairs()) == 1
    assert world.open_pairs() != {("ann", "bob")}


async def test_whom_one_declined_as_a_peer_is_no_mentor_either(world: World) -> None:
    await world.hear(*people("ann", "bob", level=3))
    await world.wait(minutes=1)
    await world.do(decline_proposal, open_of(world, "ann").proposal_id, "bob")
    await world.hear(
        programme("autumn"),
        person("ann", level=6, capacity=1), enrolment("ann", "mentor", programme="autumn"),
        enrolment("bob", "mentee", programme="autumn"),
    )  # fmt: skip
    await world.wait(minutes=5)
    assert world.open_pairs() == set(), "ann, the lower id, would be the mentor here"
    assert world.mentee("bob", "autumn").found == "no-candidate"


async def test_it_ends_for_both(world: World) -> None:
    await world.hear(*people("ann", "bob"))
    await world.wait(minutes=1)
    pair = await paired(world, "ann", "bob")
    await world.do(end_pair, pair, EndReason.NO_FAULT)
    (ended,) = world.said(RelationshipEnded)
    assert (ended.peers, ended.requeue, ended.peer_requeue) == (True, "queued", "queued")
    for name in ("ann", "bob"):
        assert world.mentee(name).waits
        assert world.mentee(name).priority == 1
    assert (ROUND, SPRING) in world.store.timers


async def test_who_reached_the_goal_waits_again_after_enrolling_anew(world: World) -> None:
    await world.hear(*people("ann", "bob"))
    await world.wait(minutes=1)
    pair = await paired(world, "ann", "bob")
    await world.do(end_pair, pair, EndReason.COMPLETED)
    assert {world.mentee(name).place for name in ("ann", "bob")} == {Place.DONE}
    assert world.relationship().peer_requeue is Requeue.GOAL_REACHED
    await world.hear(enrolment("bob", "mentee", "withdrawn"), enrolment("bob", "mentee"))
    assert world.mentee("bob").waits
    assert not world.mentee("ann").waits


@pytest.mark.parametrize(("leaver", "other"), [("ann", "bob"), ("bob", "ann")])
@pytest.mark.parametrize("erased", [False, True])
async def test_who_leaves_is_gone_and_the_other_waits(
    world: World, leaver: str, other: str, erased: bool
) -> None:
    await world.hear(*people("ann", "bob"))
    await world.wait(minutes=1)
    await paired(world, "ann", "bob")
    if erased:
        await world.hear(PersonErased(person_id=leaver))
    else:
        await world.hear(person(leaver, capacity=0, status="left"), enrolment(leaver, "mentee", "withdrawn"))
    (ended,) = world.said(RelationshipEnded)
    became = {ended.mentee_id: ended.requeue, ended.mentor_id: ended.peer_requeue}
    assert became == {leaver: "mentee-not-enrolled" if erased else "mentee-left", other: "queued"}
    assert ended.leaver_ids == [leaver]
    assert world.mentee(other).waits
    assert not world.mentee(leaver).waits


@pytest.mark.parametrize(("who", "other"), [("ann", "bob"), ("bob", "ann")])
@pytest.mark.parametrize("change", ["left", "withdrawn", "consent", "avoid", "erased"])
async def test_an_open_proposal_is_withdrawn_from_either_side(
    world: World, who: str, other: str, change: str
) -> None:
    await world.hear(*people("ann", "bob"))
    await world.wait(minutes=1)
    await world.do(accept_proposal, open_of(world, who).proposal_id, who)
    told: EventData = {
        "left": person(who, capacity=0, status="left"),
        "withdrawn": enrolment(who, "mentee", "withdrawn"),
        "consent": person(who, capacity=0, matching_consent=False),
        "avoid": enrolment(who, "mentee", avoid=[other]),
        "erased": PersonErased(person_id=who),
    }[change]
    await world.hear(told)
    (proposal,) = world.proposals()
    assert proposal.status is ProposalStatus.WITHDRAWN
    assert world.mentee(other).waits
    assert world.mentee(who).waits == (change == "avoid")
    await world.wait(minutes=5)
    assert world.open_pairs() == set()


async def test_nobody_answers(world: World) -> None:
    await world.hear(*people("ann", "bob"))
    await world.wait(minutes=1)
    await world.do(accept_proposal, open_of(world, "bob").proposal_id, "bob")
    await world.wait(days=8)
    (proposal,) = world.proposals()
    assert proposal.status is ProposalStatus.EXPIRED
    assert world.mentee("ann").waits
    assert world.mentee("bob").waits


async def test_a_peer_uses_no_place_of_a_mentor(world: World) -> None:
    """bob has one place as a mentor elsewhere, and a peer here; ann has a mentor elsewhere, and a peer here."""
    await world.hear(
        *people("ann", "bob", level=4),
        person("bob", level=4, capacity=1),
        programme("autumn"),
        enrolment("bob", "mentor", programme="autumn"),
        person("zoe", level=2), enrolment("zoe", "mentee", programme="autumn"),
        enrolment("ann", "mentee", programme="autumn"),
        person("mia", level=8), enrolment("mia", "mentor", programme="autumn"),
    )  # fmt: skip
    await world.wait(minutes=1)
    assert {("ann", "bob"), ("zoe", "bob"), ("ann", "mia")} <= world.open_pairs()
    peers = next(each for each in world.proposals() if each.peers)
    led = next(each for each in world.proposals() if each.mentor_id == "bob" and not each.peers)
    for proposal, names in ((peers, ("ann", "bob")), (led, ("zoe", "bob"))):
        for name in names:
            await world.do(accept_proposal, proposal.proposal_id, name)
    assert world.load("bob").active == 1
    # Who takes nobody any more as a mentor keeps the peer, and the mentor's places are none of the peer's.
    await world.hear(person("bob", level=4, capacity=0))
    assert ("ann", "bob") in world.active()
    await world.hear(enrolment("bob", "mentor", "withdrawn", programme="autumn"))
    assert ("ann", "bob") in world.active()


async def test_a_mentor_who_pauses_elsewhere_keeps_the_proposed_peer(world: World) -> None:
    await world.hear(
        *people("ann", "bob", level=4),
        person("bob", level=4, capacity=2),
        programme("autumn"),
        enrolment("bob", "mentor", programme="autumn"),
        person("zoe", level=2), enrolment("zoe", "mentee", programme="autumn"),
    )  # fmt: skip
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "bob"), ("zoe", "bob")}
    await world.hear(enrolment("bob", "mentor", programme="autumn", paused=True))
    assert world.open_pairs() == {("ann", "bob")}
    await world.hear(person("bob", level=4, capacity=0))
    assert world.open_pairs() == {("ann", "bob")}


async def test_the_programme_may_be_heard_of_last(world: World) -> None:
    first, *others = people("ann", "bob")
    await world.hear(*reversed(others), first)
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "bob")}


async def round_now(world: World) -> None:
    await world._fire((ROUND, SPRING))
    matching = next(name for name in world.store.timers if name[0] == MATCHING)
    await world._fire(matching)


@pytest.fixture
def overtaken(world: World, monkeypatch: pytest.MonkeyPatch) -> list[EventData]:
    """What is heard between the look and the lock of the next rounds."""
    meanwhile: list[EventData] = []
    compute = solver.match

    async def slowly(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        result = await compute(pool, configuration, keep_alive)
        told, meanwhile[:] = list(meanwhile), []
        await world.hear(*told)
        return result

    monkeypatch.setattr(solver, "match", slowly)
    return meanwhile


@pytest.mark.parametrize("who", ["ann", "bob"])
@pytest.mark.parametrize("change", ["left", "withdrawn", "avoid", "changed"])
async def test_whoever_changed_since_the_look_is_not_proposed(
    world: World, overtaken: list[EventData], who: str, change: str
) -> None:
    other = {"ann": "bob", "bob": "ann"}[who]
    await world.hear(*people("ann", "bob"))
    overtaken.append(
        {
            "left": person(who, capacity=0, status="left"),
            "withdrawn": enrolment(who, "mentee", "withdrawn"),
            "avoid": enrolment(who, "mentee", avoid=[other]),
            "changed": person(who, capacity=0, interests=["chess"]),
        }[change]
    )
    world.now += timedelta(minutes=1)
    await round_now(world)
    assert world.proposals() == []
    assert (ROUND, SPRING) in world.store.timers
    await world.wait(minutes=1)
    assert world.open_pairs() == ({("ann", "bob")} if change == "changed" else set())


async def test_two_rounds_at_once_propose_everybody_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second round looks, computes and proposes while the first one computes, over other people as well."""
    await world.hear(*people("ann", "bob", "cem"))
    compute = solver.match

    async def slowly(pool: Pool, configuration: Configuration, keep_alive: Any, **_: Any) -> Result:
        result = await compute(pool, configuration, keep_alive)
        monkeypatch.setattr(solver, "match", compute)
        await world.hear(person("aaa", capacity=0), enrolment("aaa", "mentee"))
        await round_now(world)
        return result

    monkeypatch.setattr(solver, "match", slowly)
    world.now += timedelta(minutes=1)
    await round_now(world)
    taken = [name for pair in world.open_pairs() for name in pair]
    assert sorted(taken) == ["aaa", "ann", "bob", "cem"]
