"""One employee as HR knows them, and the organisation that they make up."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import Any

from shared.contracts.hr import PersonRecorded


@dataclass(frozen=True, slots=True)
class Member:
    """One employee: what HR records, and what the person would write into the profile form.

    Names of fields are those of the contract. ``unmapped`` is what a careless HR system sends beside
    the record (pay, age, ...): the platform has to drop it.
    """

    employee_id: str
    given_name: str
    family_name: str
    email: str
    department: str
    manager_employee_id: str | None = None
    team: str | None = None
    office: str | None = None
    time_zone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    job_title: str | None = None
    job_level: int | None = None
    hired_on: date | None = None
    skills_offered: Mapping[str, int] = field(default_factory=dict)
    skills_wanted: Mapping[str, int] = field(default_factory=dict)
    interests: tuple[str, ...] = ()
    goals: str = ""
    working_style: str | None = None
    mentor_capacity: int = 1
    unmapped: Mapping[str, str] = field(default_factory=dict)

    def recorded(self) -> PersonRecorded:
        """HR's record, checked against the contract (raises Pydantic's ``ValidationError``)."""
        return PersonRecorded(
            employee_id=self.employee_id,
            given_name=self.given_name,
            family_name=self.family_name,
            email=self.email,
            manager_employee_id=self.manager_employee_id,
            department=self.department,
            team=self.team,
            office=self.office,
            time_zone=self.time_zone,
            languages=list(self.languages),
            job_title=self.job_title,
            job_level=self.job_level,
            hired_on=self.hired_on,
        )

    def hr_data(self) -> dict[str, Any]:
        """The data of this person's HR event, ready for JSON: the record and what is sent beside it."""
        return {**self.unmapped, **self.recorded().model_dump(mode="json")}

    def profile(self) -> dict[str, Any]:
        """The fields of the profile form, ready for JSON, named as in ``PersonChanged``."""
        return {
            "skills_offered": dict(self.skills_offered),
            "skills_wanted": dict(self.skills_wanted),
            "interests": list(self.interests),
            "goals": self.goals,
            "working_style": self.working_style,
            "languages": list(self.languages),
            "mentor_capacity": self.mentor_capacity,
        }


_FIELDS = tuple(each.name for each in fields(Member))


@dataclass(frozen=True)
class Organisation:
    """All employees, each once. Nobody is their own manager at any remove: the chains end at a head."""

    seed: int
    members: tuple[Member, ...]

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    @cached_property
    def by_id(self) -> Mapping[str, Member]:
        return {member.employee_id: member for member in self.members}

    @cached_property
    def reports(self) -> Mapping[str, tuple[Member, ...]]:
        """Direct reports by the manager's employee id; who manages nobody is not in it."""
        found: dict[str, list[Member]] = {}
        for member in self.members:
            if member.manager_employee_id is not None:
                found.setdefault(member.manager_employee_id, []).append(member)
        return {manager: tuple(reports) for manager, reports in found.items()}

    @property
    def heads(self) -> tuple[Member, ...]:
        """Those who have no manager."""
        return tuple(member for member in self.members if member.manager_employee_id is None)

    def digest(self) -> str:
        """SHA-256 over every field of every member, in order: equal means byte-identical."""
        sha = hashlib.sha256(str(self.seed).encode())
        for member in self.members:
            sha.update(json.dumps([getattr(member, name) for name in _FIELDS], default=str).encode())
        return sha.hexdigest()
