"""What requests must look like, and what answers do."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.matching.domain.mentees import Found
from services.matching.domain.pairs import EndReason, ProposalStatus, RelationshipStatus, Requeue


class EndForm(BaseModel):
    """Why a pair ends. Nobody is told who of the two asked for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Literal[EndReason.NO_FAULT, EndReason.COMPLETED]


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ProposalView(View):
    proposal_id: str
    version: int
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: ProposalStatus
    mentor_accepted: bool
    mentee_accepted: bool
    score: int
    reasons: list[str]
    proposed_at: datetime
    expires_at: datetime


class ProposalList(BaseModel):
    items: list[ProposalView]


class RelationshipView(View):
    relationship_id: str
    version: int
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: RelationshipStatus
    started_at: datetime
    ended_at: datetime | None
    reason: EndReason | None
    requeue: Requeue | None
    sessions_completed: int
    last_session_at: datetime | None


class RelationshipList(BaseModel):
    items: list[RelationshipView]


class RoundView(BaseModel):
    programme_id: str
    due: datetime


class WaitingView(View):
    """One mentee who waits, since when, and what the last round found."""

    person_id: str
    enrolment_id: str
    since: date
    found: Found
    priority: int


class WaitingPage(BaseModel):
    """``next`` is what to send as ``after`` for the next page; absent at the end."""

    items: list[WaitingView]
    next: str | None = None
