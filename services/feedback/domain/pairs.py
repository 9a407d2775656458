"""What this service keeps of other services' programmes and relationships: ids, roles and times."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RelationshipStatus(StrEnum):
    """Whether the pair still meets."""

    ACTIVE = "active"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a pair is over."""

    LEFT = "left"
    NO_FAULT = "no-fault"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Programme:
    """Who may read a programme's analytics."""

    programme_id: str
    coordinator_ids: list[str]
    version: int


@dataclass(frozen=True, slots=True)
class Relationship:
    """A pair. ``ended_at`` and ``end_reason`` are there exactly when it has ended."""

    relationship_id: str
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: RelationshipStatus
    started_at: datetime
    ended_at: datetime | None
    end_reason: EndReason | None
    version: int
    peers: bool = False
    """Neither is the other's mentor: the two only stand in these places."""

    @property
    def ended(self) -> bool:
        return self.status is RelationshipStatus.ENDED

    def has(self, person_id: str) -> bool:
        return person_id in (self.mentor_id, self.mentee_id)
