"""What happens to proposals and pairs, with all that hangs on them: the mentor's places, the mentee's
place in the queue, the event, the timer and the next round. Every way to a change of a pair ends here.

Invariants: ``mentor_load`` equals the rows (open proposals and active relationships of the mentor); a
mentee's ``place`` is proposed exactly while a proposal is open in the programme, and paired exactly while
a relationship is active in it; so a mentee has at most one of the two.
"""

from collections.abc import Iterable
from typing import Final

from services.matching import store
from services.matching.domain.mentees import Mentee, Place
from services.matching.domain.pairs import (
    EndReason,
    Gate,
    MentorLoad,
    Proposal,
    ProposalStatus,
    Relationship,
    RelationshipStatus,
    Requeue,
    requeue_of,
)
from services.matching.domain.people import Enrolment, avoids
from services.matching.speech import say_ended, say_proposal, say_started
from services.matching.store import GATE, MENTEE, MENTOR_LOAD, PERSON, PROPOSAL, RELATIONSHIP
from services.matching.waking import wake
from shared.contracts import derived_id
from shared.persistence.uow import Uow, Want, want

EXPIRY: Final = "proposal-expiry"
MANY_PAIRS: Final = "many pairs"


def want_gate() -> Want:
    return want(GATE, MANY_PAIRS)


async def pass_gate(uow: Uow) -> None:
    """One transaction at a time may change many pairs: two would meet in a deadlock, as each would take
    the rows of both partners in an order of its own."""
    if await uow.get(GATE, MANY_PAIRS) is None:
        uow.put(Gate(MANY_PAIRS))


async def open_proposal(uow: Uow, proposal: Proposal) -> None:
    """A new proposal: it keeps a place with the mentor until it is answered."""
    load, mentee = await _load(uow, proposal.mentor_id), await _mentee(uow, proposal)
    uow.put(proposal)
    say_proposal(uow, proposal)
    uow.put(load.reserve())
    uow.put(mentee.moved(Place.PROPOSED, uow.now.date()))
    uow.set_timer(EXPIRY, proposal.proposal_id, proposal.expires_at)


async def close_proposal(uow: Uow, closed: Proposal) -> None:
    """*closed* is the proposal in its last state, without a pair: the place is free and the mentee waits."""
    load, mentee = await _load(uow, closed.mentor_id), await _mentee(uow, closed)
    uow.put(closed)
    say_proposal(uow, closed)
    uow.put(load.release())
    uow.put(mentee.moved(Place.FREE, uow.now.date()))
    uow.cancel_timer(EXPIRY, closed.proposal_id)
    await _wake_both(uow, closed)


async def withdraw(uow: Uow, proposals: Iterable[Proposal]) -> None:
    """Open proposals that are no longer possible."""
    for proposal in proposals:
        await close_proposal(uow, proposal.closed(ProposalStatus.WITHDRAWN, uow.now))


async def part(uow: Uow, enrolment: Enrolment) -> None:
    """Whatever is proposed to the person and somebody on this avoid list is withdrawn, in every programme and role."""
    mine = enrolment.person_id
    for proposal in await open_proposals(uow, mine):
        partner = proposal.mentor_id if proposal.mentee_id == mine else proposal.mentee_id
        if avoids([enrolment], partner):
            await withdraw(uow, [proposal])


async def start_relationship(uow: Uow, accepted: Proposal) -> Relationship:
    """*accepted* has just had its second yes. Raises ``Refused`` when the mentor is full: the mentor's rows
    are locked, so this is the moment in which capacity is decided."""
    mentor = await uow.get(PERSON, accepted.mentor_id)
    load = await _load(uow, accepted.mentor_id)
    started = load.start(mentor.mentor_capacity if mentor is not None else 0)
    mentee = await _mentee(uow, accepted)
    relationship_id = relationship_id_of(accepted.proposal_id)
    await uow.get(RELATIONSHIP, relationship_id)
    relationship = Relationship(
        relationship_id=relationship_id,
        version=1,
        programme_id=accepted.programme_id,
        proposal_id=accepted.proposal_id,
        mentor_id=accepted.mentor_id,
        mentee_id=accepted.mentee_id,
        status=RelationshipStatus.ACTIVE,
        started_at=uow.now,
    )
    uow.put(accepted)
    say_proposal(uow, accepted)
    uow.put(relationship)
    say_started(uow, relationship)
    uow.put(started)
    uow.put(mentee.moved(Place.PAIRED, uow.now.date(), priority=0))
    uow.cancel_timer(EXPIRY, accepted.proposal_id)
    return relationship


