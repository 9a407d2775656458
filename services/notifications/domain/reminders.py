"""Reminders: what is known of sessions and open questions, and when somebody is reminded of them.

A reminder has two halves, which arrive in any order: the thing itself, and the programme's configuration.
Its moment depends on both and on nothing else, in particular not on which was heard first.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from services.notifications.domain.messages import Pair


@dataclass(frozen=True, slots=True)
class Programme:
    """The part of a programme that concerns mails. Version 0: spoken of, but not heard yet."""

    programme_id: str
    version: int
    name: str | None = None
    session_reminder_hours: int | None = None
    feedback_reminder_days: int | None = None
    of_peers: bool = False
    """Whether there is nobody who is a mentor or a mentee; decided before anybody takes part."""

    @classmethod
    def unknown(cls, programme_id: str) -> Self:
        return cls(programme_id, 0)


class SessionStatus(StrEnum):
    """Where a session stands."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """The newest state of a session that was heard, and its reminder."""

    session_id: str
    version: int
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: SessionStatus
    starts_at: datetime
    minutes: int
    timed_at: datetime
    """When ``starts_at`` was agreed: whoever books later than a reminder would come gets none."""
    reminder_at: datetime | None
    """When the reminder is due, while it is still to come."""
    reminded: bool
    """Whether the reminder for this ``starts_at`` has been given."""

    @property
    def pair(self) -> Pair:
        return Pair(self.programme_id, self.mentor_id, self.mentee_id)

    def follows(self, before: "SessionPlan | None") -> bool:
        """Whether this is the version right after *before*: only then is the difference a change."""
        return before is not None and self.version == before.version + 1

    def after(self, before: "SessionPlan | None") -> Self:
        """This newer state, where *before* is what was known: the same time keeps its reminder."""
        if before is None or not self.follows(before) or before.starts_at != self.starts_at:
            return self
        return replace(self, timed_at=before.timed_at, reminded=before.reminded)

    def same_time(self, other: "SessionPlan") -> bool:
        return (self.starts_at, self.minutes) == (other.starts_at, other.minutes)

    def timed(self, programme: Programme) -> Self:
        """With the reminder that *programme* asks for."""
        due = None
        if programme.session_reminder_hours is not None:
            due = self.starts_at - timedelta(hours=programme.session_reminder_hours)
        if due is None or self.status is not SessionStatus.BOOKED or self.reminded or due <= self.timed_at:
            return replace(self, reminder_at=None)
        return replace(self, reminder_at=due)

    def done(self) -> Self:
        return replace(self, reminder_at=None, reminded=True)


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request for feedback, while it is open and after, and its reminder."""

    feedback_request_id: str
    version: int
    programme_id: str
    author_id: str
    session_id: str
    requested_at: datetime
    open: bool
    reminder_at: datetime | None
    reminded: bool

    def after(self, before: "OpenRequest | None") -> Self:
        return self if before is None else replace(self, reminded=before.reminded)

    def timed(self, programme: Programme) -> Self:
        """With the reminder that *programme* asks for."""
        if programme.feedback_reminder_days is None or not self.open or self.reminded:
            return replace(self, reminder_at=None)
        return replace(self, reminder_at=self.requested_at + timedelta(days=programme.feedback_reminder_days))

    def done(self) -> Self:
        return replace(self, reminder_at=None, reminded=True)
