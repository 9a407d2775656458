"""What is heard: pairs in either order, sessions that become requests, and what must happen only once."""

from dataclasses import replace
from itertools import permutations

import pytest

from services.feedback import commands
from services.feedback.domain.feedback import CLOSING_DAYS, CLOSING_TIMER, RequestStatus
from services.feedback.domain.sessions import SessionStatus
from services.feedback.handlers import relationship_ended
from services.feedback.store import FEEDBACK_ANSWER, FEEDBACK_REQUEST, PROGRAMME, RELATIONSHIP, SESSION
from shared.contracts.erasure import ErasureConfirmed
from shared.contracts.people import PersonErased
from shared.contracts.sessions import FeedbackRequestChanged, FeedbackStatus, SessionChanged
from shared.contracts.sessions import SessionStatus as SaidStatus
from shared.errors import Conflict
from shared.messaging.handlers import Outcome
from tests.support.memory import NOW, event
from tests.unit.feedback.words import (
    DAY,
    HOUR,
    MENTEE,
    MENTOR,
    PAIR,
    completed,
    content,
    ended,
    fire,
    hear,
    new_store,
    programme,
    request_of,
    started,
    totals,
)


async def test_a_programmes_newest_coordinators_count() -> None:
    store = new_store()
    await hear(store, programme("anna"), sequence=2)
    assert await hear(store, programme("bert"), sequence=1) is Outcome.STALE
    (row,) = store.all(PROGRAMME)
    assert (row.programme_id, row.coordinator_ids) == ("programme-1", ["anna"])


class TestPairs:
    @pytest.mark.parametrize("order", list(permutations([(started(), 1), (ended(), 2)])))
    async def test_either_order_gives_the_same(self, order: tuple[tuple[SessionChanged, int], ...]) -> None:
        store = new_store()
        for data, sequence in order * 2:
            await hear(store, data, sequence=sequence)
        (row,) = store.all(RELATIONSHIP)
        assert (row.status, row.ended_at, row.version) == ("ended", NOW, 2)
        assert totals(store) == {"relationships_started": 1, "relationships_ended_left": 1}

    async def test_the_end_cancels_what_was_to_come(self) -> None:
        store = new_store()
        await hear(store, started())
        async with store.uow() as uow:
            for name, start in (("before", NOW + HOUR), ("after", NOW + 3 * HOUR), ("later", NOW + DAY)):
                await commands.book_session(uow, PAIR, name, starts_at=start, minutes=30)
        store.said.clear()
        end = ended(at=NOW + 2 * HOUR)
        await hear(store, end, sequence=2, now=NOW + 2 * HOUR)
        assert {row.session_id: row.status for row in store.all(SESSION)} == {
            "before": SessionStatus.BOOKED,
            "after": SessionStatus.CANCELLED,
            "later": SessionStatus.CANCELLED,
        }
        assert [(s.session_id, s.status) for s in store.said if isinstance(s, SessionChanged)] == [
            ("after", SaidStatus.CANCELLED),
            ("later", SaidStatus.CANCELLED),
        ]
        assert await hear(store, end, sequence=2, now=NOW + DAY) is Outcome.STALE
        assert len(store.said) == 2

    async def test_a_booking_made_before_the_end_is_heard_of_falls_with_it(self) -> None:
        """The pair has ended at NOW already; this service hears of it an hour later."""
        store = new_store()
        await hear(store, started())
        async with store.uow(NOW + HOUR) as uow:
            await commands.book_session(uow, PAIR, "late", starts_at=NOW + DAY, minutes=30)
        await hear(store, ended(at=NOW), sequence=2, now=NOW + 2 * HOUR)
        assert [row.status for row in store.all(SESSION)] == [SessionStatus.CANCELLED]
        async with store.uow(NOW + 2 * HOUR) as uow:
            with pytest.raises(Conflict) as refused:
                await commands.book_session(uow, PAIR, "later", starts_at=NOW + DAY, minutes=30)
        assert refused.value.code == "relationship_ended"

    async def test_both_in_one_batch(self) -> None:
        """In one unit of work the end sees the booking's row before anything is flushed."""
        store = new_store()
        await hear(store, started())
        async with store.uow() as uow:
            await commands.book_session(uow, PAIR, "s", starts_at=NOW + DAY, minutes=30)
            await relationship_ended(event(ended(), sequence=2), uow)
        assert [row.status for row in store.all(SESSION)] == [SessionStatus.CANCELLED]
        assert store.versions == [1, 2]


