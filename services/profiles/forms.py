"""What requests must look like, and what answers do."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.profiles.domain.consent import Purpose
from services.profiles.domain.erasure import ErasureStatus
from services.profiles.domain.people import Profile
from services.profiles.domain.programmes import Programme, Wishes
from shared.contracts.base import Key, Label, Prose
from shared.contracts.hr import Language, TimeZone
from shared.contracts.matching import MatchingRules, MatchingSettings, MatchingWeights, Rounds
from shared.contracts.people import (
    Avoided,
    Choices,
    EnrolmentStatus,
    PersonChanged,
    Preferences,
    Role,
    Skills,
)

PAGE_LIMIT = 500

Name = Annotated[Label, StringConstraints(min_length=1)]


def _each_once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


class Form(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is not silently lost."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class TenantForm(Form):
    name: Name
    """Name of the organisation, as people read it."""
    time_zone: TimeZone = "UTC"
    """The organisation's own zone by its IANA name."""


class ProgrammeForm(Form):
    """Every field of ``ProgrammeChanged`` but the id and the matching, with the same bounds."""

    name: Name
    active: bool = True
    coordinator_ids: Annotated[list[Key], Field(max_length=100), AfterValidator(_each_once)] = []
    matching_delay_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)] = 1
    proposal_days: Annotated[int, Field(ge=1, le=90)] = 7
    minimum_level_gap: Annotated[int, Field(ge=0, le=20)] = 1
    same_department_allowed: bool = True
    session_reminder_hours: Annotated[int, Field(ge=1, le=24 * 14)] = 24
    feedback_reminder_days: Annotated[int, Field(ge=1, le=90)] = 3

    def programme(self, programme_id: str) -> Programme:
        return Programme(programme_id, **self.model_dump())


class RulesForm(MatchingRules):
    model_config = ConfigDict(extra="forbid")


class WeightsForm(MatchingWeights):
    model_config = ConfigDict(extra="forbid")


class MatchingForm(MatchingSettings):
    """What a programme decides about its matching; what is left out follows the engine's default."""

    model_config = ConfigDict(extra="forbid")

    rules: RulesForm = Field(default_factory=RulesForm)
    weights: WeightsForm = Field(default_factory=WeightsForm)
    rounds: Rounds = Rounds.AUTOMATIC
    """Whether pairs are proposed by themselves, or from published runs only."""

    def settings(self) -> MatchingSettings:
        return MatchingSettings.model_validate(self.model_dump(exclude={"rounds"}))


class WishesForm(Form):
    """What a participant tells matching in confidence; what is left out becomes empty."""

    choices: Annotated[Choices, AfterValidator(_each_once)] = []
    """Person ids, the most wished for first."""
    avoid: Annotated[Avoided, AfterValidator(_each_once)] = []
    """Person ids with whom the person must not be paired, in whatever programme and role."""
    preferences: Annotated[Preferences, AfterValidator(_each_once)] = []
    """What a mentee wishes of a mentor, or what a mentor chooses to show."""
    paused: bool = False
    """Mentors only: no new mentees for now."""

    def wishes(self) -> Wishes:
        return Wishes(**self.model_dump())


class ProfileForm(Form):
    """The person's own fields of ``PersonChanged``; what is left out becomes empty."""

    skills_offered: Skills = {}
    skills_wanted: Skills = {}
    interests: Annotated[list[Label], Field(max_length=50)] = []
    goals: Prose = ""
    working_style: Label | None = None
    languages: Annotated[list[Language], Field(max_length=20)] = []
    """The person's own choice; empty to follow HR's."""
    mentor_capacity: Annotated[int, Field(ge=0, le=50)] = 1

    def profile(self) -> Profile:
        values = self.model_dump()
        return Profile(own_languages=values.pop("languages"), **values)


class ConsentForm(Form):
    granted: bool
    """Whether the person agrees."""


class EnrolmentForm(Form):
    consent_to_matching: bool
    """The person agrees to be proposed as a partner; must be true."""


class TenantView(BaseModel):
    tenant: str
    name: str
    time_zone: str


class PersonView(PersonChanged):
    """The person as published, with the languages of both sources."""

    version: int
    """Version of the last published state."""
    own_languages: list[str]
    """What the person has chosen; empty to follow HR's."""
    hr_languages: list[str]
    """What HR says."""


class ConsentView(BaseModel):
    person_id: Key
    purpose: Purpose
    granted: bool
    decided_at: datetime


class ProgrammeView(ProgrammeForm):
    """The programme without its matching, which has a view of its own."""

    programme_id: Key
    version: int
    """Version of the last published state."""


class MatchingView(MatchingSettings):
    """What a programme has decided about its matching; nothing where it follows the engine's default."""

    rounds: Rounds
    configuration_version: int
    """Rises with every change of what a matching result depends on."""


class EnrolmentView(BaseModel):
    """The enrolment without what its person tells matching in confidence."""

    enrolment_id: Key
    programme_id: Key
    person_id: Key
    role: Role
    status: EnrolmentStatus
    paused: bool
    """Whether a mentor takes no new mentees for now."""
    version: int
    """Version of the last published state."""


class WishesView(BaseModel):
    """What a participant has told matching in confidence, for their own eyes."""

    choices: Choices
    avoid: Avoided
    preferences: Preferences
    paused: bool
    version: int
    """Version of the enrolment's last published state."""


class ProgrammePage(BaseModel):
    """``next`` is what to send as ``after`` for the next page; absent at the end."""

    items: list[ProgrammeView]
    next: str | None = None


class EnrolmentPage(BaseModel):
    """``next`` is what to send as ``after`` for the next page; absent at the end."""

    items: list[EnrolmentView]
    next: str | None = None


class ReceiptView(BaseModel):
    service: str
    erased_at: datetime
    counts: dict[str, int]
    """How many rows of what were deleted, emptied or ended."""


class ErasureView(BaseModel):
    """Where a person's erasure stands. Ids, numbers and moments only."""

    person_id: Key
    status: ErasureStatus
    requested_at: datetime
    requested_by: str
    confirm_by: datetime
    """When every service should have confirmed; what is missing then is overdue."""
    gone_by: datetime
    """When nothing is left on any topic either."""
    receipts: list[ReceiptView]
    missing: list[str]
    """Services that have not confirmed."""
    lifted_at: datetime | None
    """When HR told of a new employment, and the person was known again."""


class ErasurePage(BaseModel):
    """``next`` is what to send as ``after`` for the next page; absent at the end."""

    items: list[ErasureView]
    next: str | None = None


class DroppedFieldView(BaseModel):
    source: str
    """Who sent it (CloudEvents source)."""
    name: str
    """Name of the field; its values are never kept."""
    count: int
    """How often."""
