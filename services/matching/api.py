"""HTTP of *matching*: parse, call a command or a query, show the result."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query

from services.matching import commands, run_api, store
from services.matching.access import (
    COORDINATOR,
    COORDINATOR_OF_PAIR,
    COORDINATOR_OF_PROPOSAL,
    PAIRED,
    PROPOSED,
)
from services.matching.domain.mentees import Mentee
from services.matching.domain.pairs import ProposalStatus
from services.matching.export import export
from services.matching.forms import (
    EndForm,
    ProposalList,
    ProposalView,
    RelationshipList,
    RelationshipView,
    RoundView,
    WaitingPage,
    WaitingView,
)
from services.matching.store import PROPOSAL, RELATIONSHIP
from shared.contracts.base import Key
from shared.errors import Invalid
from shared.http.api import Api, CurrentCall
from shared.http.rules import PRIVACY, any_person, self_is

api = Api()
api.router.include_router(run_api.api.router)

Limit = Annotated[int, Query(ge=1, le=500)]


@api.get("/people/{person_id}/export", allow=[self_is("person_id"), PRIVACY])
async def person_export(person_id: Key, call: CurrentCall) -> dict[str, Any]:
    """Everything that this service holds about a person, by table. An avoid list is shown to its person only."""
    return await export(call.uow, person_id, own=call.caller.subject == person_id)


@api.get("/me/proposals", allow=[any_person()])
async def my_proposals(
    call: CurrentCall, status: ProposalStatus | None = None, limit: Limit = 100
) -> ProposalList:
    """Who is proposed to the caller, as mentor or mentee, the newest first."""
    rows = await store.proposals_of(call.uow, call.caller.subject, status, limit)
    return ProposalList(items=[ProposalView.to(call.caller.subject, row) for row in rows])


@api.get("/proposals/{proposal_id}", allow=[PROPOSED, COORDINATOR_OF_PROPOSAL])
async def proposal(proposal_id: Key, call: CurrentCall) -> ProposalView:
    """One proposal with its reasons."""
    found = await call.uow.get(PROPOSAL, proposal_id)
    assert found is not None
    return ProposalView.to(call.caller.subject, found)


@api.post("/proposals/{proposal_id}/accept", allow=[PROPOSED])
async def accept(proposal_id: Key, call: CurrentCall) -> ProposalView:
    """Say yes. With the second yes the two are a pair."""
    answered = await commands.accept_proposal(call.uow, proposal_id, call.caller.subject)
    return ProposalView.to(call.caller.subject, answered)


@api.post("/proposals/{proposal_id}/decline", allow=[PROPOSED])
async def decline(proposal_id: Key, call: CurrentCall) -> ProposalView:
    """Say no. The two are not proposed to each other again."""
    answered = await commands.decline_proposal(call.uow, proposal_id, call.caller.subject)
    return ProposalView.to(call.caller.subject, answered)


@api.get("/me/relationships", allow=[any_person()])
async def my_relationships(call: CurrentCall, limit: Limit = 100) -> RelationshipList:
    """The caller's pairs, active and over, the newest first."""
    rows = await store.relationships_of(call.uow, call.caller.subject, limit)
    return RelationshipList(items=[RelationshipView.model_validate(row) for row in rows])


@api.get("/relationships/{relationship_id}", allow=[PAIRED, COORDINATOR_OF_PAIR])
async def relationship(relationship_id: Key, call: CurrentCall) -> RelationshipView:
    """One pair."""
    return RelationshipView.model_validate(await call.uow.get(RELATIONSHIP, relationship_id))


@api.post("/relationships/{relationship_id}/end", allow=[PAIRED, COORDINATOR_OF_PAIR])
async def end(relationship_id: Key, form: EndForm, call: CurrentCall) -> RelationshipView:
    """End a pair: its goal is reached, or it does not go well, which needs no explanation."""
    return RelationshipView.model_validate(await commands.end_pair(call.uow, relationship_id, form.reason))


@api.post("/programmes/{programme_id}/rounds", allow=[COORDINATOR], status_code=202)
async def start_round(programme_id: Key, call: CurrentCall) -> RoundView:
    """Let the next matching round run now instead of waiting for its time."""
    await commands.start_round(call.uow, programme_id)
    return RoundView(programme_id=programme_id, due=call.uow.now)


@api.get("/programmes/{programme_id}/waiting", allow=[COORDINATOR])
async def waiting(
    programme_id: Key,
    call: CurrentCall,
    after: Annotated[str | None, Query(max_length=140)] = None,
    limit: Limit = 100,
) -> WaitingPage:
    """Who waits for a mentor, since when and why, the longest first."""
    rows = await store.waiting(call.uow, programme_id, _place(after), limit)
    return WaitingPage(
        items=[WaitingView.model_validate(row) for row in rows],
        next=_after(rows[-1]) if len(rows) == limit else None,
    )


def _after(row: Mentee) -> str:
    return f"{row.since}.{row.person_id}"


def _place(after: str | None) -> tuple[date, str] | None:
    """Where the last page ended."""
    if after is None:
        return None
    since, _, person_id = after.partition(".")
    try:
        if not person_id.isprintable():
            raise ValueError
        return date.fromisoformat(since), person_id
    except ValueError:
        raise Invalid("bad_page", "This is not what an earlier page said as its next.") from None
