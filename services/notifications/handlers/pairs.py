"""Proposals, and pairs that start and end: told to both, except to who has left."""

from dataclasses import replace

from services.notifications.domain.messages import Occasion, Pair, Reason, Template, both
from services.notifications.handlers.registry import handlers
from services.notifications.post import iso, notification_id, tell, wants
from services.notifications.store import NOTIFICATION
from shared.contracts.pairs import ProposalChanged, ProposalStatus, RelationshipEnded, RelationshipStarted
from shared.messaging.event import Event
from shared.persistence.uow import Uow, want


def _proposal_opened(event: Event[ProposalChanged]) -> list[Occasion]:
    data = event.data
    if data.status is not ProposalStatus.OPEN:
        return []
    facts = {"expires_at": iso(data.expires_at), "reasons": list(data.reasons)}
    return both(Template.PROPOSAL, data.proposal_id, _pair(data), facts)


@handlers.on(ProposalChanged, needs=lambda e: wants(_proposal_opened(e)))
async def proposal_changed(event: Event[ProposalChanged], uow: Uow) -> None:
    verdict = Reason.OVERTAKEN if event.data.expires_at <= uow.now else None
    for occasion in _proposal_opened(event):
        await tell(uow, occasion.unless(verdict))


def _pair_started(data: RelationshipStarted) -> list[Occasion]:
    facts = {"started_at": iso(data.started_at)}
    return both(Template.PAIR_STARTED, data.relationship_id, _pair(data), facts)


@handlers.on(
    RelationshipStarted,
    needs=lambda e: [*wants(_pair_started(e.data)), *(want(NOTIFICATION, each) for each in _end_ids(e.data))],
)
async def relationship_started(event: Event[RelationshipStarted], uow: Uow) -> None:
    verdict = None
    for each in _end_ids(event.data):
        if await uow.get(NOTIFICATION, each) is not None:
            verdict = Reason.OVERTAKEN
    for occasion in _pair_started(event.data):
        await tell(uow, occasion.unless(verdict))


def _end_ids(data: RelationshipStarted) -> list[str]:
    """The ids that messages about the end of this pair have, if there are any."""
    ends = both(Template.PAIR_ENDED, data.relationship_id, _pair(data), {})
    return [notification_id(each) for each in ends]


def _pair_ended(data: RelationshipEnded) -> list[Occasion]:
    """Who left is not written to; with every other reason both are, and neither is told who wished it. Of two peers
    each reads what became of themselves."""
    facts = {"reason": str(data.reason), "requeue": str(data.requeue), "ended_at": iso(data.ended_at)}
    told = both(Template.PAIR_ENDED, data.relationship_id, _pair(data), facts, but_not=data.leaver_ids)
    if data.peer_requeue is None:
        return told
    others = {**facts, "requeue": str(data.peer_requeue)}
    return [replace(one, facts=others) if one.recipient_id == data.mentor_id else one for one in told]


@handlers.on(RelationshipEnded, needs=lambda e: wants(_pair_ended(e.data)))
async def relationship_ended(event: Event[RelationshipEnded], uow: Uow) -> None:
    for occasion in _pair_ended(event.data):
        await tell(uow, occasion)


def _pair(data: ProposalChanged | RelationshipStarted | RelationshipEnded) -> Pair:
    return Pair(data.programme_id, data.mentor_id, data.mentee_id, data.peers)
