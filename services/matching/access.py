"""Who may call the routes of *matching*, decided by this service's own rows."""

from collections.abc import Mapping
from typing import Final

from services.matching import store
from services.matching.domain.pairs import Proposal, Relationship
from services.matching.store import PROGRAMME, PROPOSAL, RELATIONSHIP, RUN
from shared.errors import NotFound, NotYetKnown
from shared.http.auth import Caller
from shared.http.rules import Rule
from shared.persistence.uow import Uow


async def _proposal(params: Mapping[str, str], uow: Uow) -> Proposal:
    proposal = await store.peek(uow, PROPOSAL, params["proposal_id"])
    if proposal is None:
        raise NotYetKnown("proposal")
    return proposal


async def _relationship(params: Mapping[str, str], uow: Uow) -> Relationship:
    relationship = await store.peek(uow, RELATIONSHIP, params["relationship_id"])
    if relationship is None:
        raise NotYetKnown("relationship")
    return relationship


async def _coordinates(caller: Caller, programme_id: str, uow: Uow) -> bool:
    programme = await store.peek(uow, PROGRAMME, programme_id)
    if programme is None or programme.version == 0:
        raise NotYetKnown("programme")
    return caller.subject in programme.coordinator_ids


async def _is_proposed(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    proposal = await _proposal(params, uow)
    return caller.subject in (proposal.mentor_id, proposal.mentee_id)


async def _coordinates_proposal(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    return await _coordinates(caller, (await _proposal(params, uow)).programme_id, uow)


async def _is_paired(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    relationship = await _relationship(params, uow)
    return caller.subject in (relationship.mentor_id, relationship.mentee_id)


async def _coordinates_pair(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    return await _coordinates(caller, (await _relationship(params, uow)).programme_id, uow)


async def _coordinates_programme(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    return await _coordinates(caller, params["programme_id"], uow)


async def _coordinates_run(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    run = await store.peek(uow, RUN, params["run_id"])
    if run is None:
        raise NotFound("run_unknown", "There is no such run.")
    return await _coordinates(caller, run.programme_id, uow)


PROPOSED: Final = Rule("one of the two who are proposed", _is_proposed)
COORDINATOR_OF_PROPOSAL: Final = Rule("coordinator of the proposal's programme", _coordinates_proposal)
PAIRED: Final = Rule("one of the two of this relationship", _is_paired)
COORDINATOR_OF_PAIR: Final = Rule("coordinator of the relationship's programme", _coordinates_pair)
COORDINATOR: Final = Rule("coordinator of this programme", _coordinates_programme)
COORDINATOR_OF_RUN: Final = Rule("coordinator of the run's programme", _coordinates_run)