class TestCompletedSessions:
    async def test_both_are_asked_once_whatever_is_repeated(self) -> None:
        store = new_store()
        for sequence in (2, 2, 5, 1):
            await hear(store, completed(), sequence=sequence)
        requests = {row.author_id: row for row in store.all(FEEDBACK_REQUEST)}
        assert requests.keys() == {MENTOR, MENTEE}
        assert requests[MENTEE].feedback_request_id == request_of(MENTEE)
        assert requests[MENTEE].partner_id == MENTOR
        said = [item for item in store.said if isinstance(item, FeedbackRequestChanged)]
        assert sorted((item.author_id, item.status) for item in said) == [
            (MENTEE, FeedbackStatus.REQUESTED),
            (MENTOR, FeedbackStatus.REQUESTED),
        ]
        assert store.versions == [1, 1]
        assert totals(store) == {"sessions_completed": 1, "session_minutes": 60}
        assert {change.due for change in store.timers.values()} == {NOW + CLOSING_DAYS * DAY}

    async def test_a_session_unknown_to_the_tables_is_still_asked_about(self) -> None:
        """As after a restore from a backup: the event carries everything."""
        store = new_store()
        assert store.all(SESSION) == []
        await hear(store, completed())
        assert len(store.all(FEEDBACK_REQUEST)) == 2

    @pytest.mark.parametrize("status", [SaidStatus.BOOKED, SaidStatus.CANCELLED])
    async def test_nothing_follows_from_other_states(self, status: SaidStatus) -> None:
        store = new_store()
        await hear(store, completed().model_copy(update={"status": status, "completed_at": None}))
        assert store.all(FEEDBACK_REQUEST) == []
        assert totals(store) == {}

    async def test_the_months_are_those_of_the_events(self) -> None:
        store = new_store()
        await hear(store, completed("a", at=NOW))
        await hear(store, completed("b", at=NOW + 40 * DAY), now=NOW + 90 * DAY)
        months = {(row.metric, row.month): row.value for row in store.rows["programme_metric"].values()}
        assert months["sessions_completed", "2026-03"] == 1
        assert months["sessions_completed", "2026-04"] == 1


class TestClosing:
    async def test_an_unanswered_request_is_closed(self) -> None:
        store = new_store()
        await hear(store, completed())
        await fire(store, CLOSING_TIMER, request_of(MENTOR), now=NOW + 30 * DAY)
        statuses = {row.author_id: row.status for row in store.all(FEEDBACK_REQUEST)}
        assert statuses == {MENTOR: RequestStatus.CLOSED, MENTEE: RequestStatus.REQUESTED}
        closed = store.said[-1]
        assert isinstance(closed, FeedbackRequestChanged)
        assert (closed.status, store.versions[-1]) == (FeedbackStatus.CLOSED, 2)

    async def test_an_answer_in_the_meantime_wins(self) -> None:
        store = new_store()
        await hear(store, completed())
        timer = dict(store.timers)
        async with store.uow() as uow:
            await commands.submit_answer(uow, request_of(MENTOR), MENTOR, content())
        assert (CLOSING_TIMER, request_of(MENTOR)) not in store.timers
        store.timers |= timer  # it was claimed already when the answer cancelled it
        said = len(store.said)
        await fire(store, CLOSING_TIMER, request_of(MENTOR), now=NOW + 30 * DAY)
        assert len(store.said) == said
        assert len(store.all(FEEDBACK_ANSWER)) == 1


async def test_erasure_deletes_words_by_and_about_the_person() -> None:
    store = new_store()
    await hear(store, completed())
    async with store.uow() as uow:
        await commands.submit_answer(uow, request_of(MENTOR), MENTOR, content())
        await commands.submit_answer(uow, request_of(MENTEE), MENTEE, content())
    (first, _) = store.all(FEEDBACK_ANSWER)
    store.add(replace(first, feedback_request_id="other", author_id="x", partner_id="y"))
    for _ in range(2):
        await hear(store, PersonErased(person_id=MENTOR), sequence=9)
    words = {row.author_id: row.suggestion for row in store.all(FEEDBACK_ANSWER)}
    assert words == {MENTOR: "", MENTEE: "", "x": "Ask before you advise."}
    assert {row.communication for row in store.all(FEEDBACK_ANSWER)} == {4}
    (receipt,) = (said for said in store.said if isinstance(said, ErasureConfirmed))
    assert (receipt.service, receipt.person_version) == ("feedback", 9)
    assert receipt.counts == {"answers-emptied": 2}


async def test_nobody_is_asked_about_somebody_erased() -> None:
    store = new_store()
    await hear(store, started())
    await hear(store, completed())
    await hear(store, PersonErased(person_id=MENTOR), sequence=9)
    statuses = {row.status for row in store.all(FEEDBACK_REQUEST)}
    assert (statuses, store.timers) == ({RequestStatus.CLOSED}, {})
    # A session of before, marked as held afterwards: it counts, and nobody is asked.
    await hear(store, completed("session-2"))
    assert {row.status for row in store.all(FEEDBACK_REQUEST)} == {RequestStatus.CLOSED}
    assert len(store.all(FEEDBACK_REQUEST)) == 4
    assert store.timers == {}


async def test_words_about_somebody_erased_are_refused_even_where_a_request_was_missed() -> None:
    store = new_store()
    await hear(store, started())
    await hear(store, completed())
    missed = next(row for row in store.all(FEEDBACK_REQUEST) if row.author_id == MENTEE)
    await hear(store, PersonErased(person_id=MENTOR), sequence=9)
    store.add(missed)
    async with store.uow() as uow:
        with pytest.raises(Conflict) as refused:
            await commands.submit_answer(uow, missed.feedback_request_id, MENTEE, content())
    assert refused.value.code == "feedback_closed"


async def test_a_pair_of_somebody_hired_again_is_like_any_other() -> None:
    store = new_store()
    await hear(store, PersonErased(person_id=MENTOR), sequence=9, now=NOW - DAY)
    await hear(store, started(at=NOW - 2 * HOUR))
    await hear(store, completed())
    async with store.uow() as uow:
        await commands.submit_answer(uow, request_of(MENTEE), MENTEE, content())
    assert [row.suggestion for row in store.all(FEEDBACK_ANSWER)] == ["Ask before you advise."]
