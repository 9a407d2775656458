"""What the engine knows of people. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

HIGHEST_PRIORITY: Final = 3
_RATINGS: Final = frozenset(range(1, 6))
HIGHEST_ROOM: Final = 1_000


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a pool. What is not known is left out, and then gives no points."""

    person_id: str
    department: str = ""
    team: str = ""
    office: str = ""
    level: int | None = None
    languages: tuple[str, ...] = ("en",)
    """BCP 47 tags; their primary parts count."""
    time_zone: str = "UTC"
    """IANA name."""
    interests: tuple[str, ...] = ()
    working_style: str | None = None
    goals: str = ""
    """In the person's own words: what a mentee wants to reach, or a mentor wants to help with."""
    skills: Mapping[str, int] = field(default_factory=dict)
    """Wanted by a mentee (weight), offered by a mentor (strength); 1 to 5."""
    preferences: tuple[str, ...] = ()
    """A mentee's wishes, or what a mentor chose to show; compared word by word."""
    choices: tuple[str, ...] = ()
    """Person ids that this person would like, the first the most."""
    avoid: frozenset[str] = frozenset()
    """Person ids that this person must not be paired with."""
    priority: int = 0
    """Mentees only: whoever has a higher one is matched first where mentors are scarce (0 to 3)."""
    free: int = 0
    """Mentors only: how many more mentees they take; 0 also when paused."""
    completed: int = 0
    """Mentors only: relationships that reached their goal."""
    group: str = ""
    """What the report compares people by, for instance a department. No rule and no factor reads it."""
    total: int | None = None
    """How many more relationships the person takes in all, as mentee, mentor or peer; None for no such limit. Who is on
    both sides has the same on both."""

    @property
    def room(self) -> int:
        """How many mentees the person takes when nobody mentors them."""
        return self.free if self.total is None else min(self.free, self.total)


@dataclass(frozen=True, slots=True)
class Pool:
    """Everything about people that a run depends on."""

    as_of: date
    """The day whose UTC offsets count."""
    mentees: tuple[Participant, ...]
    mentors: tuple[Participant, ...]
    """All mentors of the programme, those without room included: they tell "all full" from "nobody fits"."""
    managers: Mapping[str, str] = field(default_factory=dict)
    """Person to direct manager, for everybody in the reporting lines of the pool."""
    failed: frozenset[tuple[str, str]] = frozenset()
    """(mentee, mentor) that were a pair or proposed before, without success."""


class InvalidPool(ValueError):
    """People that contradict themselves: the same id twice, a capacity below nothing."""


def check(pool: Pool) -> None:
    """Raise :class:`InvalidPool` with the first contradiction."""
    totals: dict[str, int | None] = {}
    for side, people in (("mentees", pool.mentees), ("mentors", pool.mentors)):
        seen: set[str] = set()
        for person in people:
            if person.person_id in seen:
                raise InvalidPool(f"{person.person_id} is twice among the {side}.")
            seen.add(person.person_id)
            if person.free < 0:
                raise InvalidPool(f"{person.person_id} takes fewer than no mentees.")
            if person.free > HIGHEST_ROOM:
                raise InvalidPool(f"{person.person_id} takes more than {HIGHEST_ROOM:,} mentees.")
            if person.total is not None and person.total < 0:
                raise InvalidPool(f"{person.person_id} takes fewer than no relationships.")
            if totals.setdefault(person.person_id, person.total) != person.total:
                raise InvalidPool(f"{person.person_id} has one total as a mentee and another as a mentor.")
            if not 0 <= person.priority <= HIGHEST_PRIORITY:
                raise InvalidPool(f"The priority of {person.person_id} is not 0 to {HIGHEST_PRIORITY}.")
            if not _RATINGS.issuperset(person.skills.values()):
                raise InvalidPool(f"A skill of {person.person_id} is not rated 1 to 5.")
