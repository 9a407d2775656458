"""Rows as the events that tell of them."""

from services.matching.domain.pairs import Proposal, Relationship
from services.matching.domain.runs import Run
from shared.contracts import pairs, runs
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
            peers=proposal.peers,
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
            peers=relationship.peers,
            started_at=relationship.started_at,
        ),
        version=relationship.version,
    )


def say_ended(uow: Uow, relationship: Relationship) -> None:
    """Publish that the pair is over, why, and what becomes of the mentee."""
    ended_at, reason, requeue = relationship.ended_at, relationship.reason, relationship.requeue
    peer_requeue = relationship.peer_requeue
    assert ended_at is not None
    assert reason is not None
    assert requeue is not None
    uow.say(
        pairs.RelationshipEnded(
            relationship_id=relationship.relationship_id,
            programme_id=relationship.programme_id,
            mentor_id=relationship.mentor_id,
            mentee_id=relationship.mentee_id,
            peers=relationship.peers,
            started_at=relationship.started_at,
            ended_at=ended_at,
            reason=pairs.EndReason(reason),
            leaver_ids=relationship.leaver_ids,
            requeue=pairs.Requeue(requeue),
            peer_requeue=None if peer_requeue is None else pairs.Requeue(peer_requeue),
        ),
        version=relationship.version,
    )


def say_run(uow: Uow, run: Run) -> None:
    """Publish where the run stands under its version."""
    found, publication = run.found or {}, run.publication or {}
    dropped = publication.get("dropped")
    uow.say(
        runs.MatchingRunChanged(
            run_id=run.run_id,
            programme_id=run.programme_id,
            state=runs.RunState(run.state),
            reason=None if run.reason is None else runs.RunReason(run.reason),
            stage=runs.RunStage(run.stage),
            round=run.round,
            fraction=run.fraction,
            attempt=run.attempts,
            configuration_version=run.configuration_version,
            fingerprint=run.fingerprint,
            input_hash=run.input_hash,
            mentees=run.mentees,
            mentors=run.mentors,
            matched=found.get("matched"),
            unmatched=found.get("unmatched"),
            value=found.get("value"),
            gap=min(1.0, found["gap"]) if found else None,
            proposed=publication.get("proposed"),
            dropped=None if dropped is None else sum(dropped.values()),
        ),
        version=run.version,
    )
