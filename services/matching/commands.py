"""What participants and coordinators can do. Each command can be repeated with the same result.

Rows are locked in the order of their kinds. What a proposal or relationship is about never changes, so it
is looked up without a lock first.
"""

from services.matching import store
from services.matching.domain.pairs import (
    EndReason,
    Proposal,
    ProposalStatus,
    Refused,
    Relationship,
    RelationshipStatus,
)
from services.matching.domain.people import Rounds
from services.matching.pairs import (
    close_proposal,
    end_relationship,
    relationship_id_of,
    start_relationship,
    wants_of_places,
)
from services.matching.speech import say_proposal
from services.matching.store import PERSON, PROGRAMME, PROPOSAL, RELATIONSHIP
from services.matching.waking import run_round_now
from shared.errors import Conflict, Forbidden, NotYetKnown
from shared.persistence.uow import Uow, want


async def accept_proposal(uow: Uow, proposal_id: str, person_id: str) -> Proposal:
    """One participant says yes; with the second yes the relationship starts."""
    proposal = await _locked_proposal(uow, proposal_id, person_id, capacity=True)
    try:
        answered = proposal.accepted_by(person_id, uow.now)
        if answered is proposal:
            return proposal
        if answered.status is ProposalStatus.ACCEPTED:
            await start_relationship(uow, answered)
            return answered
    except Refused as refused:
        raise Conflict(refused.code, refused.message) from None
    uow.put(answered)
    say_proposal(uow, answered)
    return answered


async def decline_proposal(uow: Uow, proposal_id: str, person_id: str) -> Proposal:
    """One participant says no: the place is free again and the mentee waits for another mentor."""
    proposal = await _locked_proposal(uow, proposal_id, person_id, capacity=False)
    try:
        declined = proposal.declined(uow.now)
    except Refused as refused:
        raise Conflict(refused.code, refused.message) from None
    if declined is not proposal:
        await close_proposal(uow, declined)
    return declined


async def end_pair(uow: Uow, relationship_id: str, reason: EndReason) -> Relationship:
    """A participant or the coordinator ends the pair; nobody is told who."""
    seen = await store.peek(uow, RELATIONSHIP, relationship_id)
    if seen is None:
        raise NotYetKnown("relationship")
    await uow.prefetch([want(RELATIONSHIP, relationship_id), *wants_of_places(seen)])
    relationship = await uow.get(RELATIONSHIP, relationship_id)
    assert relationship is not None
    if relationship.status is RelationshipStatus.ENDED:
        if relationship.reason is not reason:
            raise Conflict("relationship_over", "The relationship has already ended for another reason.")
        return relationship
    return await end_relationship(uow, relationship, reason)


async def start_round(uow: Uow, programme_id: str) -> None:
    """Let the programme's next round run now."""
    programme = await store.peek(uow, PROGRAMME, programme_id)
    if programme is not None and programme.rounds is Rounds.SUPERVISED:
        raise Conflict("programme_supervised", "Here pairs come from published runs only.")
    run_round_now(uow, programme_id)


async def _locked_proposal(uow: Uow, proposal_id: str, person_id: str, *, capacity: bool) -> Proposal:
    seen = await store.peek(uow, PROPOSAL, proposal_id)
    if seen is None:
        raise NotYetKnown("proposal")
    if person_id not in (seen.mentor_id, seen.mentee_id):
        raise Forbidden("not_yours", "Only the two who are proposed can answer.")
    wants = [want(PROPOSAL, proposal_id), *wants_of_places(seen)]
    if capacity:
        wants += [want(PERSON, seen.mentor_id), want(RELATIONSHIP, relationship_id_of(proposal_id))]
    await uow.prefetch(wants)
    proposal = await uow.get(PROPOSAL, proposal_id)
    assert proposal is not None
    return proposal
