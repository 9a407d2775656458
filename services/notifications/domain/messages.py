"""Messages: one per recipient and occasion, ever, and the states that it passes through.

    waiting --> queued <--> sending --> sent | failed
       `----------`-----------`-------> suppressed

``waiting`` (the recipient is not known yet) and ``sending`` (leased by a sender) are nobody else's
business. Every state that others hear of raises ``version`` by one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from services.notifications.domain.people import Contact, ContactState, Preference


class Template(StrEnum):
    """Which text. The value is the name that others see."""

    PROPOSAL = "proposal"
    PAIR_STARTED = "pair-started"
    PAIR_ENDED = "pair-ended"
    SESSION_BOOKED = "session-booked"
    SESSION_MOVED = "session-moved"
    SESSION_CANCELLED = "session-cancelled"
    SESSION_REMINDER = "session-reminder"
    FEEDBACK_REQUEST = "feedback-request"
    FEEDBACK_REMINDER = "feedback-reminder"


ALWAYS_SENT: Final = frozenset({Template.PROPOSAL, Template.PAIR_ENDED})
"""Nobody can opt out of these: they wait for an answer, or end a relationship."""


class State(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


SETTLED: Final = frozenset({State.SENT, State.FAILED, State.SUPPRESSED})


class Reason(StrEnum):
    """Why a message is not sent. Failures have codes of their own, such as ``smtp-550``."""

    RECIPIENT_LEFT = "recipient-left"
    RECIPIENT_ERASED = "recipient-erased"
    PREFERENCE = "preference"
    OVERTAKEN = "overtaken"
    """A newer state of the same thing was heard first: the news is none any more."""
    TOO_LATE = "too-late"
    """What it would remind of has begun."""


class Role(StrEnum):
    """As what the recipient takes part in the pair."""

    MENTOR = "mentor"
    MENTEE = "mentee"
    PEER = "peer"

    @property
    def partner(self) -> "Role":
        if self is Role.PEER:
            return self
        return Role.MENTEE if self is Role.MENTOR else Role.MENTOR


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people in a programme."""

    programme_id: str
    mentor_id: str
    mentee_id: str
    peers: bool = False
    """Neither is the other's mentor: the two only stand in these places."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One reason to write to one person. ``occurrence`` tells apart what may happen to one thing again.

    ``facts`` are plain values for the text and never personal: the mail is written when it is sent, with
    the names and the address of that moment.
    """

    recipient_id: str
    template: Template
    about_id: str
    programme_id: str
    role: Role | None
    partner_id: str | None
    facts: Mapping[str, Any]
    occurrence: str = ""
    verdict: Reason | None = None
    """Decided already: it is recorded, but not sent."""

    @property
    def key(self) -> tuple[str, ...]:
        """What the message's id is derived from: the same occasion always gives the same message."""
        parts = (self.recipient_id, str(self.template), self.about_id)
        return (*parts, self.occurrence) if self.occurrence else parts

    def unless(self, verdict: Reason | None) -> Self:
        """The same occasion, not to be sent when there is a *verdict*."""
        return self if verdict is None else replace(self, verdict=verdict)


def both(
    template: Template,
    about_id: str,
    pair: Pair,
    facts: Mapping[str, Any],
    *,
    occurrence: str = "",
    but_not: Collection[str] = (),
) -> list[Occasion]:
    """The same occasion for mentor and mentee, or for two peers, each with the other as partner, in the order of their
    ids."""
    mentor, mentee = (Role.PEER, Role.PEER) if pair.peers else (Role.MENTOR, Role.MENTEE)
    sides = (
        (pair.mentor_id, mentor, pair.mentee_id),
        (pair.mentee_id, mentee, pair.mentor_id),
    )
    return [
        Occasion(person, template, about_id, pair.programme_id, role, partner, facts, occurrence)
        for person, role, partner in sorted(sides)
        if person not in but_not
    ]


