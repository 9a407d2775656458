"""What a programme can be told about itself, as sums of contributions.

Each aggregate that we hear of (a relationship, a completed session, a feedback request, a proposal)
contributes numbers to metrics, by business month (UTC). Its contribution is a function of its newest
state, and a metric is the sum of all contributions. So whatever arrives twice, late or out of order,
the numbers come out the same: a newer state replaces its own older contribution, and nothing else.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Metric(StrEnum):
    """The counters. The sentence beside each is its formula."""

    RELATIONSHIPS_STARTED = "relationships_started"
    """Pairs that started, by the month of their start."""
    ENDED_LEFT = "relationships_ended_left"
    """Pairs that ended because somebody left, by the month of their end."""
    ENDED_NO_FAULT = "relationships_ended_no_fault"
    """Pairs that one of the two wished to end, by the month of their end."""
    ENDED_COMPLETED = "relationships_ended_completed"
    """Pairs that ran their course, by the month of their end."""
    ENDED_WITHDRAWN = "relationships_ended_withdrawn"
    """Pairs that ended because one withdrew from the programme, by the month of their end."""
    SESSIONS_COMPLETED = "sessions_completed"
    """Sessions marked as completed, by the month of that mark."""
    SESSION_MINUTES = "session_minutes"
    """The minutes that completed sessions were booked for, by the same month."""
    FEEDBACK_REQUESTED = "feedback_requested"
    """Requests for feedback ever made, by the month in which they were made."""
    FEEDBACK_SUBMITTED = "feedback_submitted"
    """Requests with an answer that stands (a retracted one does not), by the month of the last submission."""
    PROPOSALS_OPENED = "proposals_opened"
    """Proposals ever made, by the month in which they were first heard of."""
    PROPOSALS_ACCEPTED = "proposals_accepted"
    """Proposals to which both said yes, by the month of the second yes."""
    PROPOSALS_DECLINED = "proposals_declined"
    """Proposals to which one said no, by the month of that no."""
    PROPOSALS_EXPIRED = "proposals_expired"
    """Proposals not answered in time, by the month in which they expired."""
    PROPOSALS_WITHDRAWN = "proposals_withdrawn"
    """Proposals that became impossible, by the month in which they did."""


class Subject(StrEnum):
    """What contributes."""

    RELATIONSHIP = "relationship"
    SESSION = "session"
    FEEDBACK_REQUEST = "feedback-request"
    PROPOSAL = "proposal"


Counts = dict[str, int]
"""``"<month>/<metric>"`` to a number; plain text, because it is stored as JSON."""

Place = tuple[str, Metric, str]
"""Programme, metric and month: where a number is added up."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one subject adds to its programme's metrics, as of one version of it."""

    subject: Subject
    subject_id: str
    programme_id: str
    version: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class MetricSum:
    """One metric of one programme in one month. Never negative: it is a sum of contributions."""

    programme_id: str
    metric: Metric
    month: str
    value: int


def month_of(at: datetime) -> str:
    """The business month of a moment, for instance ``2026-03``."""
    with suppress(OverflowError):  # the very ends of the calendar, where the zone no longer matters
        at = at.astimezone(UTC)
    return f"{at.year:04}-{at.month:02}"


def entry(metric: Metric, at: datetime) -> str:
    """The key in :data:`Counts` for *metric* in the month of *at*."""
    return f"{month_of(at)}/{metric}"


def parts(contribution: Contribution) -> Iterator[tuple[Place, int]]:
    """What *contribution* adds to which sum."""
    for name, value in contribution.counts.items():
        month, _, metric = name.partition("/")
        yield (contribution.programme_id, Metric(metric), month), value


def difference(before: Contribution | None, after: Contribution) -> dict[Place, int]:
    """What has to be added where, so that *after* counts instead of *before*."""
    deltas = dict(parts(after))
    for place, value in parts(before) if before is not None else ():
        deltas[place] = deltas.get(place, 0) - value
    return {place: delta for place, delta in deltas.items() if delta}


_ENDED = {
    "left": Metric.ENDED_LEFT,
    "no-fault": Metric.ENDED_NO_FAULT,
    "completed": Metric.ENDED_COMPLETED,
    "withdrawn": Metric.ENDED_WITHDRAWN,
}
ENDED = tuple(_ENDED.values())

_PROPOSALS = {
    "accepted": Metric.PROPOSALS_ACCEPTED,
    "declined": Metric.PROPOSALS_DECLINED,
    "expired": Metric.PROPOSALS_EXPIRED,
    "withdrawn": Metric.PROPOSALS_WITHDRAWN,
}
SETTLED = tuple(_PROPOSALS.values())


def of_started(started_at: datetime) -> Counts:
    return {entry(Metric.RELATIONSHIPS_STARTED, started_at): 1}


def of_ended(started_at: datetime, ended_at: datetime, reason: str) -> Counts:
    """An ended relationship has also started, whether or not we have heard of that."""
    return of_started(started_at) | {entry(_ENDED[reason], ended_at): 1}


def of_completed(completed_at: datetime, minutes: int) -> Counts:
    return {
        entry(Metric.SESSIONS_COMPLETED, completed_at): 1,
        entry(Metric.SESSION_MINUTES, completed_at): minutes,
    }


def of_request(requested_at: datetime, *, submitted_at: datetime | None) -> Counts:
    counts = {entry(Metric.FEEDBACK_REQUESTED, requested_at): 1}
    if submitted_at is not None:
        counts[entry(Metric.FEEDBACK_SUBMITTED, submitted_at)] = 1
    return counts


def of_proposal(before: Mapping[str, int], status: str, at: datetime) -> Counts:
    """A proposal's event tells only its own time, so the month of the opening is remembered from *before*."""
    opened = next((name for name in before if name.endswith(f"/{Metric.PROPOSALS_OPENED}")), None)
    counts = {opened or entry(Metric.PROPOSALS_OPENED, at): 1}
    if status in _PROPOSALS:
        counts[entry(_PROPOSALS[status], at)] = 1
    return counts
