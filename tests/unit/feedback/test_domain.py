"""Rules alone: what may be booked, completed, answered and retracted, and what is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.feedback.domain import analytics, feedback, sessions
from services.feedback.domain.analytics import Contribution, Metric, Subject
from services.feedback.domain.feedback import Answer, FeedbackRequest, RequestStatus, Submitted
from services.feedback.domain.pairs import EndReason, Relationship, RelationshipStatus
from services.feedback.domain.refusals import Refusal
from services.feedback.domain.sessions import MAX_BOOKED, Session, SessionStatus
from tests.support.memory import NOW
from tests.unit.feedback.words import DAY, HOUR, MENTEE, MENTOR, PAIR, PROGRAMME, STARTED, content

ACTIVE = Relationship(
    PAIR, PROGRAMME, MENTOR, MENTEE, RelationshipStatus.ACTIVE, STARTED, None, None, 1
)  # fmt: skip
OVER = replace(ACTIVE, status=RelationshipStatus.ENDED, ended_at=NOW, end_reason=EndReason.LEFT, version=2)


def booked(starts_at: datetime = NOW + DAY, *, relationship: Relationship = ACTIVE) -> Session | Refusal:
    return sessions.book(
        None, relationship, session_id="s", starts_at=starts_at, minutes=60, now=NOW, booked=0
    )


def a_session(starts_at: datetime = NOW + DAY) -> Session:
    session = booked(starts_at)
    assert isinstance(session, Session)
    return session


class TestBooking:
    def test_a_first_booking_has_version_one(self) -> None:
        session = a_session()
        assert (session.status, session.version) == (SessionStatus.BOOKED, 1)

    @pytest.mark.parametrize(
        ("starts_at", "refusal"),
        [
            (NOW, Refusal.STARTS_IN_THE_PAST),
            (NOW - HOUR, Refusal.STARTS_IN_THE_PAST),
            (NOW + 6 * 366 * DAY, Refusal.STARTS_TOO_FAR_AHEAD),
        ],
    )
    def test_times_out_of_bounds(self, starts_at: datetime, refusal: Refusal) -> None:
        assert booked(starts_at) is refusal

    def test_an_ended_pair_books_nothing(self) -> None:
        assert booked(relationship=OVER) is Refusal.RELATIONSHIP_ENDED

    def test_the_hundredth_is_the_last(self) -> None:
        def book(already: int) -> Session | Refusal:
            return sessions.book(
                None, ACTIVE, session_id="s", starts_at=NOW + DAY, minutes=60, now=NOW, booked=already
            )

        assert isinstance(book(MAX_BOOKED - 1), Session)
        assert book(MAX_BOOKED) is Refusal.TOO_MANY_SESSIONS

    @pytest.mark.parametrize("relationship", [ACTIVE, OVER])
    @pytest.mark.parametrize("status", list(SessionStatus))
    def test_a_repeat_changes_nothing_whatever_has_happened_since(
        self, relationship: Relationship, status: SessionStatus
    ) -> None:
        known = replace(a_session(NOW - HOUR + DAY), status=status)
        again = sessions.book(
            known, relationship, session_id="s", minutes=60, now=NOW + 10 * DAY, booked=MAX_BOOKED,
            starts_at=known.starts_at.astimezone(timezone(timedelta(hours=5))),
        )  # fmt: skip
        assert again is known

    def test_moving_keeps_the_id_and_counts_up(self) -> None:
        moved = sessions.book(
            a_session(),
            ACTIVE,
            session_id="s",
            starts_at=NOW + 2 * DAY,
            minutes=30,
            now=NOW,
            booked=MAX_BOOKED,
        )
        assert isinstance(moved, Session)
        assert (moved.session_id, moved.starts_at, moved.minutes, moved.version) == (
            "s",
            NOW + 2 * DAY,
            30,
            2,
        )

    @pytest.mark.parametrize(
        ("status", "refusal"),
        [
            (SessionStatus.CANCELLED, Refusal.SESSION_CANCELLED),
            (SessionStatus.COMPLETED, Refusal.SESSION_COMPLETED),
        ],
    )
    def test_what_is_final_does_not_move(self, status: SessionStatus, refusal: Refusal) -> None:
        known = replace(a_session(), status=status)
        assert (
            sessions.book(
                known, ACTIVE, session_id="s", starts_at=NOW + 3 * DAY, minutes=60, now=NOW, booked=0
            )
            is refusal
        )

    def test_an_id_of_another_pair(self) -> None:
        other = replace(ACTIVE, relationship_id="pair-2")
        again = sessions.book(
            a_session(), other, session_id="s", starts_at=NOW + DAY, minutes=60, now=NOW, booked=0
        )
        assert again is Refusal.OTHER_RELATIONSHIP


class TestEnding:
    def test_cancelling_twice(self) -> None:
        once = sessions.cancel(a_session())
        assert isinstance(once, Session)
        assert (once.status, once.version) == (SessionStatus.CANCELLED, 2)
        assert sessions.cancel(once) is once

    def test_completing_not_before_the_start(self) -> None:
        session = a_session()
        assert sessions.complete(session, now=session.starts_at - HOUR) is Refusal.NOT_YET_STARTED
        done = sessions.complete(session, now=session.starts_at)
        assert isinstance(done, Session)
        assert (done.status, done.completed_at) == (SessionStatus.COMPLETED, session.starts_at)
        assert sessions.complete(done, now=NOW + 9 * DAY) is done

    def test_one_end_excludes_the_other(self) -> None:
        session = a_session()
        cancelled, done = sessions.cancel(session), sessions.complete(session, now=session.starts_at)
        assert isinstance(cancelled, Session)
        assert isinstance(done, Session)
        assert sessions.complete(cancelled, now=session.starts_at) is Refusal.SESSION_CANCELLED
        assert sessions.cancel(done) is Refusal.SESSION_COMPLETED

    def test_the_pairs_end_takes_what_was_to_come_and_leaves_what_was(self) -> None:
        before, at, after = (a_session(NOW + n * HOUR) for n in (1, 2, 3))
        end = NOW + 2 * HOUR
        assert sessions.after_the_end(before, ended_at=end) is before
        assert sessions.after_the_end(at, ended_at=end).status is SessionStatus.CANCELLED
        assert sessions.after_the_end(after, ended_at=end).status is SessionStatus.CANCELLED
        done = sessions.complete(after, now=after.starts_at)
        assert isinstance(done, Session)
        assert sessions.after_the_end(done, ended_at=end) is done


REQUEST = FeedbackRequest(
    "r", "s", PAIR, PROGRAMME, MENTEE, MENTOR, RequestStatus.REQUESTED, NOW, None, 1
)  # fmt: skip


def answered(known: Submitted | None = None, *, now: datetime = NOW, **changes: object) -> Submitted:
    request, answer = (known.request, known.answer) if known else (REQUEST, None)
    submitted = feedback.submit(request, answer, content(**changes), now=now)  # type: ignore[arg-type]
    assert isinstance(submitted, Submitted)
    return submitted


class TestAnswering:
    def test_first_answer(self) -> None:
        first = answered(now=NOW + DAY)
        assert (first.request.status, first.request.version) == (RequestStatus.SUBMITTED, 2)
        assert (first.answer.submitted_at, first.answer.changed_at) == (NOW + DAY, NOW + DAY)
        assert first.answer.content == content()

    def test_the_same_again_is_the_same_even_when_final(self) -> None:
        first = answered()
        again = answered(first, now=NOW + 100 * DAY)
        assert again.answer is first.answer
        assert again.request is first.request

    def test_the_window_counts_from_the_first_submission(self) -> None:
        changed = answered(answered(), now=NOW + 6 * DAY, suggestion="Slower.")
        assert (changed.answer.submitted_at, changed.answer.changed_at) == (NOW, NOW + 6 * DAY)
        assert changed.request.version == 3
        late = feedback.submit(changed.request, changed.answer, content("Later."), now=NOW + 7 * DAY)
        assert late is Refusal.ANSWER_FINAL
        assert feedback.retract(changed.request, now=NOW + 7 * DAY) is Refusal.ANSWER_FINAL

    def test_an_empty_answer_is_none(self) -> None:
        empty = content("", communication=None, empathy=None, boundaries=None, behaviour="", impact="")
        assert feedback.submit(REQUEST, None, empty, now=NOW) is Refusal.EMPTY_ANSWER

    def test_retracting_closes_for_good(self) -> None:
        first = answered()
        closed = feedback.retract(first.request, now=NOW + DAY)
        assert isinstance(closed, FeedbackRequest)
        assert (closed.status, closed.version) == (RequestStatus.CLOSED, 3)
        assert feedback.retract(closed, now=NOW + 50 * DAY) is closed
        assert feedback.submit(closed, None, content(), now=NOW + DAY) is Refusal.FEEDBACK_CLOSED

    def test_nothing_to_retract(self) -> None:
        assert feedback.retract(REQUEST, now=NOW) is Refusal.ANSWER_UNKNOWN

    def test_closing_waits_its_time_and_spares_answers(self) -> None:
        assert feedback.close(REQUEST, now=NOW + 29 * DAY) is REQUEST
        assert feedback.close(REQUEST, now=NOW + 30 * DAY).status is RequestStatus.CLOSED
        submitted = answered().request
        assert feedback.close(submitted, now=NOW + 30 * DAY) is submitted

    def test_erasure_keeps_numbers_and_no_word(self) -> None:
        answer: Answer = feedback.without_words(answered().answer)
        assert (answer.behaviour, answer.impact, answer.suggestion) == ("", "", "")
        assert (answer.communication, answer.author_id) == (4, MENTEE)


class TestCounting:
    def test_months_are_those_of_utc(self) -> None:
        late = datetime(2026, 3, 31, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
        assert analytics.month_of(late) == "2026-04"
        assert analytics.month_of(datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))) == "0001-01"

    def test_a_newer_state_replaces_the_older_one(self) -> None:
        march, april = datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 4, 9, tzinfo=UTC)
        before = Contribution(
            Subject.FEEDBACK_REQUEST, "r", "p", 1, analytics.of_request(march, submitted_at=march)
        )
        after = replace(before, version=2, counts=analytics.of_request(march, submitted_at=april))
        assert analytics.difference(before, after) == {
            ("p", Metric.FEEDBACK_SUBMITTED, "2026-03"): -1,
            ("p", Metric.FEEDBACK_SUBMITTED, "2026-04"): 1,
        }
        assert analytics.difference(after, after) == {}

    def test_a_proposal_stays_in_the_month_in_which_it_opened(self) -> None:
        march, april = datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 4, 9, tzinfo=UTC)
        opened = analytics.of_proposal({}, "open", march)
        assert analytics.of_proposal(opened, "accepted", april) == {
            "2026-03/proposals_opened": 1,
            "2026-04/proposals_accepted": 1,
        }
