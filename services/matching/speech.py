"""Rows as the events that tell of them."""

from services.matching.domain.pairs import Proposal, Relationship
from shared.contracts import pairs
from shared.persistence.uow import Uow


def say_proposal(uow: Uow, proposal: Proposal) -> None:
    """Publish the proposal's present state under its version."""
    uow.say(
        pairs.ProposalChanged(
            proposal_id=proposal.proposal_id,
            programme_id=proposal.programme_id,
            mentor_id=proposal.mentor_id,
            mentee_id=proposal.mentee_id,
            status=pairs.ProposalStatus(proposal.status),
            mentor_accepted=proposal.mentor_accepted,
            mentee_accepted=proposal.mentee_accepted,
            score=proposal.score,
            reasons=proposal.reasons,
            expires_at=proposal.expires_at,
        ),
        version=proposal.version,
    )


def say_started(uow: Uow, relationship: Relationship) -> None:
    """Publish that the two are a pair."""
    uow.say(
        pairs.RelationshipStarted(
            relationship_id=relationship.relationship_id,
            programme_id=relationship.programme_id,
            mentor_id=relationship.mentor_id,
            mentee_id=relationship.mentee_id,
            started_at=relationship.started_at,
        ),
        version=relationship.version,
    )


def say_ended(uow: Uow, relationship: Relationship) -> None:
    """Publish that the pair is over, why, and what becomes of the mentee."""
    ended_at, reason, requeue = relationship.ended_at, relationship.reason, relationship.requeue
    assert ended_at is not None
    assert reason is not None
    assert requeue is not None
    uow.say(
        pairs.RelationshipEnded(
            relationship_id=relationship.relationship_id,
            programme_id=relationship.programme_id,
            mentor_id=relationship.mentor_id,
            mentee_id=relationship.mentee_id,
            started_at=relationship.started_at,
            ended_at=ended_at,
            reason=pairs.EndReason(reason),
            leaver_ids=relationship.leaver_ids,
            requeue=pairs.Requeue(requeue),
        ),
        version=relationship.version,
    )