@dataclass(frozen=True, slots=True)
class Trace:
    """Why a message exists: carried into everything said about it, however much later."""

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """One message and its delivery."""

    id: str
    recipient_id: str
    template: Template
    about_id: str
    programme_id: str
    role: Role | None
    partner_id: str | None
    facts: Mapping[str, Any]
    state: State
    version: int
    reason: str | None
    created_at: datetime
    queued_at: datetime | None
    """When it left ``waiting``."""
    settled_at: datetime | None
    attempts: int
    """How often the mail server was asked and gave an answer, or hung up."""
    leases: int
    """How often a sender took it; the number fences off a sender that was frozen meanwhile."""
    hold_until: datetime | None
    """By the machine's clock, not business time: no attempt before (queued), lease until (sending)."""
    correlation_id: str
    causation_id: str | None
    traceparent: str | None

    @classmethod
    def of(cls, occasion: Occasion, notification_id: str, now: datetime, trace: Trace) -> Self:
        """The message of *occasion*, waiting for a decision."""
        return cls(
            id=notification_id,
            recipient_id=occasion.recipient_id,
            template=occasion.template,
            about_id=occasion.about_id,
            programme_id=occasion.programme_id,
            role=occasion.role,
            partner_id=occasion.partner_id,
            facts=occasion.facts,
            state=State.WAITING,
            version=0,
            reason=None,
            created_at=now,
            queued_at=None,
            settled_at=None,
            attempts=0,
            leases=0,
            hold_until=None,
            correlation_id=trace.correlation_id,
            causation_id=trace.causation_id,
            traceparent=trace.traceparent,
        )

    def decided(self, contact: Contact, preference: Preference | None, now: datetime) -> Self:
        """Queued, suppressed, or still waiting when the recipient is not known."""
        if self.state is not State.WAITING or contact.state is ContactState.UNKNOWN:
            return self
        reason = not_wanted(self.template, contact, preference)
        if reason is not None:
            return self.suppressed(reason, now)
        return replace(self, state=State.QUEUED, version=self.version + 1, queued_at=now)

    def suppressed(self, reason: Reason, now: datetime) -> Self:
        return self._settled(State.SUPPRESSED, reason, now)

    def sent(self, now: datetime) -> Self:
        return replace(self._settled(State.SENT, None, now), attempts=self.attempts + 1)

    def failed(self, reason: str, now: datetime) -> Self:
        return replace(self._settled(State.FAILED, reason, now), attempts=self.attempts + 1)

    def _settled(self, state: State, reason: str | None, now: datetime) -> Self:
        """Over: what was kept for the text alone goes, so that nothing is left to be forgotten later."""
        return replace(
            self,
            facts={},
            state=state,
            version=self.version + 1,
            reason=reason,
            settled_at=now,
            queued_at=self.queued_at or now,
            hold_until=None,
        )


def not_wanted(template: Template, contact: Contact, preference: Preference | None) -> Reason | None:
    """Why a known recipient does not get this message; None when nothing speaks against it."""
    if contact.state is ContactState.LEFT:
        return Reason.RECIPIENT_LEFT
    if contact.state is ContactState.ERASED:
        return Reason.RECIPIENT_ERASED
    if preference is None or template in ALWAYS_SENT:
        return None
    wanted = preference.email_enabled
    if template is Template.SESSION_REMINDER:
        wanted = wanted and preference.session_reminders
    if template is Template.FEEDBACK_REMINDER:
        wanted = wanted and preference.feedback_reminders
    return None if wanted else Reason.PREFERENCE


MAX_ATTEMPTS: Final = 10


def pause_before(attempt: int) -> timedelta | None:
    """How long to wait before the given attempt (2, 3, ...); None when that would be one too many.

    5 s, 15 s, 45 s, ... at most an hour: greylisting passes within minutes, a full mailbox within hours.
    """
    if attempt > MAX_ATTEMPTS:
        return None
    return timedelta(seconds=min(3600, 5 * 3 ** (attempt - 2)))
