"""What callers may send. Unknown fields are refused, everything has a bound."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from services.feedback.domain.feedback import Audience, Content
from shared.contracts.base import Instant, Prose

Rating = Annotated[int, Field(ge=1, le=5, strict=True)]


class Form(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class SessionForm(Form):
    """When a session takes place."""

    starts_at: Instant
    """When it begins, with its UTC offset."""
    minutes: Annotated[int, Field(ge=5, le=24 * 60, strict=True)]
    """How long it lasts."""

    @field_validator("starts_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError("is outside the calendar") from None


class Ratings(Form):
    """The five dimensions of a mentor's skills, each from 1 to 5; what is left out is not rated."""

    communication: Rating | None = None
    empathy: Rating | None = None
    leadership: Rating | None = None
    adaptability: Rating | None = None
    boundaries: Rating | None = None


class AnswerForm(Form):
    """Constructive feedback: what was done, what it led to, what would help; and who may read it."""

    ratings: Ratings = Ratings()
    behaviour: Prose = ""
    """What the other one did."""
    impact: Prose = ""
    """What that led to."""
    suggestion: Prose = ""
    """What would help next time."""
    audience: Audience
    """Who may read it: the partner, the programme's coordinators, or nobody (it counts in averages only)."""

    def content(self) -> Content:
        return Content(
            **self.ratings.model_dump(),
            behaviour=self.behaviour,
            impact=self.impact,
            suggestion=self.suggestion,
            audience=self.audience,
        )
