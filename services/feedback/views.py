"""What callers see of rows: only what the route's audience may read."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from services.feedback.domain.analytics import ENDED, SETTLED, Metric
from services.feedback.domain.feedback import DIMENSIONS, Answer, Audience, FeedbackRequest, RequestStatus
from services.feedback.domain.sessions import SessionStatus
from services.feedback.store import ProgrammeNumbers


class View(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)


class SessionView(View):
    """A session as its pair sees it."""

    session_id: str
    relationship_id: str
    mentor_id: str
    mentee_id: str
    status: SessionStatus
    starts_at: datetime
    minutes: int
    completed_at: datetime | None
    version: int


class SessionList(View):
    """Sessions, the latest start first. For the next page give the last one's id as ``after``."""

    sessions: list[SessionView]


class RatingsView(View):
    communication: int | None
    empathy: int | None
    leadership: int | None
    adaptability: int | None
    boundaries: int | None


class AnswerView(View):
    """An answer as those may read it whom its author chose."""

    feedback_request_id: str
    relationship_id: str
    author_id: str
    ratings: RatingsView
    behaviour: str
    impact: str
    suggestion: str
    audience: Audience
    submitted_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, answer: Answer) -> Self:
        return cls(
            feedback_request_id=answer.feedback_request_id,
            relationship_id=answer.relationship_id,
            author_id=answer.author_id,
            ratings=RatingsView.model_validate(answer),
            behaviour=answer.behaviour,
            impact=answer.impact,
            suggestion=answer.suggestion,
            audience=answer.audience,
            submitted_at=answer.submitted_at,
            changed_at=answer.changed_at,
        )


class AnswerList(View):
    """Answers, the latest first. For the next page give the last ``feedback_request_id`` as ``after``."""

    answers: list[AnswerView]


class RequestView(View):
    """A request for feedback as its author sees it."""

    feedback_request_id: str
    session_id: str
    relationship_id: str
    programme_id: str
    partner_id: str
    status: RequestStatus
    requested_at: datetime
    submitted_at: datetime | None
    closes_at: datetime
    """When it is closed unless it has been answered."""
    changeable_until: datetime | None
    """Until when the answer can be changed or retracted; absent without one."""


class RequestList(View):
    """Requests, the latest first. For the next page give the last one's id as ``after``."""

    feedback_requests: list[RequestView]


class OwnRequestView(RequestView):
    """A request with the author's own answer."""

    answer: AnswerView | None

    @classmethod
    def of(cls, request: FeedbackRequest, answer: Answer | None) -> Self:
        return cls(
            **RequestView.model_validate(request).model_dump(),
            answer=AnswerView.of(answer) if answer is not None else None,
        )


class AnalyticsView(View):
    """How a programme does. Every number is a sum over what has happened; no number names anybody."""

    programme_id: str
    totals: dict[Metric, int]
    """Each metric over all months."""
    relationships_active: int
    """Pairs that have started and not ended."""
    relationships_ended: int
    """Pairs that ended, for whatever reason."""
    active_mentors: int
    """People who are a mentor in an active pair."""
    active_mentees: int
    """People who are a mentee in an active pair."""
    active_peers: int
    """People who have a peer now."""
    proposals_open: int
    """Proposals that wait for an answer."""
    accepted_share: float | None
    """Accepted proposals among those no longer open; absent while there is none."""
    submitted_share: float | None
    """Requests for feedback with an answer, among all made; absent while there is none."""
    ratings: dict[str, float | None]
    """Average by dimension, to one decimal; absent when fewer than five people have rated it."""
    months: dict[str, dict[Metric, int]]
    """The same by business month (UTC), the earliest first, without months and metrics that are zero."""

    @classmethod
    def of(cls, programme_id: str, numbers: ProgrammeNumbers) -> Self:
        totals = dict.fromkeys(Metric, 0)
        months: dict[str, dict[Metric, int]] = {}
        for item in sorted(numbers.sums, key=lambda item: (item.month, item.metric)):
            totals[item.metric] += item.value
            if item.value:
                months.setdefault(item.month, {})[item.metric] = item.value
        ended = sum(totals[metric] for metric in ENDED)
        settled = sum(totals[metric] for metric in SETTLED)
        return cls(
            programme_id=programme_id,
            totals=totals,
            relationships_active=totals[Metric.RELATIONSHIPS_STARTED] - ended,
            relationships_ended=ended,
            active_mentors=numbers.active_mentors,
            active_mentees=numbers.active_mentees,
            active_peers=numbers.active_peers,
            proposals_open=totals[Metric.PROPOSALS_OPENED] - settled,
            accepted_share=_share(totals[Metric.PROPOSALS_ACCEPTED], settled),
            submitted_share=_share(totals[Metric.FEEDBACK_SUBMITTED], totals[Metric.FEEDBACK_REQUESTED]),
            ratings={name: numbers.ratings.get(name) for name in DIMENSIONS},
            months=months,
        )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
