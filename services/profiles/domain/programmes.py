"""Programmes, and who takes part in them as what."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from services.profiles.domain.people import Person, PersonStatus


class Role(StrEnum):
    MENTOR = "mentor"
    MENTEE = "mentee"


class EnrolmentStatus(StrEnum):
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


class Rounds(StrEnum):
    """Whether pairs are proposed by themselves, or from published runs only."""

    AUTOMATIC = "automatic"
    SUPERVISED = "supervised"


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
    rounds: Rounds = Rounds.AUTOMATIC
    matching: dict[str, Any] = field(default_factory=dict)
    """What the programme decides about its matching, by the names of the contract; the rest is the engine's."""
    configuration_version: int = 1
    version: int = 0

    @property
    def of_peers(self) -> bool:
        """Whether there is one pool instead of mentors and mentees."""
        return self.matching.get("form") == "peer"


_RESULT_DEPENDS_ON: Final = ("matching", "minimum_level_gap", "same_department_allowed")


def reconfigured(before: Programme, after: Programme) -> Programme:
    """*after* with its ``configuration_version``: higher when a matching result may now be another."""
    changed = any(getattr(before, name) != getattr(after, name) for name in _RESULT_DEPENDS_ON)
    return replace(after, configuration_version=before.configuration_version + changed)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a participant tells matching in confidence. Nobody else reads the lists."""

    choices: list[str] = field(default_factory=list)
    """Person ids, the most wished for first."""
    avoid: list[str] = field(default_factory=list)
    """Person ids."""
    preferences: list[str] = field(default_factory=list)
    """What a mentee wishes of a mentor, or what a mentor chose to show."""
    paused: bool = False
    """Mentors only: takes no new mentees for now."""

    @property
    def names(self) -> set[str]:
        """Everybody whom the lists name."""
        return {*self.choices, *self.avoid}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One person in one programme in one role; it is never deleted, only withdrawn."""

    enrolment_id: str
    programme_id: str
    person_id: str
    role: Role
    status: EnrolmentStatus
    choices: list[str] = field(default_factory=list)
    avoid: list[str] = field(default_factory=list)
    preferences: list[str] = field(default_factory=list)
    paused: bool = False
    version: int = 0

    @property
    def active(self) -> bool:
        return self.status is EnrolmentStatus.ACTIVE

    @property
    def wishes(self) -> Wishes:
        return Wishes(self.choices, self.avoid, self.preferences, self.paused)


class Obstacle(StrEnum):
    """Why somebody cannot be enrolled now."""

    PROGRAMME_CLOSED = "programme_closed"
    PERSON_LEFT = "person_left"
    NO_MENTOR_CAPACITY = "no_mentor_capacity"
    NO_MENTORS_AMONG_PEERS = "no_mentors_among_peers"


def obstacle(programme: Programme, person: Person, role: Role) -> Obstacle | None:
    """What stands against a new enrolment. One that is active stays so, whatever changes here later."""
    if not programme.active:
        return Obstacle.PROGRAMME_CLOSED
    if person.status is PersonStatus.LEFT:
        return Obstacle.PERSON_LEFT
    if role is Role.MENTOR and programme.of_peers:
        return Obstacle.NO_MENTORS_AMONG_PEERS
    if role is Role.MENTOR and person.mentor_capacity < 1:
        return Obstacle.NO_MENTOR_CAPACITY
    return None


def with_status(enrolment: Enrolment, status: EnrolmentStatus) -> Enrolment:
    return replace(enrolment, status=status)


def with_wishes(enrolment: Enrolment, wishes: Wishes) -> Enrolment:
    """With these in place of all former ones."""
    return replace(
        enrolment,
        choices=wishes.choices,
        avoid=wishes.avoid,
        preferences=wishes.preferences,
        paused=wishes.paused,
    )


def without_mention(enrolment: Enrolment, person_id: str) -> Enrolment:
    """With *person_id* on neither list."""
    return replace(
        enrolment,
        choices=[each for each in enrolment.choices if each != person_id],
        avoid=[each for each in enrolment.avoid if each != person_id],
    )


def excludes_itself(wishes: Wishes, person_id: str, role: Role) -> str | None:
    """What in the wishes cannot be meant, as a sentence."""
    if person_id in wishes.names:
        return "Nobody chooses or avoids themselves."
    if set(wishes.choices) & set(wishes.avoid):
        return "Somebody is chosen and avoided at once."
    if wishes.paused and role is Role.MENTEE:
        return "Only mentors pause; a mentee withdraws."
    return None