async def end_relationship(
    uow: Uow, relationship: Relationship, reason: EndReason, *, leaver_id: str | None = None
) -> Relationship:
    """The pair is over: the place is free, and the mentee waits again or does not, with the reason."""
    load, mentee = await _load(uow, relationship.mentor_id), await _mentee(uow, relationship)
    requeue = requeue_of(reason, mentee.standing, mentee_leaves=leaver_id == relationship.mentee_id)
    ended = relationship.ended(reason, requeue, uow.now, leaver_id=leaver_id)
    uow.put(ended)
    say_ended(uow, ended)
    uow.put(load.finish())
    place = Place.DONE if requeue is Requeue.GOAL_REACHED else Place.FREE
    uow.put(mentee.moved(place, uow.now.date(), priority=int(requeue is Requeue.QUEUED)))
    await _wake_both(uow, ended)
    return ended


async def leave(uow: Uow, person_id: str, reason: EndReason = EndReason.LEFT) -> None:
    """The person is gone: what was proposed is withdrawn and every pair ends, whoever hears of it when."""
    await pass_gate(uow)
    await withdraw(uow, await open_proposals(uow, person_id))
    for relationship in await active_pairs(uow, person_id):
        await end_relationship(uow, relationship, reason, leaver_id=person_id)


async def load_partners(uow: Uow, leavers: Iterable[str]) -> None:
    """Load in sets what :func:`leave` will ask for of the leavers' partners."""
    pairs: list[Proposal | Relationship] = []
    for person_id in leavers:
        pairs += await open_proposals(uow, person_id)
        pairs += await active_pairs(uow, person_id)
    await uow.prefetch(
        wanted
        for pair in pairs
        for wanted in (want(MENTOR_LOAD, pair.mentor_id), want(MENTEE, pair.programme_id, pair.mentee_id))
    )
    await store.look_at_mentors(uow, {pair.mentor_id for pair in pairs})


async def open_proposals(uow: Uow, person_id: str) -> list[Proposal]:
    """What is proposed to the person now, as mentor and as mentee."""
    return [
        proposal
        for side in ("mentor_id", "mentee_id")
        for proposal in await uow.find(PROPOSAL, **{side: person_id, "status": ProposalStatus.OPEN})
    ]


async def active_pairs(uow: Uow, person_id: str) -> list[Relationship]:
    """The person's pairs, as mentor and as mentee."""
    return [
        relationship
        for side in ("mentor_id", "mentee_id")
        for relationship in await uow.find(
            RELATIONSHIP, **{side: person_id, "status": RelationshipStatus.ACTIVE}
        )
    ]


def relationship_id_of(proposal_id: str) -> str:
    """The one relationship that a proposal can lead to."""
    return derived_id("relationship", proposal_id)


async def _load(uow: Uow, mentor_id: str) -> MentorLoad:
    return await uow.get(MENTOR_LOAD, mentor_id) or MentorLoad(mentor_id)


async def _mentee(uow: Uow, pair: Proposal | Relationship) -> Mentee:
    mentee = await uow.get(MENTEE, pair.programme_id, pair.mentee_id)
    assert mentee is not None, "who was proposed is in the programme"
    return mentee


async def _wake_both(uow: Uow, pair: Proposal | Relationship) -> None:
    """The mentee may wait here; the mentor's place may be wanted in any of their programmes."""
    await wake(uow, [pair.programme_id])
    await wake(uow, await store.programmes_of_mentor(uow, pair.mentor_id), mentor_id=pair.mentor_id)
