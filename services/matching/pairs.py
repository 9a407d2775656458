"""What happens to proposals and pairs, with all that hangs on them: the mentor's places, the mentee's
place in the queue, the event, the timer and the next round. Every way to a change of a pair ends here.

Invariants: ``mentor_load`` equals the rows (open proposals and active relationships of the mentor, but for those
with peers); a mentee's ``place`` is proposed exactly while a proposal is open in the programme, and paired exactly
while a relationship is active in it; so a mentee has at most one of the two. Each of two peers is such a mentee, and
neither uses a place of a mentor.
"""

from collections.abc import Iterable, Iterator
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
    """The row that is locked by whatever changes pairs of many people."""
    return want(GATE, MANY_PAIRS)


async def pass_gate(uow: Uow) -> None:
    """One transaction at a time may change many pairs: two would meet in a deadlock, as each would take
    the rows of both partners in an order of its own."""
    if await uow.get(GATE, MANY_PAIRS) is None:
        uow.put(Gate(MANY_PAIRS))


async def open_proposal(uow: Uow, proposal: Proposal) -> None:
    """A new proposal: it keeps a place with the mentor until it is answered. Between peers, who lead nobody, it
    keeps none."""
    uow.put(proposal)
    say_proposal(uow, proposal)
    if not proposal.peers:
        uow.put((await _load(uow, proposal.mentor_id)).reserve())
    await _move(uow, proposal, Place.PROPOSED)
    uow.set_timer(EXPIRY, proposal.proposal_id, proposal.expires_at)


async def close_proposal(uow: Uow, closed: Proposal) -> None:
    """*closed* is the proposal in its last state, without a pair: the place is free and the mentee waits."""
    uow.put(closed)
    say_proposal(uow, closed)
    if not closed.peers:
        uow.put((await _load(uow, closed.mentor_id)).release())
    await _move(uow, closed, Place.FREE)
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
    if not accepted.peers:
        mentor = await uow.get(PERSON, accepted.mentor_id)
        load = await _load(uow, accepted.mentor_id)
        uow.put(load.start(mentor.mentor_capacity if mentor is not None else 0))
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
        peers=accepted.peers,
    )
    uow.put(accepted)
    say_proposal(uow, accepted)
    uow.put(relationship)
    say_started(uow, relationship)
    await _move(uow, accepted, Place.PAIRED, priority=0)
    uow.cancel_timer(EXPIRY, accepted.proposal_id)
    return relationship


async def end_relationship(
    uow: Uow, relationship: Relationship, reason: EndReason, *, leaver_id: str | None = None
) -> Relationship:
    """The pair is over: the place is free, and the mentee waits again or does not, with the reason; so does each of
    two peers."""
    if not relationship.peers:
        uow.put((await _load(uow, relationship.mentor_id)).finish())
    became: dict[str, Requeue] = {}
    for person_id in relationship.seekers:
        mentee = await _mentee(uow, relationship, person_id)
        requeue = requeue_of(reason, mentee.standing, mentee_leaves=leaver_id == person_id)
        place = Place.DONE if requeue is Requeue.GOAL_REACHED else Place.FREE
        uow.put(mentee.moved(place, uow.now.date(), priority=int(requeue is Requeue.QUEUED)))
        became[person_id] = requeue
    ended = relationship.ended(
        reason,
        became[relationship.mentee_id],
        uow.now,
        leaver_id=leaver_id,
        peer_requeue=became.get(relationship.mentor_id),
    )
    uow.put(ended)
    say_ended(uow, ended)
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
    await uow.prefetch(wanted for pair in pairs for wanted in wants_of_places(pair))
    await store.look_at_mentors(uow, {pair.mentor_id for pair in pairs if not pair.peers})


def wants_of_places(pair: Proposal | Relationship) -> Iterator[Want]:
    """The rows of the places that the pair takes."""
    if not pair.peers:
        yield want(MENTOR_LOAD, pair.mentor_id)
    for person_id in pair.seekers:
        yield want(MENTEE, pair.programme_id, person_id)


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


async def _mentee(uow: Uow, pair: Proposal | Relationship, person_id: str) -> Mentee:
    mentee = await uow.get(MENTEE, pair.programme_id, person_id)
    assert mentee is not None, "who was proposed is in the programme"
    return mentee


async def _move(
    uow: Uow, pair: Proposal | Relationship, place: Place, *, priority: int | None = None
) -> None:
    """The mentee, or each of two peers, to another place."""
    for person_id in pair.seekers:
        mentee = await _mentee(uow, pair, person_id)
        uow.put(mentee.moved(place, uow.now.date(), priority=priority))


async def _wake_both(uow: Uow, pair: Proposal | Relationship) -> None:
    """The mentee may wait here; the mentor's place may be wanted in any of their programmes."""
    await wake(uow, [pair.programme_id])
    if not pair.peers:
        await wake(uow, await store.programmes_of_mentor(uow, pair.mentor_id), mentor_id=pair.mentor_id)
