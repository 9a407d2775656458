"""Publishing a run: every pair is compared with the present, and those that still stand are proposed, all at once.

First a look without locks: who waits now, who has room, which rules forbid a pair by now (the engine is asked). Then
one transaction locks, checks again, proposes, notes what became of each pair and says that the run is published. So
whoever is killed in between leaves nothing behind, and the next begins anew.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from services.matching import groups, solver, store
from services.matching.domain.mentees import Found
from services.matching.domain.runs import Dropped, Run, RunReason, Stage
from services.matching.engine import Configuration
from services.matching.leases import held, transaction
from services.matching.pairs import pass_gate, want_gate
from services.matching.peers import must_fit
from services.matching.proposing import PAIRS_AT_A_TIME, lock, propose, wants_of, why_not_now
from services.matching.rounds import note_found
from services.matching.run_process import NoResult
from services.matching.run_solver import broken
from services.matching.runs import settle
from services.matching.solver_process import Pair
from services.matching.speech import say_run
from services.matching.store import MENTEE, PROGRAMME, RUN, SeenPool
from services.matching.waking import wake
from shared.persistence.database import Database
from shared.persistence.uow import Uow, Want, want
from shared.runtime.failpoints import failpoint

_PAGE: Final = 500
_NOBODY_FITS: Final = ("rules", "nobody")

Forbidden = Mapping[tuple[str, str], str]
"""(mentee, mentor) to the rule that is broken by now."""


async def publish(database: Database, tenant: str, run: Run) -> None:
    """Propose the pairs of a leased run. Raises ``NoResult`` and ``LeaseLost``."""
    async with transaction(database, tenant, run, read_only=True) as uow:
        seen = await store.read_pool(uow, run.programme_id, also_empty=True)
        pairs = await _pairs(uow, run)
        left = await _left(uow, run)
    if seen is None:
        raise NoResult(RunReason.PROGRAMME_INACTIVE, "The programme is not active.")
    must_fit(seen, Configuration.read(run.configuration))
    forbidden = await _forbidden(seen, run, pairs)
    async with transaction(database, tenant, run) as uow:
        proposing = (await held(uow, run)).at(Stage.PROPOSING, 0, 0.0, uow.now)
        uow.put(proposing)
        say_run(uow, proposing)
    async with transaction(database, tenant, run) as uow:
        await lock(uow, _wants(run, seen, pairs, left))
        await pass_gate(uow)
        await _propose_all(uow, await held(uow, run), seen, pairs, forbidden)
        for why, mentee_ids in left.items():
            await note_found(uow, run.programme_id, why, mentee_ids)
        await uow.flush()
        failpoint("run_publish_before_commit")
    failpoint("run_published")


async def _pairs(uow: Uow, run: Run) -> list[Pair]:
    """All pairs of the run, the highest score first: where places have become scarce they decide."""
    pairs: list[Pair] = []
    after = ("", "")
    while rows := await store.run_pairs(uow, run.run_id, after, _PAGE):
        pairs += [Pair(r["mentee_id"], r["mentor_id"], r["score"], tuple(r["reasons"])) for r in rows]
        after = pairs[-1].mentee_id, pairs[-1].mentor_id
    return sorted(pairs, key=lambda pair: (-pair.score, pair.mentee_id, pair.mentor_id))


async def _left(uow: Uow, run: Run) -> dict[Found, tuple[str, ...]]:
    """Who has nobody in this run, by what they may read of it."""
    found: dict[Found, list[str]] = {Found.ALL_FULL: [], Found.NO_CANDIDATE: []}
    after = ""
    while rows := await store.run_unmatched(uow, run.run_id, after, _PAGE):
        for row in rows:
            why = Found.NO_CANDIDATE if row["why"] in _NOBODY_FITS else Found.ALL_FULL
            found[why].append(row["mentee_id"])
        after = rows[-1]["mentee_id"]
    return {why: tuple(mentee_ids) for why, mentee_ids in found.items()}


async def _forbidden(seen: SeenPool, run: Run, pairs: list[Pair]) -> Forbidden:
    """Pairs that a rule forbids, with people as they are now and the run's own rules."""
    waiting = {person.person_id for person in seen.pool.mentees}
    still = [
        (pair.mentee_id, pair.mentor_id)
        for pair in pairs
        if pair.mentee_id in waiting and pair.mentor_id in seen.enrolments
    ]
    if not still:
        return {}
    job = await solver.job_of(seen.pool, Configuration.read(run.configuration))
    return await solver.ask(solver.nothing, broken, job, still)


def _wants(
    run: Run, seen: SeenPool, pairs: list[Pair], left: Mapping[Found, tuple[str, ...]]
) -> Iterator[Want]:
    yield want_gate()
    yield want(RUN, run.run_id)
    yield want(PROGRAMME, run.programme_id)
    yield from wants_of(seen, pairs)
    yield from groups.wants_of(Configuration.read(run.configuration), pairs)
    for mentee_ids in left.values():
        for mentee_id in mentee_ids:
            yield want(MENTEE, run.programme_id, mentee_id)


async def _propose_all(uow: Uow, run: Run, seen: SeenPool, pairs: list[Pair], forbidden: Forbidden) -> None:
    configuration = Configuration.read(run.configuration)
    programme = await uow.get(PROGRAMME, run.programme_id)
    if programme is None or not programme.active:
        raise NoResult(RunReason.PROGRAMME_INACTIVE, "The programme is not active.")
    apart = await groups.fallen(uow, seen, configuration, pairs, forbidden)
    dropped: Counter[str] = Counter()
    outcomes: list[tuple[str, str, str | None, str | None, str | None]] = []
    for number, pair in enumerate(pairs, start=1):
        rule = forbidden.get((pair.mentee_id, pair.mentor_id))
        why = apart.get((pair.mentee_id, pair.mentor_id)) or await why_not_now(uow, seen, pair)
        if why is None and rule is not None:
            why = Dropped.RULE
        if why is None:
            proposal_id = await propose(uow, programme, seen, pair)
            outcomes.append((pair.mentee_id, pair.mentor_id, proposal_id, None, None))
        else:
            dropped[why] += 1
            rule = rule if why is Dropped.RULE else None
            outcomes.append((pair.mentee_id, pair.mentor_id, None, why, rule))
        if number % PAIRS_AT_A_TIME == 0 or number == len(pairs):
            await uow.flush()
            await store.save_outcomes(uow, run.run_id, outcomes)
            outcomes.clear()
        if number == (len(pairs) + 1) // 2:
            failpoint("run_publish_halfway")
    proposed = len(pairs) - dropped.total()
    await settle(uow, run.published(proposed, dict(dropped), uow.now))
    if dropped:
        await wake(uow, [run.programme_id])
