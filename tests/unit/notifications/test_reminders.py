"""Sessions, requests for feedback, and their reminders."""

from datetime import timedelta

from services.notifications.store import OPEN_REQUEST, SESSION_PLAN
from shared.contracts.sessions import FeedbackStatus, SessionStatus
from shared.messaging.handlers import Outcome
from tests.support.memory import NOW
from tests.unit.notifications.support import (
    DAY,
    MENTEE,
    MENTOR,
    fire_due,
    hear,
    messages,
    person,
    programme,
    request,
    session,
    told,
    with_people,
    world,
)

SESSION = ("session-reminder", "session-1")
FEEDBACK = ("feedback-reminder", "request-1")
START = NOW + 3 * DAY
BOTH_QUEUED = {MENTOR: "queued", MENTEE: "queued"}


async def test_a_booked_session_is_told_and_both_are_reminded_a_day_before() -> None:
    store = await with_people()
    await hear(store, session(START))
    assert told(store, "session-booked") == BOTH_QUEUED
    assert store.timers[SESSION].due == START - DAY
    assert await fire_due(store, START - DAY - timedelta(seconds=1)) == 0
    await fire_due(store, START - DAY)
    assert told(store, "session-reminder") == BOTH_QUEUED
    assert store.all(SESSION_PLAN)[0].reminder_at is None


async def test_late_joiners_get_no_past_due_reminder() -> None:
    store = await with_people()
    await hear(store, session(NOW + DAY))
    assert store.timers == {}
    assert messages(store, "session-reminder") == []


async def test_whether_it_is_too_late_depends_on_the_booking_and_not_on_when_we_hear_of_it() -> None:
    store = await with_people()
    await hear(store, session(START), now=START - timedelta(hours=1))
    await fire_due(store, START - timedelta(hours=1))
    assert told(store, "session-reminder") == BOTH_QUEUED


async def test_a_reminder_that_could_only_come_after_the_start_is_recorded_and_not_sent() -> None:
    store = await with_people()
    await hear(store, session(START))
    await fire_due(store, START)
    assert set(told(store, "session-reminder").values()) == {"suppressed: too-late"}


async def test_a_moved_session_moves_its_reminder() -> None:
    store = await with_people()
    await hear(store, session(START))
    await hear(store, session(START + DAY), 2)
    assert store.timers[SESSION].due == START
    (old,) = {n.facts["before"] for n in messages(store, "session-moved")}
    assert old == START.isoformat()
    assert told(store, "session-moved") == BOTH_QUEUED


async def test_moved_into_the_last_hours_it_loses_its_reminder() -> None:
    store = await with_people()
    await hear(store, session(START))
    await hear(store, session(NOW + timedelta(hours=5)), 2)
    assert store.timers == {}


async def test_moved_after_the_reminder_it_has_another_and_back_again_none() -> None:
    store = await with_people()
    await hear(store, session(START))
    await fire_due(store, START - DAY)
    later = START - timedelta(hours=20)
    await hear(store, session(START + 5 * DAY), 2, at=later)
    await hear(store, session(START + 7 * DAY), 3, at=later)
    await fire_due(store, START + 6 * DAY)
    assert len(messages(store, "session-reminder")) == 4
    await hear(store, session(START + 5 * DAY), 4, at=later)
    await hear(store, session(START + 7 * DAY), 5, at=later)
    await fire_due(store, START + 6 * DAY)
    assert len(messages(store, "session-reminder")) == 4
    assert len(messages(store, "session-moved")) == 2 * 4, "a session may move back to where it was"


async def test_cancelled_and_completed_sessions_remind_nobody() -> None:
    for status in (SessionStatus.CANCELLED, SessionStatus.COMPLETED):
        store = await with_people()
        await hear(store, session(START))
        await hear(store, session(START, status), 2)
        assert store.timers == {}
        assert bool(messages(store, "session-cancelled")) == (status is SessionStatus.CANCELLED)


async def test_a_timer_that_was_on_its_way_when_the_session_was_cancelled_does_nothing() -> None:
    store = await with_people()
    await hear(store, session(START))
    timer = store.timers[SESSION]
    await hear(store, session(START, SessionStatus.CANCELLED), 2)
    store.timers[SESSION] = timer
    await fire_due(store, START - DAY)
    assert messages(store, "session-reminder") == []


async def test_an_older_event_does_not_undo_a_newer_one_and_is_recorded_as_overtaken() -> None:
    store = await with_people()
    await hear(store, session(START, SessionStatus.CANCELLED), 3)
    assert await hear(store, session(START + DAY), 2) is Outcome.STALE
    assert await hear(store, session(START), 1) is Outcome.STALE
    assert store.timers == {}
    assert told(store, "session-cancelled") == BOTH_QUEUED
    assert set(told(store, "session-moved").values()) == {"suppressed: overtaken"}
    assert set(told(store, "session-booked").values()) == {"suppressed: overtaken"}


async def test_a_version_that_changes_nothing_to_see_tells_nothing() -> None:
    store = await with_people()
    await hear(store, session(START))
    await hear(store, session(START), 2, at=NOW + DAY)
    assert messages(store, "session-moved") == []
    assert store.timers[SESSION].due == START - DAY


async def test_the_reminder_is_timed_when_the_programme_is_heard_later() -> None:
    store = world()
    for who in (MENTOR, MENTEE):
        await hear(store, person(who))
    await hear(store, session(START))
    assert store.timers == {}
    await hear(store, programme(session_reminder_hours=48))
    assert store.timers[SESSION].due == START - 2 * DAY


async def test_a_changed_programme_times_its_reminders_anew() -> None:
    store = await with_people()
    await hear(store, session(START))
    await hear(store, request())
    await hear(store, programme(session_reminder_hours=2, feedback_reminder_days=10), 2)
    assert store.timers[SESSION].due == START - timedelta(hours=2)
    assert store.timers[FEEDBACK].due == NOW + 10 * DAY
    assert await hear(store, programme(session_reminder_hours=9), 1) is Outcome.STALE
    await hear(store, programme(session_reminder_hours=80), 3)
    assert SESSION not in store.timers, "80 hours before is before the booking"


async def test_who_was_reminded_is_not_reminded_again_when_the_programme_changes() -> None:
    store = await with_people()
    await hear(store, session(START))
    await fire_due(store, START - DAY)
    await hear(store, programme(session_reminder_hours=2), 2)
    assert store.timers == {}


async def test_a_request_is_told_and_its_author_reminded_once() -> None:
    store = await with_people()
    await hear(store, request())
    assert told(store, "feedback-request") == {MENTEE: "queued"}
    assert store.timers[FEEDBACK].due == NOW + 3 * DAY
    await fire_due(store, NOW + 3 * DAY)
    await hear(store, request(), 1)
    assert store.timers == {}
    assert told(store, "feedback-reminder") == {MENTEE: "queued"}


async def test_an_answer_stops_the_reminder() -> None:
    store = await with_people()
    await hear(store, request())
    await hear(store, request(FeedbackStatus.SUBMITTED), 2)
    assert store.timers == {}
    assert not store.all(OPEN_REQUEST)[0].open


async def test_a_request_that_comes_after_its_answer_is_recorded_and_not_sent() -> None:
    store = await with_people()
    await hear(store, request(FeedbackStatus.SUBMITTED), 2)
    assert await hear(store, request(), 1) is Outcome.STALE
    assert told(store, "feedback-request") == {MENTEE: "suppressed: overtaken"}
    assert store.timers == {}
