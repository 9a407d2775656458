"""Programmes, and who takes part in them as what."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from services.profiles.domain.people import Person, PersonStatus


class Role(StrEnum):
    MENTOR = "mentor"
    MENTEE = "mentee"


class EnrolmentStatus(StrEnum):
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme and its configuration; all of it but nothing else is published."""

    programme_id: str
    name: str
    active: bool = True
    coordinator_ids: list[str] = field(default_factory=list)
    matching_delay_minutes: int = 1
    proposal_days: int = 7
    minimum_level_gap: int = 1
    same_department_allowed: bool = True
    session_reminder_hours: int = 24
    feedback_reminder_days: int = 3
    version: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One person in one programme in one role; it is never deleted, only withdrawn."""

    enrolment_id: str
    programme_id: str
    person_id: str
    role: Role
    status: EnrolmentStatus
    version: int = 0

    @property
    def active(self) -> bool:
        return self.status is EnrolmentStatus.ACTIVE


class Obstacle(StrEnum):
    """Why somebody cannot be enrolled now."""

    PROGRAMME_CLOSED = "programme_closed"
    PERSON_LEFT = "person_left"
    NO_MENTOR_CAPACITY = "no_mentor_capacity"


def obstacle(programme: Programme, person: Person, role: Role) -> Obstacle | None:
    """What stands against a new enrolment. One that is active stays so, whatever changes here later."""
    if not programme.active:
        return Obstacle.PROGRAMME_CLOSED
    if person.status is PersonStatus.LEFT:
        return Obstacle.PERSON_LEFT
    if role is Role.MENTOR and person.mentor_capacity < 1:
        return Obstacle.NO_MENTOR_CAPACITY
    return None


def with_status(enrolment: Enrolment, status: EnrolmentStatus) -> Enrolment:
    return replace(enrolment, status=status)
