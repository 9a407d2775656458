"""Counting what events say: a contribution per subject, and the sums that contributions make.

The contribution's row is the guard: it is locked, compared by version and replaced in the transaction
that changes the sums, so that no event counts twice and a sum always equals its contributions.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.feedback.domain.analytics import Contribution, MetricSum, Place, difference, parts
from services.feedback.store import CONTRIBUTION, PROGRAMME_METRIC
from shared.messaging.handlers import Outcome
from shared.persistence.uow import Uow, Want, want


def wants(contribution: Contribution) -> Iterator[Want]:
    """The rows that counting *contribution* needs (but for sums that an older state has to leave)."""
    yield want(CONTRIBUTION, contribution.subject, contribution.subject_id)
    for place, _ in parts(contribution):
        yield want(PROGRAMME_METRIC, *place)


async def known(uow: Uow, contribution: Contribution) -> Contribution | None:
    """What the same subject contributes so far."""
    return await uow.get(CONTRIBUTION, contribution.subject, contribution.subject_id)


async def count(uow: Uow, contribution: Contribution) -> Outcome:
    """Let *contribution* count instead of an older one of the same subject."""
    before = await known(uow, contribution)
    if before is not None and before.version >= contribution.version:
        return Outcome.STALE
    uow.put(contribution)
    for place, delta in sorted(difference(before, contribution).items()):
        await _add(uow, place, delta)
    return Outcome.APPLIED


async def _add(uow: Uow, place: Place, delta: int) -> None:
    row = await uow.get(PROGRAMME_METRIC, *place)
    if row is None:
        uow.put(MetricSum(*place, value=delta))
    else:
        uow.put(replace(row, value=row.value + delta))
