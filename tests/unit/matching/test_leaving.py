"""Leaving, erasure and withdrawal: by two topics in any order, once for each spell."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from services.matching import commands
from services.matching.domain.mentees import Place, Standing
from services.matching.domain.pairs import EndReason
from services.matching.domain.people import Person, PersonStatus
from services.matching.handlers import handlers
from services.matching.store import PERSON
from shared.contracts.base import EventData
from shared.contracts.erasure import ErasureConfirmed
from shared.contracts.pairs import ProposalChanged
from shared.contracts.people import PersonChanged, PersonErased
from shared.messaging.handlers import Outcome
from shared.persistence.kinds import Key, Kind
from tests.support.memory import MemoryUow, event
from tests.unit.matching.support import World, enrolment, memory, person, programme


async def pair(world: World) -> None:
    """Ann and Max are a pair, and Zoe has a place."""
    await world.hear(
        programme(),
        person("ann"),
        enrolment("ann", "mentee"),
        person("max", level=6),
        enrolment("max", "mentor"),
    )
    await world.wait(minutes=1)
    proposal_id = world.proposal_of("ann").proposal_id
    for participant in ("ann", "max"):
        await world.do(commands.accept_proposal, proposal_id, participant)
    await world.hear(person("zoe", level=6), enrolment("zoe", "mentor"))
    await world.wait(minutes=1)


def left(name: str, spell: int = 1) -> EventData:
    return person(name, level=6 if name == "max" else 3, status="left", spell=spell)


async def test_a_mentor_who_leaves_ends_the_pair_and_the_mentee_waits(world: World) -> None:
    await pair(world)
    await world.hear(left("max"))
    assert world.ends() == [("ann", "left", ["max"], "queued")]
    assert (world.load("max").used, world.mentee("ann").priority) == (0, 1)
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "zoe")}


async def test_a_mentee_who_leaves_frees_the_place(world: World) -> None:
    await pair(world)
    await world.hear(left("ann"))
    assert world.ends() == [("ann", "left", ["ann"], "mentee-left")]
    assert (world.load("max").used, world.mentee("ann").waits) == (0, False)


@pytest.mark.parametrize(
    ("name", "role", "end"),
    [
        ("ann", "mentee", ("ann", "left", ["ann"], "mentee-left")),
        ("max", "mentor", ("ann", "left", ["max"], "queued")),
    ],
)
async def test_leaving_is_told_by_two_topics_in_any_order(
    name: str, role: str, end: tuple[str, str, list[str], str]
) -> None:
    finals = []
    for order in permutations([left(name), enrolment(name, role, "withdrawn")]):
        with memory(World()) as world:
            await pair(world)
            await world.hear(*order)
            await world.wait(minutes=5)
            world.check()
            assert world.ends() == [end]
            finals.append((world.store.rows, world.open_pairs(), world.statuses()))
    assert finals[0] == finals[1]


async def test_both_leave_and_everything_ends_once_in_any_order() -> None:
    told = [
        left("ann"),
        left("max"),
        enrolment("ann", "mentee", "withdrawn"),
        enrolment("max", "mentor", "withdrawn"),
    ]
    for order in permutations(told):
        with memory(World()) as world:
            await pair(world)
            await world.hear(*order)
            await world.wait(minutes=5)
            world.check()
            ((_, reason, leavers, requeue),) = world.ends()
            first = next(data.subject for data in order if data in told[:2])
            assert (reason, leavers) == ("left", [first])
            assert requeue in ("mentee-left", "queued", "mentee-not-enrolled")
            assert (requeue == "mentee-left") == (first == "ann")
            assert not world.mentee("ann").waits
            assert (world.open_pairs(), world.load("max").used) == (set(), 0)


async def test_an_open_proposal_is_withdrawn_in_any_order() -> None:
    for name, role in (("ann", "mentee"), ("max", "mentor")):
        for order in permutations([left(name), enrolment(name, role, "withdrawn")]):
            with memory(World()) as world:
                await world.hear(
                    programme(), person("ann"), enrolment("ann", "mentee"),
                    person("max", level=6), enrolment("max", "mentor"),
                )  # fmt: skip
                await world.wait(minutes=1)
                await world.hear(*order)
                await world.wait(minutes=5)
                world.check()
                assert world.statuses() == ["open", "withdrawn"]
                assert world.mentee("ann").waits == (name == "max")


async def test_a_withdrawal_alone_leaves_the_pair_to_the_two(world: World) -> None:
    await pair(world)
    await world.hear(enrolment("ann", "mentee", "withdrawn"))
    assert world.active() == {("ann", "max")}
    await world.do(commands.end_pair, world.relationship().relationship_id, EndReason.NO_FAULT)
    assert world.ends() == [("ann", "no-fault", [], "mentee-not-enrolled")]
    await world.hear(enrolment("ann", "mentee"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "zoe")}


async def test_a_missed_leaving_is_seen_in_the_next_spell(world: World) -> None:
    await pair(world)
    await world.hear(person("max", level=6, spell=2), sequence=9)
    assert world.ends() == [("ann", "left", ["max"], "queued")]


async def test_an_old_leaving_heard_late_does_not_end_the_pair_of_a_new_spell(world: World) -> None:
    await pair(world)
    await world.hear(person("ann", spell=2), sequence=9)
    assert world.ends() == [("ann", "left", ["ann"], "mentee-left")]
    await world.wait(minutes=1)
    proposal = world.proposal_of("ann")
    for participant in ("ann", proposal.mentor_id):
        await world.do(commands.accept_proposal, proposal.proposal_id, participant)
    assert await world.hear(left("ann"), sequence=8) is Outcome.STALE
    assert len(world.active()) == 1
    await world.hear(left("ann", spell=2), sequence=10)
    assert world.active() == set()


async def test_who_is_back_can_be_matched_after_enrolling_anew(world: World) -> None:
    await pair(world)
    await world.hear(left("ann"), enrolment("ann", "mentee", "withdrawn"), person("ann", spell=2))
    assert world.mentee("ann").standing is Standing.NOT_ENROLLED
    await world.hear(enrolment("ann", "mentee"))
    await world.wait(minutes=1)
    assert world.open_pairs() == {("ann", "zoe")}


async def test_erasure_ends_pairs_and_leaves_ids_only(world: World) -> None:
    await pair(world)
    await world.hear(PersonErased(person_id="ann"))
    assert world.ends() == [("ann", "withdrawn", ["ann"], "mentee-not-enrolled")]
    (receipt,) = world.said(ErasureConfirmed)
    assert (receipt.service, receipt.person_version) == ("matching", 2)
    assert receipt.counts == {"people": 1, "pairs-ended": 1, "reasons": 1}
    empty = Person("ann", version=2, status=PersonStatus.ERASED)
    assert world.store.rows[PERSON.name][("ann",)] == empty
    assert [each.reasons for each in world.proposals()] == [[]]
    assert world.mentee("ann").place is Place.FREE
    assert await world.hear(person("ann"), sequence=1) is Outcome.STALE
    assert await world.hear(left("ann"), sequence=1) is Outcome.STALE
    assert world.store.rows[PERSON.name][("ann",)] == empty


async def test_the_partner_of_somebody_erased_waits_again_and_hears_no_reason(world: World) -> None:
    await pair(world)
    await world.hear(PersonErased(person_id="max"))
    assert world.ends() == [("ann", "withdrawn", ["max"], "queued")]
    assert world.mentee("ann").waits


async def test_erasure_ends_proposals_without_repeating_their_reasons(world: World) -> None:
    await world.hear(
        programme(), person("ann"), enrolment("ann", "mentee"),
        person("max", level=6), enrolment("max", "mentor"),
    )  # fmt: skip
    await world.wait(minutes=1)
    (opened,) = world.said(ProposalChanged)
    assert opened.reasons
    await world.hear(PersonErased(person_id="max"))
    withdrawn = world.said(ProposalChanged)[-1]
    assert (withdrawn.status, withdrawn.reasons) == ("withdrawn", [])
    (receipt,) = world.said(ErasureConfirmed)
    assert receipt.counts == {"people": 1, "proposals-withdrawn": 1, "reasons": 1}


async def test_a_repeated_tombstone_is_answered_again_and_finds_what_was_written_meanwhile(
    world: World,
) -> None:
    await pair(world)
    await world.hear(PersonErased(person_id="ann"), sequence=5)
    (proposal,) = world.proposals()
    world.store.add(replace(proposal, reasons=["Offers something"]))
    await world.hear(PersonErased(person_id="ann"), sequence=6)
    assert [each.reasons for each in world.proposals()] == [[]]
    receipts = world.said(ErasureConfirmed)
    assert [each.person_version for each in receipts] == [5, 6]
    assert receipts[-1].counts["reasons"] == 2
    assert await world.hear(PersonErased(person_id="ann"), sequence=6) is Outcome.STALE
    assert len(world.said(ErasureConfirmed)) == 2


async def test_an_erasure_that_comes_before_all_else_keeps_old_events_out(world: World) -> None:
    await world.hear(PersonErased(person_id="ann"), sequence=5)
    assert await world.hear(person("ann"), sequence=4) is Outcome.STALE
    await world.hear(enrolment("ann", "mentee"), programme())
    await world.wait(minutes=1)
    assert world.mentee("ann").standing is Standing.LEFT
    assert await world.hear(PersonErased(person_id="ann"), sequence=5) is Outcome.STALE


async def test_who_comes_back_after_an_erasure_can_leave_again(world: World) -> None:
    await pair(world)
    await world.hear(left("max"), PersonErased(person_id="max"), person("max", level=6, capacity=2))
    await world.hear(person("bob"), enrolment("bob", "mentee"), enrolment("max", "mentor"))
    await world.wait(minutes=1)
    assert len(world.open_pairs()) == 2
    await world.hear(left("max"))
    assert {mentor for _, mentor in world.open_pairs()} <= {"zoe"}


async def test_what_hangs_on_leavers_is_loaded_for_all_of_them_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair(world)
    handling = handlers.events[PersonChanged.TYPE]
    assert handling.needs is not None
    assert handling.prepare is not None
    heard = [event(left(name), sequence=9, at=world.now) for name in ("ann", "max")]
    async with world.uow() as uow:
        await uow.prefetch(wanted for each in heard for wanted in handling.needs(each))
        await handling.prepare(heard, uow)
        later: list[str] = []
        load = MemoryUow._load_keys

        async def watched(self: MemoryUow, kind: Kind[Any], keys: Sequence[Key]) -> None:
            later.append(kind.name)
            await load(self, kind, keys)

        monkeypatch.setattr(MemoryUow, "_load_keys", watched)
        for each in heard:
            await handling.handle(each, uow)
    assert world.ends() == [("ann", "left", ["ann"], "mentee-left")]
    assert later == ["programme"]  # once, whoever leaves: it is woken
