"""The domain has enums of its own; they must say what the contracts say."""

from datetime import UTC, datetime
from enum import StrEnum

import pytest

from services.feedback.domain import analytics, feedback, pairs, sessions
from shared.contracts import pairs as said_pairs
from shared.contracts import sessions as said


@pytest.mark.parametrize(
    ("ours", "contract"),
    [
        (pairs.RelationshipStatus, said_pairs.RelationshipStatus),
        (pairs.EndReason, said_pairs.EndReason),
        (sessions.SessionStatus, said.SessionStatus),
        (feedback.RequestStatus, said.FeedbackStatus),
    ],
)
def test_same_values(ours: type[StrEnum], contract: type[StrEnum]) -> None:
    assert {item.value for item in ours} == {item.value for item in contract}


def test_every_end_and_every_answer_is_counted() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for reason in said_pairs.EndReason:
        assert len(analytics.of_ended(at, at, reason)) == 2
    for status in said_pairs.ProposalStatus:
        expected = 1 if status is said_pairs.ProposalStatus.OPEN else 2
        assert len(analytics.of_proposal({}, status, at)) == expected
