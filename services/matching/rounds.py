"""One matching round: look at the pool, compute off the event loop, lock, check again, propose.

What has changed between the look and the lock is left to the next round, which is woken.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.matching import groups, solver, store
from services.matching.domain.mentees import Found
from services.matching.groups import fallen, without_leaders
from services.matching.pairs import pass_gate, want_gate
from services.matching.proposing import PAIRS_AT_A_TIME, lock, propose, wants_of, why_not_now
from services.matching.remembered import Key, prepare
from services.matching.solver_process import Result
from services.matching.store import MENTEE, PROGRAMME, SeenPool
from services.matching.waking import wake
from shared.persistence.uow import Uow, Want, want


async def run_round(uow: Uow, programme_id: str) -> None:
    """Propose a mentor to everybody who waits in the programme and for whom there is one."""
    seen = await store.read_pool(uow, programme_id)
    if seen is None or not seen.programme.has_rounds:
        return
    seen = await without_leaders(uow, seen, seen.configuration)
    key = key_of(uow, seen) if seen.programme.at_once else None
    result = await solver.match(seen.pool, seen.configuration, lambda: store.keep_alive(uow), key=key)
    if key is not None:
        solver.soon(prepare, key)
    await carry_out(uow, seen, result)


def key_of(uow: Uow, seen: SeenPool) -> Key:
    """By what the solver's process remembers the programme."""
    return Key(uow.tenant, seen.programme.programme_id, seen.configuration.fingerprint())


async def carry_out(uow: Uow, seen: SeenPool, result: Result) -> None:
    """Lock, check again, and propose what still stands. What does not is left to the next round, which is woken."""
    await lock(uow, _wants(seen, result))
    await pass_gate(uow)
    programme_id = seen.programme.programme_id
    programme = await uow.get(PROGRAMME, programme_id)
    if programme is None or not programme.has_rounds:
        return
    made = True
    apart = await fallen(uow, seen, seen.configuration, result.pairs, {})
    for number, pair in enumerate(result.pairs, start=1):
        falls = (pair.mentee_id, pair.mentor_id) in apart
        if not falls and await why_not_now(uow, seen, pair) is None:
            await propose(uow, programme, seen, pair)
        else:
            made = False
        if number % PAIRS_AT_A_TIME == 0:
            await uow.flush()
    await note_found(uow, programme_id, Found.ALL_FULL, result.all_full)
    await note_found(uow, programme_id, Found.NO_CANDIDATE, result.no_candidate)
    if not made:
        await wake(uow, [programme_id])


def _wants(seen: SeenPool, result: Result) -> Iterator[Want]:
    programme_id = seen.programme.programme_id
    yield want_gate()
    yield want(PROGRAMME, programme_id)
    yield from wants_of(seen, result.pairs)
    yield from groups.wants_of(seen.configuration, result.pairs)
    for mentee_id in (*result.all_full, *result.no_candidate):
        yield want(MENTEE, programme_id, mentee_id)


async def note_found(uow: Uow, programme_id: str, found: Found, mentee_ids: tuple[str, ...]) -> None:
    """Let those who wait on read why."""
    for number, mentee_id in enumerate(mentee_ids, start=1):
        mentee = await uow.get(MENTEE, programme_id, mentee_id)
        if mentee is not None and mentee.waits and mentee.found is not found:
            uow.put(replace(mentee, found=found))
        if number % PAIRS_AT_A_TIME == 0:
            await uow.flush()
