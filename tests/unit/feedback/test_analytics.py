"""The numbers come out the same however often and in whatever order events arrive."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.domain.analytics import Metric, MetricSum, parts
from services.feedback.store import CONTRIBUTION, PROGRAMME_METRIC, ProgrammeNumbers
from services.feedback.views import AnalyticsView
from shared.contracts.base import EventData
from shared.contracts.pairs import EndReason, ProposalChanged, ProposalStatus
from shared.contracts.sessions import FeedbackRequestChanged, FeedbackStatus
from shared.messaging.handlers import Outcome
from tests.support.memory import NOW, MemoryStore
from tests.unit.feedback.words import (
    DAY,
    MENTEE,
    MENTOR,
    PAIR,
    PROGRAMME,
    completed,
    ended,
    hear,
    new_store,
    started,
    totals,
)


def request(status: FeedbackStatus, identity: str = "r-1") -> FeedbackRequestChanged:
    return FeedbackRequestChanged(
        feedback_request_id=identity, session_id="s", relationship_id=PAIR, programme_id=PROGRAMME,
        author_id=MENTEE, status=status, requested_at=NOW,
    )  # fmt: skip


def proposal(status: ProposalStatus, identity: str = "p-1") -> ProposalChanged:
    return ProposalChanged(
        proposal_id=identity, programme_id=PROGRAMME, mentor_id=MENTOR, mentee_id=MENTEE, status=status,
        expires_at=NOW + 7 * DAY,
    )  # fmt: skip


HISTORY: list[tuple[EventData, int]] = [
    (started("a"), 1),
    (ended("a", reason=EndReason.NO_FAULT), 2),
    (started("b"), 1),
    (completed("s-1", minutes=30), 2),
    (completed("s-2", minutes=45), 4),
    (request(FeedbackStatus.REQUESTED, "r-1"), 1),
    (request(FeedbackStatus.SUBMITTED, "r-1"), 2),
    (request(FeedbackStatus.SUBMITTED, "r-1"), 3),
    (request(FeedbackStatus.REQUESTED, "r-2"), 1),
    (request(FeedbackStatus.SUBMITTED, "r-2"), 2),
    (request(FeedbackStatus.CLOSED, "r-2"), 3),
    (request(FeedbackStatus.REQUESTED, "r-3"), 1),
    (proposal(ProposalStatus.OPEN, "p-1"), 1),
    (proposal(ProposalStatus.ACCEPTED, "p-1"), 3),
    (proposal(ProposalStatus.OPEN, "p-1"), 2),
    (proposal(ProposalStatus.OPEN, "p-2"), 1),
    (proposal(ProposalStatus.EXPIRED, "p-2"), 2),
    (proposal(ProposalStatus.OPEN, "p-3"), 1),
]
EXPECTED = {
    "relationships_started": 2, "relationships_ended_no_fault": 1, "sessions_completed": 2,
    "session_minutes": 75, "feedback_requested": 3, "feedback_submitted": 1,
    "proposals_opened": 3, "proposals_accepted": 1, "proposals_expired": 1,
}  # fmt: skip


def assert_sums_are_contributions(store: MemoryStore) -> None:
    sums: dict[Any, int] = {}
    for contribution in store.all(CONTRIBUTION):
        for place, value in parts(contribution):
            sums[place] = sums.get(place, 0) + value
    stored = {(row.programme_id, row.metric, row.month): row.value for row in store.all(PROGRAMME_METRIC)}
    assert {place: value for place, value in stored.items() if value} == sums


async def play(history: list[tuple[EventData, int]]) -> MemoryStore:
    store = new_store()
    for data, sequence in history:
        # As late as the order says: the time of an event is that of its saying, not of its hearing.
        await hear(store, data, sequence=sequence, at=NOW + timedelta(minutes=sequence))
        assert min((row.value for row in store.all(PROGRAMME_METRIC)), default=0) >= 0
    return store


@settings(max_examples=60, deadline=None)
@given(st.permutations(HISTORY), st.lists(st.sampled_from(HISTORY), max_size=12))
async def test_any_order_and_any_repeat_count_the_same(
    history: list[tuple[EventData, int]], repeated: list[tuple[EventData, int]]
) -> None:
    store = await play([*history, *repeated])
    assert totals(store) == EXPECTED
    assert_sums_are_contributions(store)


async def test_a_retracted_answer_leaves_the_month_that_it_counted_in() -> None:
    store = new_store()
    await hear(store, request(FeedbackStatus.REQUESTED), sequence=1)
    await hear(store, request(FeedbackStatus.SUBMITTED), sequence=2, at=NOW + 28 * DAY)
    await hear(store, request(FeedbackStatus.CLOSED), sequence=3, at=NOW + 33 * DAY)
    assert totals(store) == {"feedback_requested": 1}
    assert await hear(store, request(FeedbackStatus.SUBMITTED), sequence=2) is Outcome.STALE
    assert_sums_are_contributions(store)


def test_the_view_adds_up() -> None:
    sums = [
        MetricSum(PROGRAMME, Metric.RELATIONSHIPS_STARTED, "2026-02", 5),
        MetricSum(PROGRAMME, Metric.ENDED_LEFT, "2026-03", 1),
        MetricSum(PROGRAMME, Metric.ENDED_COMPLETED, "2026-03", 1),
        MetricSum(PROGRAMME, Metric.PROPOSALS_OPENED, "2026-02", 10),
        MetricSum(PROGRAMME, Metric.PROPOSALS_ACCEPTED, "2026-02", 5),
        MetricSum(PROGRAMME, Metric.PROPOSALS_DECLINED, "2026-02", 3),
        MetricSum(PROGRAMME, Metric.FEEDBACK_REQUESTED, "2026-03", 3),
        MetricSum(PROGRAMME, Metric.FEEDBACK_SUBMITTED, "2026-03", 0),
    ]
    view = AnalyticsView.of(PROGRAMME, ProgrammeNumbers(sums, 3, 3, 0, {"empathy": 4.2}))
    assert (view.relationships_active, view.relationships_ended) == (3, 2)
    assert (view.proposals_open, view.accepted_share, view.submitted_share) == (2, 0.625, 0.0)
    assert view.ratings["empathy"] == 4.2
    assert view.ratings["boundaries"] is None
    assert list(view.months) == ["2026-02", "2026-03"]
    assert Metric.FEEDBACK_SUBMITTED not in view.months["2026-03"]
    empty = AnalyticsView.of(PROGRAMME, ProgrammeNumbers([], 0, 0, 0, {}))
    assert (empty.accepted_share, empty.submitted_share, empty.months) == (None, None, {})
