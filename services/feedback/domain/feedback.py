"""Requests for feedback and the answers to them.

A request is made for each of the two when a session is completed. The author answers once, may change or
retract the answer for some days, and chooses who reads it. What is retracted is gone.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.feedback.domain.refusals import Refusal

RETRACTION_DAYS: Final = 7
"""So many days after the first submission the author may change or retract an answer."""

CLOSING_DAYS: Final = 30
"""So many days after it was made an unanswered request is closed."""

CLOSING_TIMER: Final = "feedback-close"
"""The kind of the timer that closes a request; its key is the request's id."""

DIMENSIONS: Final = ("communication", "empathy", "leadership", "adaptability", "boundaries")
"""What is rated, each from 1 to 5."""

MINIMUM_GROUP: Final = 5
"""An average is shown only when at least so many different people have rated."""


class RequestStatus(StrEnum):
    """Where a request stands."""

    REQUESTED = "requested"
    SUBMITTED = "submitted"
    CLOSED = "closed"


class Audience(StrEnum):
    """Who may read an answer besides its author. Each choice excludes the others."""

    PARTNER = "partner"
    COORDINATOR = "coordinator"
    AGGREGATE = "aggregate"
    """Nobody: only its ratings count, within averages of a group."""


@dataclass(frozen=True, slots=True)
class FeedbackRequest:
    """One of the two is asked about one session. There is an answer exactly while it is *submitted*."""

    feedback_request_id: str
    session_id: str
    relationship_id: str
    programme_id: str
    author_id: str
    partner_id: str
    status: RequestStatus
    requested_at: datetime
    submitted_at: datetime | None
    version: int

    @property
    def changeable_until(self) -> datetime | None:
        """Until when a submitted answer can be changed or retracted."""
        if self.status is not RequestStatus.SUBMITTED or self.submitted_at is None:
            return None
        return self.submitted_at + timedelta(days=RETRACTION_DAYS)

    @property
    def closes_at(self) -> datetime:
        """When it is closed unless it has been answered."""
        return self.requested_at + timedelta(days=CLOSING_DAYS)


@dataclass(frozen=True, slots=True)
class Content:
    """What an author says: ratings from 1 to 5, and behaviour, impact and suggestion in own words."""

    communication: int | None
    empathy: int | None
    leadership: int | None
    adaptability: int | None
    boundaries: int | None
    behaviour: str
    impact: str
    suggestion: str
    audience: Audience

    @property
    def empty(self) -> bool:
        """Whether nothing is rated and nothing written."""
        ratings = (getattr(self, name) for name in DIMENSIONS)
        return not any((*ratings, self.behaviour, self.impact, self.suggestion))


@dataclass(frozen=True, slots=True)
class Answer(Content):
    """A submitted answer. It stays in this service: no event ever carries it."""

    feedback_request_id: str
    relationship_id: str
    programme_id: str
    author_id: str
    partner_id: str
    submitted_at: datetime
    changed_at: datetime

    @property
    def content(self) -> Content:
        return Content(*(getattr(self, field.name) for field in fields(Content)))


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request with its answer, after a submission."""

    request: FeedbackRequest
    answer: Answer


def submit(
    request: FeedbackRequest, known: Answer | None, content: Content, *, now: datetime
) -> Submitted | Refusal:
    """The answer given, changed, or left as it is when it says the same already."""
    if request.status is RequestStatus.CLOSED:
        return Refusal.FEEDBACK_CLOSED
    if content.empty:
        return Refusal.EMPTY_ANSWER
    first = now
    if known is not None:
        if known.content == content:
            return Submitted(request, known)
        if not _changeable(request, now):
            return Refusal.ANSWER_FINAL
        first = known.submitted_at
    request = replace(
        request, status=RequestStatus.SUBMITTED, submitted_at=first, version=request.version + 1
    )
    answer = Answer(
        **{field.name: getattr(content, field.name) for field in fields(Content)},
        feedback_request_id=request.feedback_request_id,
        relationship_id=request.relationship_id,
        programme_id=request.programme_id,
        author_id=request.author_id,
        partner_id=request.partner_id,
        submitted_at=first,
        changed_at=now,
    )
    return Submitted(request, answer)


def retract(request: FeedbackRequest, *, now: datetime) -> FeedbackRequest | Refusal:
    """The request closed, its answer to be deleted; a closed one stays as it is."""
    if request.status is RequestStatus.CLOSED:
        return request
    if request.status is RequestStatus.REQUESTED:
        return Refusal.ANSWER_UNKNOWN
    if not _changeable(request, now):
        return Refusal.ANSWER_FINAL
    return replace(request, status=RequestStatus.CLOSED, version=request.version + 1)


def close(request: FeedbackRequest, *, now: datetime) -> FeedbackRequest:
    """The request closed if it has waited long enough without an answer, else as it is."""
    if request.status is not RequestStatus.REQUESTED or now < request.closes_at:
        return request
    return replace(request, status=RequestStatus.CLOSED, version=request.version + 1)


def shut(request: FeedbackRequest) -> FeedbackRequest:
    """The request closed at once if it waits for an answer: one of the two is erased."""
    if request.status is not RequestStatus.REQUESTED:
        return request
    return replace(request, status=RequestStatus.CLOSED, version=request.version + 1)


def has_words(answer: Answer) -> bool:
    """Whether anything is written in it."""
    return bool(answer.behaviour or answer.impact or answer.suggestion)


def without_words(answer: Answer) -> Answer:
    """The answer after one of the two is erased: ratings and ids stay, so that averages stay as they are."""
    return replace(answer, behaviour="", impact="", suggestion="")


def _changeable(request: FeedbackRequest, now: datetime) -> bool:
    until = request.changeable_until
    return until is not None and now < until
