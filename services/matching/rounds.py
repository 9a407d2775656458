"""One matching round: look at the pool, compute off the event loop, lock, check again, propose.

Between the look and the lock the world goes on. A pair is proposed only if both people, the mentor's
enrolment and place, and the mentee's waiting are still as they were seen; what has changed meanwhile is
left to the next round, which is woken.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.matching import solver, store
from services.matching.domain.mentees import Found
from services.matching.domain.pairs import Proposal, ProposalStatus
from services.matching.domain.people import Programme
from services.matching.pairs import open_proposal, pass_gate, want_gate
from services.matching.solver_process import Pair, Result
from services.matching.store import ENROLMENT, MENTEE, MENTOR_LOAD, PERSON, PROGRAMME, PROPOSAL, SeenPool
from services.matching.waking import wake
from shared.contracts import derived_id
from shared.persistence.uow import Uow, Want, want

_PAIRS_AT_A_TIME: Final = 100


async def run_round(uow: Uow, programme_id: str) -> None:
    """Propose a mentor to everybody who waits in the programme and for whom there is one."""
    seen = await store.read_pool(uow, programme_id)
    if seen is None:
        return
    result = await solver.match(seen.pool, seen.configuration, lambda: store.keep_alive(uow))
    await uow.prefetch(_wants(seen, result))
    await pass_gate(uow)
    programme = await uow.get(PROGRAMME, programme_id)
    if programme is None or not programme.active:
        return
    made = True
    for number, pair in enumerate(result.pairs):
        made = await _propose(uow, programme, seen, pair) and made
        if number % _PAIRS_AT_A_TIME == 0:
            await asyncio.sleep(0)  # thousands of pairs are no reason to keep requests waiting
    for found, mentee_ids in (
        (Found.ALL_FULL, result.all_full),
        (Found.NO_CANDIDATE, result.no_candidate),
    ):
        for mentee_id in mentee_ids:
            await _note(uow, programme_id, mentee_id, found)
    if not made:
        await wake(uow, [programme_id])


def proposal_id_of(programme_id: str, mentee_id: str, mentor_id: str, attempt: int) -> str:
    """The id of the n-th proposal of these two: a round that runs twice makes it once."""
    return derived_id("proposal", programme_id, mentee_id, mentor_id, str(attempt))


def _attempt(seen: SeenPool, pair: Pair) -> int:
    return seen.attempts.get((pair.mentee_id, pair.mentor_id), 0) + 1


def _wants(seen: SeenPool, result: Result) -> Iterator[Want]:
    programme_id = seen.programme.programme_id
    yield want_gate()
    yield want(PROGRAMME, programme_id)
    for pair in result.pairs:
        yield want(PERSON, pair.mentee_id)
        yield want(PERSON, pair.mentor_id)
        yield want(ENROLMENT, seen.enrolments[pair.mentor_id])
        yield want(
            PROPOSAL, proposal_id_of(programme_id, pair.mentee_id, pair.mentor_id, _attempt(seen, pair))
        )
        yield want(MENTOR_LOAD, pair.mentor_id)
        yield want(MENTEE, programme_id, pair.mentee_id)
    for mentee_id in (*result.all_full, *result.no_candidate):
        yield want(MENTEE, programme_id, mentee_id)


async def _propose(uow: Uow, programme: Programme, seen: SeenPool, pair: Pair) -> bool:
    """Propose the pair if it still stands."""
    attempt = _attempt(seen, pair)
    proposal_id = proposal_id_of(programme.programme_id, pair.mentee_id, pair.mentor_id, attempt)
    mentor = await uow.get(PERSON, pair.mentor_id)
    mentee = await uow.get(PERSON, pair.mentee_id)
    enrolment = await uow.get(ENROLMENT, seen.enrolments[pair.mentor_id])
    load = await uow.get(MENTOR_LOAD, pair.mentor_id)
    queued = await uow.get(MENTEE, programme.programme_id, pair.mentee_id)
    if (
        mentor is None
        or mentor.version != seen.versions[pair.mentor_id]
        or mentee is None
        or mentee.version != seen.versions[pair.mentee_id]
        or enrolment is None
        or not enrolment.active
        or load is None
        or load.used >= mentor.mentor_capacity
        or queued is None
        or not queued.waits
        or await uow.get(PROPOSAL, proposal_id) is not None
    ):
        return False
    await open_proposal(
        uow,
        Proposal(
            proposal_id=proposal_id,
            version=1,
            programme_id=programme.programme_id,
            mentor_id=pair.mentor_id,
            mentee_id=pair.mentee_id,
            attempt=attempt,
            status=ProposalStatus.OPEN,
            mentor_accepted=False,
            mentee_accepted=False,
            score=pair.score,
            reasons=list(pair.reasons),
            proposed_at=uow.now,
            expires_at=uow.now + timedelta(days=programme.proposal_days),
        ),
    )
    return True


async def _note(uow: Uow, programme_id: str, mentee_id: str, found: Found) -> None:
    """Let whoever waits on read why."""
    mentee = await uow.get(MENTEE, programme_id, mentee_id)
    if mentee is not None and mentee.waits and mentee.found is not found:
        uow.put(replace(mentee, found=found))
