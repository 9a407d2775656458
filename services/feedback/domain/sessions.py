"""Sessions of a pair: booked, moved, cancelled, completed.

The client chooses a session's id, so every command may be repeated: a repeat finds the state that it
asked for and changes nothing. *Cancelled* and *completed* are final; a pair that changes its mind books
another session.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.feedback.domain.pairs import Relationship
from services.feedback.domain.refusals import Refusal

MAX_BOOKED: Final = 100
"""Sessions of one pair that may stand booked at once."""

MAX_AHEAD: Final = timedelta(days=5 * 366)
"""Nobody books later than this; it also keeps every calendar's arithmetic within what dates can hold."""


class SessionStatus(StrEnum):
    """Where a session stands."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Session:
    """One meeting of a pair. ``completed_at`` is there exactly when it is completed."""

    session_id: str
    relationship_id: str
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: SessionStatus
    starts_at: datetime
    minutes: int
    completed_at: datetime | None
    version: int


def book(
    known: Session | None,
    relationship: Relationship,
    *,
    session_id: str,
    starts_at: datetime,
    minutes: int,
    now: datetime,
    booked: int,
) -> Session | Refusal:
    """A new session, *known* moved, or *known* itself when it has these times already.

    *booked* counts the sessions of the pair that stand booked; it matters only for a new one. A repeat is
    recognised before any rule is applied: what was accepted once stays accepted, even after it has begun.
    """
    if known is not None:
        if known.relationship_id != relationship.relationship_id:
            return Refusal.OTHER_RELATIONSHIP
        if (known.starts_at, known.minutes) == (starts_at, minutes):
            return known
        if known.status is SessionStatus.CANCELLED:
            return Refusal.SESSION_CANCELLED
        if known.status is SessionStatus.COMPLETED:
            return Refusal.SESSION_COMPLETED
    if relationship.ended:
        return Refusal.RELATIONSHIP_ENDED
    if starts_at <= now:
        return Refusal.STARTS_IN_THE_PAST
    if starts_at > now + MAX_AHEAD:
        return Refusal.STARTS_TOO_FAR_AHEAD
    if known is not None:
        return replace(known, starts_at=starts_at, minutes=minutes, version=known.version + 1)
    if booked >= MAX_BOOKED:
        return Refusal.TOO_MANY_SESSIONS
    return Session(
        session_id, relationship.relationship_id, relationship.programme_id, relationship.mentor_id,
        relationship.mentee_id, SessionStatus.BOOKED, starts_at, minutes, None, 1,
    )  # fmt: skip


def cancel(session: Session) -> Session | Refusal:
    """*session* cancelled; it may have been already."""
    if session.status is SessionStatus.COMPLETED:
        return Refusal.SESSION_COMPLETED
    if session.status is SessionStatus.CANCELLED:
        return session
    return replace(session, status=SessionStatus.CANCELLED, version=session.version + 1)


def complete(session: Session, *, now: datetime) -> Session | Refusal:
    """*session* completed; it may have been already.

    It does not matter whether the pair has ended meanwhile: its end has cancelled what was to come after
    it, so a session that is still booked took place before.
    """
    if session.status is SessionStatus.CANCELLED:
        return Refusal.SESSION_CANCELLED
    if session.status is SessionStatus.COMPLETED:
        return session
    if now < session.starts_at:
        return Refusal.NOT_YET_STARTED
    return replace(session, status=SessionStatus.COMPLETED, completed_at=now, version=session.version + 1)


def after_the_end(session: Session, *, ended_at: datetime) -> Session:
    """*session* after its pair has ended: cancelled if it was booked for later, else as it is.

    Measured by when the pair ended, not by when we heard of it, so that the order in which news arrives
    does not change the result.
    """
    if session.status is not SessionStatus.BOOKED or session.starts_at < ended_at:
        return session
    return replace(session, status=SessionStatus.CANCELLED, version=session.version + 1)
