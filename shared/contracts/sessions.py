"""What *feedback* says: sessions and requests for feedback. Ids only; what is written stays at home."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import EventData, Instant, Key


class SessionStatus(StrEnum):
    """Where a session stands."""

    BOOKED = "booked"
    """Agreed, and not yet over."""
    CANCELLED = "cancelled"
    """Will not take place."""
    COMPLETED = "completed"
    """Took place: both are asked for feedback."""


class SessionChanged(EventData):
    """A session of a pair. A moved session keeps its id and has a new ``starts_at``."""

    TYPE: ClassVar[str] = "mentoring.session.changed.v1"
    TOPIC: ClassVar[str] = "session"
    SUBJECT: ClassVar[str] = "session_id"

    session_id: Key
    """Id of the session."""
    relationship_id: Key
    """The pair that meets."""
    programme_id: Key
    """Id of the programme."""
    mentor_id: Key
    """Person id of the mentor."""
    mentee_id: Key
    """Person id of the mentee."""
    status: SessionStatus
    """Where the session stands."""
    starts_at: Instant
    """When it begins."""
    minutes: Annotated[int, Field(ge=5, le=24 * 60)]
    """How long it lasts."""
    completed_at: Instant | None = None
    """When it was marked as completed."""


class FeedbackStatus(StrEnum):
    """Where a request for feedback stands."""

    REQUESTED = "requested"
    """Waits for an answer."""
    SUBMITTED = "submitted"
    """Answered."""
    CLOSED = "closed"
    """No longer asked for."""


class FeedbackRequestChanged(EventData):
    """One participant is asked about one completed session, or has answered."""

    TYPE: ClassVar[str] = "mentoring.feedback-request.changed.v1"
    TOPIC: ClassVar[str] = "feedback-request"
    SUBJECT: ClassVar[str] = "feedback_request_id"

    feedback_request_id: Key
    """Id of the request."""
    session_id: Key
    """The session that it is about."""
    relationship_id: Key
    """The pair that met."""
    programme_id: Key
    """Id of the programme."""
    author_id: Key
    """Person id of the one who is asked."""
    status: FeedbackStatus
    """Where the request stands."""
    requested_at: Instant
    """When the person was first asked."""
