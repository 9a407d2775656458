"""Proposals, relationships and the mentors' places. Between peers neither leads: both take the place of a mentee."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.matching.domain.mentees import Standing


class ProposalStatus(StrEnum):
    """Whether a proposal still waits for answers, and what became of it."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class RelationshipStatus(StrEnum):
    """Whether two people are a pair still."""

    ACTIVE = "active"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a pair ended; nobody is told who of the two asked for it."""

    LEFT = "left"
    NO_FAULT = "no-fault"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    """One of the two was erased: to the other it looks like a withdrawal."""


class Requeue(StrEnum):
    """What became of the mentee when the pair ended."""

    QUEUED = "queued"
    MENTEE_LEFT = "mentee-left"
    MENTEE_NOT_ENROLLED = "mentee-not-enrolled"
    GOAL_REACHED = "goal-reached"


class Refused(Exception):
    """The present state does not allow it; ``code`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class MentorLoad:
    """The mentor's use of their places, over all programmes. Locked whenever a place is decided on."""

    person_id: str
    active: int = 0
    """Relationships that are active."""
    reserved: int = 0
    """Open proposals: each keeps a place until it is answered."""

    @property
    def used(self) -> int:
        return self.active + self.reserved

    def reserve(self) -> "MentorLoad":
        return replace(self, reserved=self.reserved + 1)

    def release(self) -> "MentorLoad":
        return replace(self, reserved=self.reserved - 1)

    def start(self, capacity: int) -> "MentorLoad":
        """A reserved place becomes a taken one. Raises :class:`Refused` rather than exceed *capacity*."""
        if self.active + 1 > capacity:
            raise Refused("mentor_full", "The mentor has no place left.")
        return replace(self, active=self.active + 1, reserved=self.reserved - 1)

    def finish(self) -> "MentorLoad":
        return replace(self, active=self.active - 1)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed pair. Ids, programme and score never change; every published state has its version."""

    proposal_id: str
    version: int
    programme_id: str
    mentor_id: str
    mentee_id: str
    attempt: int
    status: ProposalStatus
    mentor_accepted: bool
    mentee_accepted: bool
    score: int
    reasons: list[str]
    proposed_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    peers: bool = False
    """Neither leads the other; the one with the lower id stands as the mentee."""

    @property
    def seekers(self) -> tuple[str, ...]:
        """Who has this as their one pair in the programme: the mentee, or both peers."""
        return (self.mentee_id, self.mentor_id) if self.peers else (self.mentee_id,)

    def accepted_by(self, person_id: str, now: datetime) -> "Proposal":
        """With this participant's yes; the same when it was there already. May raise :class:`Refused`."""
        if self.status is ProposalStatus.ACCEPTED:
            return self
        self._must_be_open(now)
        mentor = self.mentor_accepted or person_id == self.mentor_id
        mentee = self.mentee_accepted or person_id == self.mentee_id
        if (mentor, mentee) == (self.mentor_accepted, self.mentee_accepted):
            return self
        answered = replace(self, version=self.version + 1, mentor_accepted=mentor, mentee_accepted=mentee)
        if mentor and mentee:
            return replace(answered, status=ProposalStatus.ACCEPTED, closed_at=now)
        return answered

    def declined(self, now: datetime) -> "Proposal":
        """With a no from either; the same when it was declined already. May raise :class:`Refused`."""
        if self.status is ProposalStatus.DECLINED:
            return self
        self._must_be_open(now)
        return self.closed(ProposalStatus.DECLINED, now)

    def closed(self, status: ProposalStatus, now: datetime) -> "Proposal":
        """An open proposal that is over without a pair."""
        return replace(self, version=self.version + 1, status=status, closed_at=now)

    def _must_be_open(self, now: datetime) -> None:
        if self.status is not ProposalStatus.OPEN or now >= self.expires_at:
            raise Refused("proposal_closed", "The proposal can no longer be answered.")


@dataclass(frozen=True, slots=True)
class Relationship:
    """A pair. Version 1 when it starts, 2 when it has ended."""

    relationship_id: str
    version: int
    programme_id: str
    proposal_id: str
    mentor_id: str
    mentee_id: str
    status: RelationshipStatus
    started_at: datetime
    ended_at: datetime | None = None
    reason: EndReason | None = None
    requeue: Requeue | None = None
    leaver_ids: list[str] = field(default_factory=list)
    sessions_completed: int = 0
    last_session_at: datetime | None = None
    peers: bool = False
    """Neither leads the other; the one with the lower id stands as the mentee."""
    peer_requeue: Requeue | None = None
    """What became of the peer who stands as the mentor."""

    @property
    def seekers(self) -> tuple[str, ...]:
        """Who has this as their one pair in the programme: the mentee, or both peers."""
        return (self.mentee_id, self.mentor_id) if self.peers else (self.mentee_id,)

    def ended(
        self,
        reason: EndReason,
        requeue: Requeue,
        now: datetime,
        *,
        leaver_id: str | None = None,
        peer_requeue: Requeue | None = None,
    ) -> "Relationship":
        return replace(
            self,
            version=self.version + 1,
            status=RelationshipStatus.ENDED,
            ended_at=now,
            reason=reason,
            requeue=requeue,
            leaver_ids=[leaver_id] if leaver_id else [],
            peer_requeue=peer_requeue,
        )

    def met(self, at: datetime) -> "Relationship":
        """After one more completed session."""
        last = at if self.last_session_at is None else max(at, self.last_session_at)
        return replace(self, sessions_completed=self.sessions_completed + 1, last_session_at=last)


@dataclass(frozen=True, slots=True)
class HeardSession:
    """A completed session that has been counted."""

    session_id: str
    relationship_id: str


@dataclass(frozen=True, slots=True)
class Gate:
    """Passed by one transaction at a time: each that changes many pairs locks it before anything else."""

    name: str


def requeue_of(reason: EndReason, standing: Standing, *, mentee_leaves: bool) -> Requeue:
    """What becomes of the mentee, or of either peer, of a pair that ends."""
    if reason is EndReason.COMPLETED:
        return Requeue.GOAL_REACHED
    if reason is EndReason.WITHDRAWN and mentee_leaves:
        return Requeue.MENTEE_NOT_ENROLLED
    if mentee_leaves or standing is Standing.LEFT:
        return Requeue.MENTEE_LEFT
    return Requeue.QUEUED if standing is Standing.ELIGIBLE else Requeue.MENTEE_NOT_ENROLLED


def surplus(proposals: list[Proposal], load: MentorLoad, capacity: int) -> list[Proposal]:
    """The open proposals of a mentor for which there is no place any more: those with the fewest answers
    first, of these the newest."""
    too_many = min(load.used - capacity, len(proposals))
    if too_many <= 0:
        return []
    return sorted(
        proposals,
        key=lambda p: (p.mentor_accepted + p.mentee_accepted, -p.proposed_at.timestamp(), p.proposal_id),
    )[:too_many]
