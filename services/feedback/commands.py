"""What people ask of *feedback*. Each command locks what it decides on and may be repeated.

Rows are asked for in the order of locking: the relationship first, so that a booking and the pair's end
never pass each other.
"""

from datetime import datetime
from typing import Final, NoReturn

from services.feedback.domain import feedback, sessions
from services.feedback.domain.feedback import CLOSING_TIMER, Content, FeedbackRequest, Submitted
from services.feedback.domain.pairs import Relationship
from services.feedback.domain.refusals import Refusal
from services.feedback.domain.sessions import MAX_BOOKED, Session, SessionStatus
from services.feedback.speech import say_request, say_session
from services.feedback.store import FEEDBACK_ANSWER, FEEDBACK_REQUEST, RELATIONSHIP, SESSION, forgotten
from shared.errors import Conflict, Forbidden, Invalid, NotFound, NotYetKnown, ServiceError
from shared.persistence.uow import Uow

_REFUSALS: Final[dict[Refusal, tuple[type[ServiceError], str]]] = {
    Refusal.STARTS_IN_THE_PAST: (Invalid, "A session must start in the future."),
    Refusal.STARTS_TOO_FAR_AHEAD: (Invalid, "A session cannot be booked more than five years ahead."),
    Refusal.RELATIONSHIP_ENDED: (Conflict, "The relationship has ended: nothing can be booked or moved."),
    Refusal.TOO_MANY_SESSIONS: (Conflict, f"The relationship has {MAX_BOOKED} booked sessions already."),
    Refusal.OTHER_RELATIONSHIP: (Conflict, "A session of another relationship has this id."),
    Refusal.SESSION_UNKNOWN: (NotFound, "There is no session with this id."),
    Refusal.SESSION_CANCELLED: (Conflict, "The session is cancelled: book another one."),
    Refusal.SESSION_COMPLETED: (Conflict, "The session is completed."),
    Refusal.NOT_YET_STARTED: (Conflict, "The session has not started yet."),
    Refusal.FEEDBACK_CLOSED: (Conflict, "The request is closed: it takes no answer any more."),
    Refusal.EMPTY_ANSWER: (Invalid, "An answer needs a rating or a sentence."),
    Refusal.ANSWER_UNKNOWN: (NotFound, "There is no answer to retract."),
    Refusal.ANSWER_FINAL: (
        Conflict, f"An answer can be changed or retracted for {feedback.RETRACTION_DAYS} days only."
    ),
}  # fmt: skip


def _refuse(refusal: Refusal) -> NoReturn:
    error, sentence = _REFUSALS[refusal]
    raise error(refusal.value, sentence)


async def book_session(
    uow: Uow, relationship_id: str, session_id: str, *, starts_at: datetime, minutes: int
) -> Session:
    """Book the session, or move it to these times."""
    relationship = await _relationship(uow, relationship_id)
    known = await uow.get(SESSION, session_id)
    booked = 0
    if known is None:
        booked = len(await uow.find(SESSION, relationship_id=relationship_id, status=SessionStatus.BOOKED))
    decided = sessions.book(
        known, relationship, session_id=session_id, starts_at=starts_at, minutes=minutes,
        now=uow.now, booked=booked,
    )  # fmt: skip
    return _settle(uow, known, decided)


async def cancel_session(uow: Uow, relationship_id: str, session_id: str) -> Session:
    """Cancel the session: it will not take place, or did not."""
    known = await _session(uow, relationship_id, session_id)
    return _settle(uow, known, sessions.cancel(known))


async def complete_session(uow: Uow, relationship_id: str, session_id: str) -> Session:
    """Note that the session took place. What follows from it follows from the event."""
    known = await _session(uow, relationship_id, session_id)
    return _settle(uow, known, sessions.complete(known, now=uow.now))


async def submit_answer(uow: Uow, feedback_request_id: str, author_id: str, content: Content) -> Submitted:
    """Answer the request, or change the answer given before."""
    request = await _request(uow, feedback_request_id, author_id)
    if await forgotten(uow, request.relationship_id, request.author_id, request.partner_id):
        _refuse(Refusal.FEEDBACK_CLOSED)
    known = await uow.get(FEEDBACK_ANSWER, feedback_request_id)
    decided = feedback.submit(request, known, content, now=uow.now)
    if isinstance(decided, Refusal):
        _refuse(decided)
    if decided.answer is not known:
        uow.put(decided.request)
        uow.put(decided.answer)
        uow.cancel_timer(CLOSING_TIMER, feedback_request_id)
        say_request(uow, decided.request)
    return decided


async def retract_answer(uow: Uow, feedback_request_id: str, author_id: str) -> FeedbackRequest:
    """Delete the answer; the request is closed and not asked again."""
    request = await _request(uow, feedback_request_id, author_id)
    known = await uow.get(FEEDBACK_ANSWER, feedback_request_id)
    decided = feedback.retract(request, now=uow.now)
    if isinstance(decided, Refusal):
        _refuse(decided)
    if decided is not request:
        if known is not None:
            uow.delete(known)
        uow.put(decided)
        say_request(uow, decided)
    return decided


async def _relationship(uow: Uow, relationship_id: str) -> Relationship:
    relationship = await uow.get(RELATIONSHIP, relationship_id)
    if relationship is None:
        raise NotYetKnown("relationship")
    return relationship


async def _session(uow: Uow, relationship_id: str, session_id: str) -> Session:
    await _relationship(uow, relationship_id)
    session = await uow.get(SESSION, session_id)
    if session is None:
        _refuse(Refusal.SESSION_UNKNOWN)
    if session.relationship_id != relationship_id:
        _refuse(Refusal.OTHER_RELATIONSHIP)
    return session


async def _request(uow: Uow, feedback_request_id: str, author_id: str) -> FeedbackRequest:
    request = await uow.get(FEEDBACK_REQUEST, feedback_request_id)
    if request is None:
        raise NotYetKnown("feedback request")
    if request.author_id != author_id:
        raise Forbidden("forbidden", "Only the person who is asked may answer.")
    return request


def _settle(uow: Uow, known: Session | None, decided: Session | Refusal) -> Session:
    """Write and say what was decided; a decision that changes nothing is neither written nor said."""
    if isinstance(decided, Refusal):
        _refuse(decided)
    if decided is not known:
        uow.put(decided)
        say_session(uow, decided)
    return decided
