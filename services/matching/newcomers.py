"""Who comes or changes between rounds has a proposal at once, where the programme wants it so.

The solver's process still knows the mentors of the last round, and names the few who are worth a look. Those few and
everybody who waits are read anew, and are a round of their own: the same engine and rules, the same check under locks.
So nothing old decides, and nobody overtakes somebody who has waited longer. What cannot be answered in this way is left
to the next round, which is set in any case.
"""

from dataclasses import replace
from typing import Final

from services.matching import remembered, solver, store
from services.matching.domain.mentees import Found
from services.matching.rounds import carry_out, key_of
from services.matching.run_solver import decide_job
from services.matching.store import PROGRAMME
from shared.persistence.uow import Uow

MOST_NEW: Final = 20
"""When more than so many have come, they are a cohort, and are better matched all together."""
MOST_WAITING: Final = 1_000


async def match_newcomers(uow: Uow, programme_id: str, mentor_id: str | None = None) -> None:
    """Propose to those who wait and have not been in a round yet; to all who wait when *mentor_id* came or changed."""
    programme = await store.peek(uow, PROGRAMME, programme_id)
    if programme is None or not programme.at_once or not solver.is_running():
        return
    waiting = await store.waiting(uow, programme_id, None, MOST_WAITING + 1)
    new = [one.person_id for one in waiting if one.found is Found.NOT_TRIED]
    if len(waiting) > MOST_WAITING or len(new) > MOST_NEW or (not new and mentor_id is None):
        return
    came = await store.read_few(uow, programme_id, new, ())
    if came is None:
        return
    key = key_of(uow, came)

    async def keep_alive() -> None:
        await store.keep_alive(uow)

    worth = await solver.ask(keep_alive, remembered.candidates, key, came.pool.mentees, mentor_id)
    if not worth or not waiting:
        return
    seen = await store.read_few(uow, programme_id, [one.person_id for one in waiting], worth)
    if seen is None or not seen.pool.mentees or not seen.pool.mentors:
        return
    job = await solver.job_of(seen.pool, seen.configuration)
    result = await solver.ask(keep_alive, decide_job, job, key)
    if result is not None:
        # Whoever finds nobody here is told so by a round, which looks at all mentors.
        await carry_out(uow, seen, replace(result, all_full=(), no_candidate=()))
