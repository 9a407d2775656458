"""What *profiles* says: people, programmes and enrolments, each as its whole public state."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import EventData, Key, Label, Prose
from shared.contracts.hr import Email, Language, TimeZone
from shared.contracts.matching import MatchingSettings, Rounds, contradictions


class PersonStatus(StrEnum):
    """Whether somebody is employed."""

    ACTIVE = "active"
    """Employed."""
    LEFT = "left"
    """The last day of employment has passed."""


class Role(StrEnum):
    """As what somebody takes part."""

    MENTOR = "mentor"
    MENTEE = "mentee"


class EnrolmentStatus(StrEnum):
    """Whether somebody takes part."""

    ACTIVE = "active"
    """Takes part."""
    WITHDRAWN = "withdrawn"
    """No longer takes part."""


Strength = Annotated[int, Field(ge=1, le=5)]
Skills = Annotated[dict[Label, Strength], Field(max_length=50)]
"""Skill name to strength (offered) or weight (wanted), 1 to 5."""
Choices = Annotated[list[Key], Field(max_length=10)]
"""Person ids, the most wished for first."""
Avoided = Annotated[list[Key], Field(max_length=100)]
"""Person ids."""
Preferences = Annotated[list[Annotated[Label, StringConstraints(min_length=1)]], Field(max_length=10)]
"""A mentee's wishes, or what a mentor chose to show; compared word by word."""


class PersonChanged(EventData):
    """One person as the platform knows them now.

    ``spell`` counts periods of employment: it rises when somebody who had left is back. A reader that
    sees a higher spell than it knows has missed a leaving, and acts on it.
    """

    TYPE: ClassVar[str] = "mentoring.person.changed.v1"
    TOPIC: ClassVar[str] = "person"
    SUBJECT: ClassVar[str] = "person_id"

    person_id: Key
    """The platform's id of the person, derived from tenant and employee id."""
    status: PersonStatus
    """Whether the person is employed."""
    spell: Annotated[int, Field(ge=1)] = 1
    """Which period of employment this is, from 1."""
    given_name: Label
    """Given name."""
    family_name: Label
    """Family name."""
    email: Email
    """Address for mails; never a key."""
    manager_id: Key | None = None
    """Person id of the direct manager; absent at the top."""
    department: Label
    """Department, in HR's words."""
    team: Label | None = None
    """Team within the department."""
    office: Label | None = None
    """Place of work."""
    time_zone: TimeZone = "UTC"
    """The person's own time zone by its IANA name."""
    languages: Annotated[list[Language], Field(max_length=20)] = ["en"]
    """Languages as BCP 47 tags, the preferred one first."""
    job_title: Label | None = None
    """Job title."""
    job_level: Annotated[int, Field(ge=1, le=20)] | None = None
    """Seniority as a number, 1 the most junior."""
    hired_on: date | None = None
    """First day of the present employment."""
    skills_offered: Skills = {}
    """Skill to strength, 1 to 5: what the person can teach."""
    skills_wanted: Skills = {}
    """Skill to weight, 1 to 5: what the person wants to learn."""
    interests: Annotated[list[Label], Field(max_length=50)] = []
    """Topics that the person cares about."""
    goals: Prose = ""
    """What the person wants to reach, in the person's own words."""
    working_style: Label | None = None
    """How the person likes to work."""
    mentor_capacity: Annotated[int, Field(ge=0, le=50)] = 1
    """How many mentees the person takes at once, over all programmes."""
    matching_consent: bool = False
    """Whether the person agrees to be matched; without it no new proposal is made."""


class PersonErased(EventData):
    """The tombstone of a person: a null value whose headers carry the envelope."""

    TYPE: ClassVar[str] = "mentoring.person.erased.v1"
    TOPIC: ClassVar[str] = "person"
    SUBJECT: ClassVar[str] = "person_id"

    person_id: Key
    """Who is forgotten; the record's key."""


class ProgrammeChanged(EventData):
    """A programme and its configuration. Each service keeps the part that concerns it."""

    TYPE: ClassVar[str] = "mentoring.programme.changed.v1"
    TOPIC: ClassVar[str] = "programme"
    SUBJECT: ClassVar[str] = "programme_id"

    programme_id: Key
    """Id of the programme."""
    name: Label
    """Name of the programme, as people read it."""
    active: bool = True
    """Whether it takes enrolments and matches."""
    coordinator_ids: Annotated[list[Key], Field(max_length=100)] = []
    """Person ids of those who run it."""
    matching_delay_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)] = 1
    """How long after an enrolment the next matching round runs; those who come meanwhile join it."""
    proposal_days: Annotated[int, Field(ge=1, le=90)] = 7
    """After so many days an unanswered proposal expires."""
    minimum_level_gap: Annotated[int, Field(ge=0, le=20)] = 1
    """By how many job levels a mentor must be above the mentee."""
    same_department_allowed: bool = True
    """Whether mentor and mentee may be of one department."""
    session_reminder_hours: Annotated[int, Field(ge=1, le=24 * 14)] = 24
    """So many hours before a session both are reminded."""
    feedback_reminder_days: Annotated[int, Field(ge=1, le=90)] = 3
    """So many days after the request a missing answer is asked for again."""
    rounds: Rounds = Rounds.AUTOMATIC
    """Whether pairs are proposed by themselves, or from published runs only."""
    matching: MatchingSettings = Field(default_factory=MatchingSettings)
    """Rules, weights and aims of its matching."""
    configuration_version: Annotated[int, Field(ge=1)] = 1
    """Rises with every change of what a matching result depends on: ``matching``, level gap, departments."""

    @model_validator(mode="after")
    def _is_possible(self) -> "ProgrammeChanged":
        if problems := contradictions(self.minimum_level_gap, self.matching.decided()):
            raise ValueError(" ".join(problems))
        return self


class EnrolmentChanged(EventData):
    """A person takes part in a programme in a role, or no longer does; and whom they would like as a partner.

    Choices, avoid list and preferences are for matching alone: no answer, reason or message repeats them.
    """

    TYPE: ClassVar[str] = "mentoring.enrolment.changed.v1"
    TOPIC: ClassVar[str] = "enrolment"
    SUBJECT: ClassVar[str] = "enrolment_id"

    enrolment_id: Key
    """Id of the enrolment."""
    programme_id: Key
    """Id of the programme."""
    person_id: Key
    """Who takes part."""
    role: Role
    """As what: one person may be both, by two enrolments."""
    status: EnrolmentStatus
    """Whether the person takes part now."""
    choices: Choices = []
    """Whom the person would like as a partner, the most wished for first. People may be unknown or elsewhere."""
    avoid: Avoided = []
    """With whom the person must not be paired, in whatever programme and role."""
    preferences: Preferences = []
    """Opt-in: what a mentee wishes of a mentor, or what a mentor chose to show of themselves."""
    paused: bool = False
    """Mentors only: takes no new mentees here for now."""
