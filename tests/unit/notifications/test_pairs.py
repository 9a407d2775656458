"""Proposals, and pairs that start and end."""

import pytest

from services.notifications.domain.messages import Role
from shared.contracts.pairs import EndReason, ProposalStatus, Requeue
from tests.support.memory import NOW
from tests.unit.notifications.support import (
    DAY,
    MENTEE,
    MENTOR,
    ended,
    hear,
    messages,
    proposal,
    started,
    told,
    with_people,
)


async def test_an_open_proposal_is_told_to_both_exactly_once() -> None:
    store = await with_people()
    await hear(store, proposal())
    await hear(store, proposal())
    await hear(store, proposal(mentor_accepted=True), 2)
    assert told(store, "proposal") == {MENTOR: "queued", MENTEE: "queued"}
    assert len(store.said) == 2


@pytest.mark.parametrize("status", [s for s in ProposalStatus if s is not ProposalStatus.OPEN])
async def test_a_settled_proposal_tells_nothing(status: ProposalStatus) -> None:
    store = await with_people()
    await hear(store, proposal(status), 2)
    assert messages(store) == []


async def test_a_proposal_that_nobody_can_answer_any_more_is_recorded_and_not_sent() -> None:
    store = await with_people()
    await hear(store, proposal(expires_at=NOW), now=NOW + DAY)
    assert set(told(store, "proposal").values()) == {"suppressed: overtaken"}


async def test_both_are_told_that_they_are_a_pair_with_the_other_as_partner() -> None:
    store = await with_people()
    await hear(store, started())
    sides = {n.recipient_id: (n.role, n.partner_id) for n in messages(store, "pair-started")}
    assert sides == {MENTOR: (Role.MENTOR, MENTEE), MENTEE: (Role.MENTEE, MENTOR)}


async def test_who_left_is_not_told_that_the_pair_has_ended() -> None:
    store = await with_people()
    await hear(store, ended(EndReason.LEFT, leaver_ids=[MENTOR]))
    assert told(store, "pair-ended") == {MENTEE: "queued"}


async def test_when_both_left_nobody_is_told() -> None:
    store = await with_people()
    await hear(store, ended(EndReason.LEFT, leaver_ids=[MENTOR, MENTEE], requeue=Requeue.MENTEE_LEFT))
    assert messages(store) == []


async def test_with_any_other_reason_both_are_told() -> None:
    store = await with_people()
    await hear(store, ended(EndReason.NO_FAULT))
    assert told(store, "pair-ended") == {MENTOR: "queued", MENTEE: "queued"}


async def test_each_of_two_peers_reads_what_became_of_themselves() -> None:
    store = await with_people()
    await hear(store, proposal(peers=True))
    more = {"peers": True, "requeue": Requeue.QUEUED, "peer_requeue": Requeue.MENTEE_NOT_ENROLLED}
    await hear(store, ended(EndReason.NO_FAULT, **more))
    assert {each.role for each in messages(store)} == {Role.PEER}
    became = {n.recipient_id: n.facts["requeue"] for n in messages(store) if n.template == "pair-ended"}
    assert became == {MENTEE: "queued", MENTOR: "mentee-not-enrolled"}


async def test_a_start_that_comes_after_its_end_is_recorded_and_not_sent() -> None:
    store = await with_people()
    await hear(store, ended(EndReason.LEFT, leaver_ids=[MENTOR]), 2)
    await hear(store, started(), 1)
    assert set(told(store, "pair-started").values()) == {"suppressed: overtaken"}
    assert told(store, "pair-ended") == {MENTEE: "queued"}


async def test_nothing_personal_is_in_a_message_or_in_what_is_said() -> None:
    store = await with_people()
    await hear(store, proposal(reasons=["same interests"]))
    await hear(store, ended(EndReason.NO_FAULT))
    for text in [repr(n) for n in messages(store)] + [said.model_dump_json() for said in store.said]:
        assert "example.org" not in text
        assert "Ada" not in text
