"""What *matching* says: proposals and relationships. Ids only, no personal data."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import EventData, Instant, Key, Label


class ProposalStatus(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    """Waits for one answer or both."""
    ACCEPTED = "accepted"
    """Both said yes: a relationship starts."""
    DECLINED = "declined"
    """One said no."""
    EXPIRED = "expired"
    """Not answered in time."""
    WITHDRAWN = "withdrawn"
    """No longer possible: somebody left, withdrew or is full."""


class RelationshipStatus(StrEnum):
    """Where a relationship stands."""

    ACTIVE = "active"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a relationship ended."""

    LEFT = "left"
    """One of the two left the organisation."""
    NO_FAULT = "no-fault"
    """One of the two wished to end it; nobody is told who."""
    COMPLETED = "completed"
    """It ran its course."""
    WITHDRAWN = "withdrawn"
    """One of the two withdrew from the programme, or was erased."""


class Requeue(StrEnum):
    """What became of the mentee, or of a peer, when a relationship ended."""

    QUEUED = "queued"
    """Waits for a new mentor, with priority."""
    MENTEE_LEFT = "mentee-left"
    """Not queued: the mentee left."""
    MENTEE_NOT_ENROLLED = "mentee-not-enrolled"
    """Not queued: the mentee no longer takes part."""
    GOAL_REACHED = "goal-reached"
    """Not queued: the mentee has reached the goal."""


class ProposalChanged(EventData):
    """A proposed pair and who has said yes so far. Both must, before ``expires_at``."""

    TYPE: ClassVar[str] = "mentoring.proposal.changed.v1"
    TOPIC: ClassVar[str] = "proposal"
    SUBJECT: ClassVar[str] = "proposal_id"

    proposal_id: Key
    """Id of the proposal."""
    programme_id: Key
    """Id of the programme."""
    mentor_id: Key
    """Person id of the mentor."""
    mentee_id: Key
    """Person id of the mentee."""
    peers: bool = False
    """Whether the two are peers: neither leads the other, and the one with the lower id stands as the mentee."""
    status: ProposalStatus
    """Where the proposal stands."""
    mentor_accepted: bool = False
    """Whether the mentor has said yes."""
    mentee_accepted: bool = False
    """Whether the mentee has said yes."""
    score: Annotated[int, Field(ge=0)] = 0
    """The matching score, comparable within one run only."""
    reasons: Annotated[list[Label], Field(max_length=20)] = []
    """Why these two, as general reasons that name nobody."""
    expires_at: Instant
    """Until when it can be answered."""


class RelationshipStarted(EventData):
    """Both said yes: the two are a pair from now on."""

    TYPE: ClassVar[str] = "mentoring.relationship.started.v1"
    TOPIC: ClassVar[str] = "relationship"
    SUBJECT: ClassVar[str] = "relationship_id"

    relationship_id: Key
    """Id of the relationship."""
    programme_id: Key
    """Id of the programme."""
    mentor_id: Key
    """Person id of the mentor."""
    mentee_id: Key
    """Person id of the mentee."""
    peers: bool = False
    """Whether the two are peers: neither leads the other, and the one with the lower id stands as the mentee."""
    started_at: Instant
    """When the second of the two said yes."""


class RelationshipEnded(EventData):
    """The pair is over. ``leaver_ids`` names who is gone: nobody writes to them any more."""

    TYPE: ClassVar[str] = "mentoring.relationship.ended.v1"
    TOPIC: ClassVar[str] = "relationship"
    SUBJECT: ClassVar[str] = "relationship_id"

    relationship_id: Key
    """Id of the relationship."""
    programme_id: Key
    """Id of the programme."""
    mentor_id: Key
    """Person id of the mentor."""
    mentee_id: Key
    """Person id of the mentee."""
    peers: bool = False
    """Whether the two are peers: neither leads the other, and the one with the lower id stands as the mentee."""
    started_at: Instant
    """When it started."""
    ended_at: Instant
    """When it ended."""
    reason: EndReason
    """Why it ended."""
    leaver_ids: Annotated[list[Key], Field(max_length=2)] = []
    """Who has left the organisation (reason *left*) or was erased (reason *withdrawn*)."""
    requeue: Requeue
    """What became of the mentee."""
    peer_requeue: Requeue | None = None
    """Between peers: what became of the one who stands as the mentor."""
