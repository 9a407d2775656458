"""People, programmes and enrolments: what matching needs of what others own."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec


class PersonStatus(StrEnum):
    UNKNOWN = "unknown"
    """An enrolment speaks of somebody of whom nothing has been heard yet."""
    ACTIVE = "active"
    LEFT = "left"
    ERASED = "erased"
    """Forgotten: nothing but the id and the version is kept, so that older events stay without effect."""


class Role(StrEnum):
    MENTOR = "mentor"
    MENTEE = "mentee"


class EnrolmentStatus(StrEnum):
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


class Person(msgspec.Struct, frozen=True, gc=False):
    """What matching needs of a person. Version 0 is a stub.

    Not a dataclass as the others: a frozen one takes 3 us to make, and every event about anybody makes two.
    """

    person_id: str
    version: int = 0
    status: PersonStatus = PersonStatus.UNKNOWN
    spell: int = 1
    manager_id: str | None = None
    department: str = ""
    team: str | None = None
    office: str | None = None
    time_zone: str = "UTC"
    languages: list[str] = []
    job_level: int | None = None
    skills_offered: dict[str, int] = {}
    skills_wanted: dict[str, int] = {}
    interests: list[str] = []
    goals: str = ""
    working_style: str | None = None
    mentor_capacity: int = 0
    matching_consent: bool = False

    @property
    def matchable(self) -> bool:
        return self.status is PersonStatus.ACTIVE and self.matching_consent


@dataclass(frozen=True, slots=True)
class Departure:
    """That this service has acted on a leaving: the last spell of employment that it knows to be over.

    The natural key of the reaction: it outlives the projection, and between two erasures it never falls.
    """

    person_id: str
    spell: int
    erased_version: int = 0
    """Version of the last erasure: what the person was before it, however late it is heard, has no effect."""

    def covers(self, spell: int, version: int) -> bool:
        """Whether a leaving at the end of *spell*, told by *version* of the person, needs no reaction."""
        return spell <= self.spell or version <= self.erased_version


class Rounds(StrEnum):
    AUTOMATIC = "automatic"
    SUPERVISED = "supervised"
    """Nobody is proposed by itself: pairs come from published runs only."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What matching needs of a programme. Version 0 is a stub."""

    programme_id: str
    version: int = 0
    active: bool = False
    coordinator_ids: list[str] = field(default_factory=list)
    matching_delay_minutes: int = 1
    proposal_days: int = 7
    minimum_level_gap: int = 1
    same_department_allowed: bool = True
    rounds: Rounds = Rounds.AUTOMATIC
    matching: dict[str, Any] = field(default_factory=dict)
    """What the programme decides beside that, by the engine's names; the rest is the engine's default."""
    configuration_version: int = 1

    @property
    def has_rounds(self) -> bool:
        """Whether pairs are proposed without anybody's doing."""
        return self.active and self.rounds is Rounds.AUTOMATIC

    @property
    def at_once(self) -> bool:
        """Whether somebody who comes between rounds is matched without waiting for the next."""
        return (
            self.has_rounds and bool(self.matching.get("at_once")) and not (self.in_groups or self.of_peers)
        )

    @property
    def in_groups(self) -> bool:
        """Whether a mentor leads one group, instead of several mentees each for themselves."""
        return self.matching.get("form") == "group"

    @property
    def of_peers(self) -> bool:
        """Whether there is one pool, in which everybody is enrolled as a mentee. Decided before anybody enrols."""
        return self.matching.get("form") == "peer"


@dataclass(frozen=True, slots=True)
class Enrolment:
    enrolment_id: str
    version: int
    programme_id: str
    person_id: str
    role: Role
    status: EnrolmentStatus
    choices: list[str] = field(default_factory=list)
    avoid: list[str] = field(default_factory=list)
    preferences: list[str] = field(default_factory=list)
    paused: bool = False

    @property
    def active(self) -> bool:
        return self.status is EnrolmentStatus.ACTIVE

    @property
    def open(self) -> bool:
        """Whether a new proposal may be made for it."""
        return self.active and not self.paused


def avoids(enrolments: Iterable[Enrolment], person_id: str) -> bool:
    """Whether somebody with these enrolments avoids *person_id*: a list counts in every programme and role."""
    return any(each.active and person_id in each.avoid for each in enrolments)


def spell_over(status: PersonStatus, spell: int) -> int:
    """The last spell that a person's state shows to be over; 0 for none. A higher spell than the first
    tells of a leaving that was perhaps never heard of."""
    return spell if status is PersonStatus.LEFT else spell - 1


_matched_on = attrgetter(
    "status", "manager_id", "department", "team", "office", "time_zone", "languages", "job_level", "skills_offered",
    "skills_wanted", "interests", "goals", "working_style", "mentor_capacity", "matching_consent",
)  # fmt: skip


def matters(before: Person, after: Person) -> bool:
    """Whether a round could now come to another result."""
    return bool(_matched_on(before) != _matched_on(after))
