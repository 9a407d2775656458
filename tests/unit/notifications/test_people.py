"""Contacts: known late, left, erased; and what people have opted out of."""

import pytest

from services.notifications.commands import choose, preference_of
from services.notifications.domain.messages import State
from services.notifications.domain.people import ContactState
from services.notifications.store import CONTACT, PREFERENCE
from shared.contracts.erasure import ErasureConfirmed
from shared.contracts.messages import NotificationChanged, NotificationStatus
from shared.contracts.pairs import EndReason
from shared.contracts.people import PersonStatus
from shared.messaging.handlers import Outcome
from tests.support.memory import NOW, MemoryStore
from tests.unit.notifications.support import (
    DAY,
    MENTEE,
    MENTOR,
    ended,
    erased,
    fire_due,
    hear,
    messages,
    person,
    proposal,
    request,
    session,
    started,
    told,
    with_people,
    world,
)


async def opt_out(store: MemoryStore, **choice: bool) -> None:
    values = {"email_enabled": True, "session_reminders": True, "feedback_reminders": True} | choice
    async with store.uow() as uow:
        await choose(uow, MENTEE, **values)


def heard_by_others(store: MemoryStore) -> list[NotificationChanged]:
    return [said for said in store.said if isinstance(said, NotificationChanged)]


async def test_a_message_waits_for_its_recipient_and_is_queued_once_when_the_person_comes() -> None:
    store = world()
    await hear(store, person(MENTOR))
    await hear(store, proposal())
    assert told(store, "proposal") == {MENTOR: "queued", MENTEE: "waiting"}
    assert [said.status for said in heard_by_others(store)] == [NotificationStatus.QUEUED]

    await hear(store, person(MENTEE))
    await hear(store, person(MENTEE, given_name="New"), 2)
    assert told(store, "proposal") == {MENTOR: "queued", MENTEE: "queued"}
    assert len(store.said) == 2
    assert set(store.versions) == {1}


async def test_what_is_said_later_keeps_the_story_of_the_occasion() -> None:
    store = world()
    await hear(store, proposal())
    await hear(store, person(MENTEE))
    (waited,) = (n for n in messages(store) if n.recipient_id == MENTEE)
    assert waited.correlation_id == "correlation-1"
    assert waited.causation_id == "mentoring.proposal.changed.v1:proposal-1:1"


async def test_a_person_who_turns_out_to_have_left_is_not_written_to() -> None:
    store = world()
    await hear(store, proposal())
    await hear(store, person(MENTEE, status=PersonStatus.LEFT), 4)
    assert told(store, "proposal")[MENTEE] == "suppressed: recipient-left"


async def test_an_older_person_is_stale() -> None:
    store = world()
    await hear(store, person(MENTEE, given_name="New"), 2)
    assert await hear(store, person(MENTEE, given_name="Old"), 1) is Outcome.STALE
    (contact,) = store.all(CONTACT)
    assert contact.given_name == "New"


async def test_who_comes_back_is_written_to_again() -> None:
    store = await with_people()
    await hear(store, person(MENTEE, status=PersonStatus.LEFT), 2)
    await hear(store, person(MENTEE, spell=2), 3)
    await hear(store, proposal())
    assert told(store, "proposal")[MENTEE] == "queued"


async def test_erasure_forgets_everything_personal_and_stops_what_is_under_way() -> None:
    store = await with_people()
    await opt_out(store, session_reminders=False)
    await hear(store, proposal())
    await hear(store, erased(MENTEE), 2)
    contact = store.rows["contact"][(MENTEE,)]
    assert contact.state is ContactState.ERASED
    assert (contact.given_name, contact.email, contact.time_zone) == (None, None, None)
    assert store.all(PREFERENCE) == []
    assert told(store, "proposal") == {MENTOR: "queued", MENTEE: "suppressed: recipient-erased"}
    (receipt,) = (said for said in store.said if isinstance(said, ErasureConfirmed))
    assert (receipt.service, receipt.person_version) == ("notifications", 2)
    assert receipt.counts == {"contacts": 1, "preferences": 1, "messages-cancelled": 1}
    mine = [said for said in heard_by_others(store) if said.recipient_id == MENTEE]
    assert [said.status for said in mine] == [NotificationStatus.QUEUED, NotificationStatus.SUPPRESSED]

    await hear(store, started())
    assert told(store, "pair-started")[MENTEE] == "suppressed: recipient-erased"


async def test_erasure_takes_the_persons_words_out_of_mails_to_others() -> None:
    store = await with_people()
    await hear(store, proposal(reasons=["Offers Basket weaving, which the mentee wants to learn"]))
    await hear(store, erased(MENTEE), 2)
    (waiting,) = [each for each in messages(store) if each.recipient_id == MENTOR]
    assert (waiting.state, waiting.facts["reasons"]) == (State.QUEUED, [])
    assert "expires_at" in waiting.facts


async def test_who_is_erased_is_not_told_that_the_pair_has_ended() -> None:
    store = await with_people()
    await hear(store, ended(EndReason.WITHDRAWN, leaver_ids=[MENTOR]))
    assert told(store, "pair-ended") == {MENTEE: "queued"}


async def test_erasure_of_somebody_only_spoken_of_leaves_nothing_waiting() -> None:
    store = world()
    await hear(store, proposal())
    await hear(store, erased(MENTEE), 3)
    assert told(store, "proposal") == {MENTOR: "waiting", MENTEE: "suppressed: recipient-erased"}
    assert await hear(store, person(MENTEE), 2) is Outcome.STALE


async def test_opting_out_of_mail_suppresses_all_but_proposals_and_ends() -> None:
    store = await with_people()
    await opt_out(store, email_enabled=False)
    for data in (proposal(), started(), session(), request(), ended(EndReason.NO_FAULT)):
        await hear(store, data)
    mine = {n.template: n.state for n in messages(store) if n.recipient_id == MENTEE}
    assert mine == {
        "proposal": State.QUEUED,
        "pair-started": State.SUPPRESSED,
        "session-booked": State.SUPPRESSED,
        "feedback-request": State.SUPPRESSED,
        "pair-ended": State.QUEUED,
    }
    assert {n.reason for n in messages(store) if n.state is State.SUPPRESSED} == {"preference"}


@pytest.mark.parametrize(
    ("choice", "reminded"),
    [
        (
            {"session_reminders": False},
            {"session-reminder": "suppressed: preference", "feedback-reminder": "queued"},
        ),
        (
            {"feedback_reminders": False},
            {"session-reminder": "queued", "feedback-reminder": "suppressed: preference"},
        ),
    ],
)
async def test_reminders_can_be_opted_out_of_by_group(
    choice: dict[str, bool], reminded: dict[str, str]
) -> None:
    store = await with_people()
    await opt_out(store, **choice)
    await hear(store, session())
    await hear(store, request())
    await fire_due(store, NOW + 2 * DAY)
    await fire_due(store, NOW + 3 * DAY)
    assert {t: told(store, t)[MENTEE] for t in reminded} == reminded
    assert told(store, "session-booked")[MENTEE] == "queued"


async def test_without_a_choice_everything_is_on_and_choosing_again_changes_nothing() -> None:
    store = world()
    async with store.uow() as uow:
        assert (await preference_of(uow, MENTEE)).email_enabled
    for _ in range(2):
        await opt_out(store, email_enabled=False)
    (preference,) = store.all(PREFERENCE)
    assert (preference.email_enabled, preference.session_reminders) == (False, True)
