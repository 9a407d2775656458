"""From pairs of a computation to open proposals: lock, check against the present, propose. For rounds and for runs.

Between the look and the lock the world goes on: a pair is proposed only if both people are still as they were seen and
neither avoids the other now.
Thousands of pairs are one transaction, written in stretches, so that requests and events are served meanwhile.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from services.matching import peers
from services.matching.domain.mentees import Standing
from services.matching.domain.pairs import Proposal, ProposalStatus
from services.matching.domain.people import Programme, avoids
from services.matching.domain.runs import Dropped
from services.matching.pairs import open_proposal
from services.matching.solver_process import Pair
from services.matching.store import ENROLMENT, MENTEE, MENTOR_LOAD, PERSON, PROPOSAL, SeenPool
from shared.contracts import derived_id
from shared.persistence.kinds import Key, Lookup
from shared.persistence.uow import Uow, Want, want, want_all

PAIRS_AT_A_TIME: Final = 100
_ROWS_AT_A_TIME: Final = 500
_WANTS_AT_A_TIME: Final = 2000


def proposal_id_of(programme_id: str, mentee_id: str, mentor_id: str, attempt: int) -> str:
    """The id of the n-th proposal of these two: what runs twice makes it once."""
    return derived_id("proposal", programme_id, mentee_id, mentor_id, str(attempt))


def wants_of(seen: SeenPool, pairs: Iterable[Pair]) -> Iterator[Want]:
    """Everything that proposing these pairs looks at or changes. Who is not in the pool is not looked at."""
    programme_id = seen.programme.programme_id
    of_peers = seen.programme.of_peers
    for pair in pairs:
        yield want(MENTEE, programme_id, pair.mentee_id)
        if of_peers:
            yield want(MENTEE, programme_id, pair.mentor_id)
        if pair.mentee_id not in seen.versions or pair.mentor_id not in seen.enrolments:
            continue
        yield want(PERSON, pair.mentee_id)
        yield want(PERSON, pair.mentor_id)
        yield want_all(ENROLMENT, person_id=pair.mentee_id)
        yield want_all(ENROLMENT, person_id=pair.mentor_id)
        yield want(PROPOSAL, _id_of(seen, pair))
        if not of_peers:
            yield want(MENTOR_LOAD, pair.mentor_id)


async def lock(uow: Uow, wants: Iterable[Want]) -> None:
    """Load and lock them as :meth:`Uow.prefetch` does, in the same order, some hundred rows at a time."""
    by_lookup: dict[Lookup, set[Key]] = {}
    for number, one in enumerate(wants):
        for lookup in one.lookups:
            by_lookup.setdefault(lookup, set()).add(one.values)
        if number % _WANTS_AT_A_TIME == 0:
            await asyncio.sleep(0)
    for lookup in sorted(by_lookup, key=lambda lookup: lookup.order):
        keys = sorted(by_lookup[lookup])
        for begin in range(0, len(keys), _ROWS_AT_A_TIME):
            await uow.prefetch([Want((lookup,), key) for key in keys[begin : begin + _ROWS_AT_A_TIME]])


async def why_not_now(uow: Uow, seen: SeenPool, pair: Pair) -> Dropped | None:
    """Why the pair does not stand any more; None when it does."""
    if seen.programme.of_peers:
        proposed = await uow.get(PROPOSAL, _id_of(seen, pair)) is not None
        return await peers.why_not_now(uow, seen, pair) or (Dropped.CHANGED_MEANWHILE if proposed else None)
    queued = await uow.get(MENTEE, seen.programme.programme_id, pair.mentee_id)
    if queued is None or queued.standing is not Standing.ELIGIBLE:
        return Dropped.MENTEE_GONE
    if not queued.waits:
        return Dropped.MENTEE_NOT_WAITING
    if pair.mentor_id not in seen.enrolments:
        return Dropped.MENTOR_GONE
    if pair.mentee_id not in seen.versions:
        return Dropped.CHANGED_MEANWHILE
    mentor = await uow.get(PERSON, pair.mentor_id)
    mentee = await uow.get(PERSON, pair.mentee_id)
    wishes = await uow.find(ENROLMENT, person_id=pair.mentee_id)
    offers = await uow.find(ENROLMENT, person_id=pair.mentor_id)
    enrolment = await uow.get(ENROLMENT, seen.enrolments[pair.mentor_id])
    load = await uow.get(MENTOR_LOAD, pair.mentor_id)
    if mentor is None or not mentor.matchable or enrolment is None or not enrolment.active or load is None:
        return Dropped.MENTOR_GONE
    if avoids(wishes, pair.mentor_id) or avoids(offers, pair.mentee_id):
        return Dropped.CHANGED_MEANWHILE  # told in confidence: no word of its own
    if enrolment.paused or load.used >= mentor.mentor_capacity:
        return Dropped.MENTOR_FULL
    if (
        mentor.version != seen.versions[pair.mentor_id]
        or mentee is None
        or mentee.version != seen.versions[pair.mentee_id]
        or await uow.get(PROPOSAL, _id_of(seen, pair)) is not None
    ):
        return Dropped.CHANGED_MEANWHILE
    return None


async def propose(uow: Uow, programme: Programme, seen: SeenPool, pair: Pair) -> str:
    """Open the pair's proposal; returns its id."""
    proposal_id = _id_of(seen, pair)
    await open_proposal(
        uow,
        Proposal(
            proposal_id=proposal_id,
            version=1,
            programme_id=programme.programme_id,
            mentor_id=pair.mentor_id,
            mentee_id=pair.mentee_id,
            attempt=_attempt(seen, pair),
            status=ProposalStatus.OPEN,
            mentor_accepted=False,
            mentee_accepted=False,
            score=pair.score,
            reasons=list(pair.reasons),
            proposed_at=uow.now,
            expires_at=uow.now + timedelta(days=programme.proposal_days),
            peers=seen.programme.of_peers,
        ),
    )
    return proposal_id


def _attempt(seen: SeenPool, pair: Pair) -> int:
    return seen.attempts.get((pair.mentee_id, pair.mentor_id), 0) + 1


def _id_of(seen: SeenPool, pair: Pair) -> str:
    return proposal_id_of(seen.programme.programme_id, pair.mentee_id, pair.mentor_id, _attempt(seen, pair))
