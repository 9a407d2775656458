"""A person: what HR says in two facets, what the person says, and what others may know of it.

HR's events of one employee can come late, twice or in another order. Two facets are therefore ordered
apart, each by HR's own sequence: the *record* (who somebody is) and the *employment* (whether and until
when). An event of one facet never changes the other, except that the last day ends in the time zone of
the record.

A row without a record is a *stub*: HR has spoken of the employment only. Nobody else hears of a stub.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

NEVER: Final = -1
"""Sequence of a facet that HR has not spoken of; HR's own begin at 0."""

_LAST_DATE: Final = date(9999, 12, 30)
"""HR systems write 9999-12-31 for "never"; the midnight after it is not a date."""


class PersonStatus(StrEnum):
    """Whether somebody is employed, as everybody may know it."""

    ACTIVE = "active"
    LEFT = "left"


class Employment(StrEnum):
    """Where the employment stands. That somebody is leaving is HR's secret until it has happened."""

    EMPLOYED = "employed"
    LEAVING = "leaving"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class HrRecord:
    """HR's present record of somebody, with the platform's ids."""

    given_name: str
    family_name: str
    email: str
    manager_id: str | None
    department: str
    team: str | None
    office: str | None
    time_zone: str
    hr_languages: list[str]
    job_title: str | None
    job_level: int | None
    hired_on: date | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What the person says of themselves. Without ``own_languages`` HR's hold."""

    skills_offered: dict[str, int] = field(default_factory=dict)
    skills_wanted: dict[str, int] = field(default_factory=dict)
    interests: list[str] = field(default_factory=list)
    goals: str = ""
    working_style: str | None = None
    own_languages: list[str] = field(default_factory=list)
    mentor_capacity: int = 1


@dataclass(frozen=True, slots=True)
class Person:
    """One row: both facets, the profile, and the ``version`` of what has been published (0: nothing)."""

    person_id: str
    employee_id: str
    version: int = 0
    record_sequence: int = NEVER
    employment_sequence: int = NEVER
    employment: Employment = Employment.EMPLOYED
    effective_on: date | None = None
    spell: int = 1
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    manager_id: str | None = None
    department: str = ""
    team: str | None = None
    office: str | None = None
    time_zone: str = "UTC"
    hr_languages: list[str] = field(default_factory=list)
    job_title: str | None = None
    job_level: int | None = None
    hired_on: date | None = None
    skills_offered: dict[str, int] = field(default_factory=dict)
    skills_wanted: dict[str, int] = field(default_factory=dict)
    interests: list[str] = field(default_factory=list)
    goals: str = ""
    working_style: str | None = None
    own_languages: list[str] = field(default_factory=list)
    mentor_capacity: int = 1

    @property
    def recorded(self) -> bool:
        """Whether HR has told who this is; a stub is nobody yet."""
        return self.record_sequence > NEVER

    @property
    def status(self) -> PersonStatus:
        return PersonStatus.LEFT if self.employment is Employment.LEFT else PersonStatus.ACTIVE

    @property
    def languages(self) -> list[str]:
        return self.own_languages or self.hr_languages

    @property
    def leaves_at(self) -> datetime | None:
        """When the pending termination takes effect; None without one, and for a stub (no zone is known)."""
        if self.employment is not Employment.LEAVING or not self.recorded or self.effective_on is None:
            return None
        return end_of_day(self.effective_on, self.time_zone)


PUBLIC: Final = (
    "status", "spell", "given_name", "family_name", "email", "manager_id", "department", "team", "office",
    "time_zone", "languages", "job_title", "job_level", "hired_on", "skills_offered", "skills_wanted",
    "interests", "goals", "working_style", "mentor_capacity",
)  # fmt: skip
"""What others may know of a person (beside the id and the consent). The date of leaving is not in it."""

_public = attrgetter(*PUBLIC)


def public_state(person: Person) -> tuple[Any, ...] | None:
    """The values of :data:`PUBLIC`, or None for a stub. Equal states need no new event."""
    return _public(person) if person.recorded else None


def end_of_day(day: date, time_zone: str) -> datetime:
    """The first moment after *day* in *time_zone*, in UTC.

    Where clocks jump over midnight it is the jump itself; where midnight comes twice it is the first.
    """
    midnight = datetime.combine(min(day, _LAST_DATE) + timedelta(days=1), time.min, ZoneInfo(time_zone))
    return midnight.astimezone(UTC)


def hear_record(person: Person, record: HrRecord, sequence: int, now: datetime) -> Person:
    """HR's record replaces the one before. A termination that waits is measured in the new zone."""
    return _settle(replace(person, record_sequence=sequence, **_values(record)), now)


def hear_termination(person: Person, effective_on: date, sequence: int, now: datetime) -> Person:
    """The person leaves, or has left, at the end of *effective_on*; it replaces every earlier date.

    Somebody who has left and gets a last day in the future is back until then: that is a new spell.
    """
    if person.employment is Employment.LEFT and effective_on == person.effective_on:
        return replace(person, employment_sequence=sequence)
    leaving = _settle(
        replace(
            person, employment=Employment.LEAVING, effective_on=effective_on, employment_sequence=sequence
        ),
        now,
    )
    return _back(person, leaving)


def hear_cancellation(person: Person, sequence: int) -> Person:
    """The person stays. After a leaving that has taken effect it is a return: a new spell.

    A cancellation that arrives before the effect is in time, even when the effect is overdue: nobody has
    heard of a leaving.
    """
    staying = replace(person, employment=Employment.EMPLOYED, effective_on=None, employment_sequence=sequence)
    return _back(person, staying)


def leave_when_due(person: Person, now: datetime) -> Person:
    """What the timer asks for: the termination takes effect if it still stands and its time has come."""
    return _settle(person, now)


def write_profile(person: Person, profile: Profile) -> Person:
    """The person's own words replace all the former ones."""
    return replace(person, **_values(profile))


def _settle(person: Person, now: datetime) -> Person:
    due = person.leaves_at
    return replace(person, employment=Employment.LEFT) if due is not None and due <= now else person


def _back(before: Person, after: Person) -> Person:
    returned = before.employment is Employment.LEFT and after.employment is not Employment.LEFT
    return replace(after, spell=before.spell + 1) if returned else after


def _values(part: HrRecord | Profile) -> dict[str, Any]:
    return {each.name: getattr(part, each.name) for each in fields(part)}
