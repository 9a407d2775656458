"""Transactions of whoever has a run in hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.matching.domain.runs import Run
from services.matching.store import RUN
from shared.persistence.database import Database
from shared.persistence.uow import Cause, Uow


class LeaseLost(Exception):
    """Somebody else has the run, or it was discarded."""


@asynccontextmanager
async def transaction(
    database: Database, tenant: str, run: Run, *, read_only: bool = False
) -> AsyncIterator[Uow]:
    """A transaction because of the run: what is said in it has the run's id as its correlation id."""
    async with database.transaction(tenant, read_only=read_only) as uow:
        uow.cause = Cause(correlation_id=run.run_id)
        yield uow


async def held(uow: Uow, run: Run) -> Run:
    """The run's present row, if the lease still holds. Raises :class:`LeaseLost`."""
    row = await uow.get(RUN, run.run_id)
    if row is None or row.leases != run.leases or row.leased_until is None:
        raise LeaseLost
    return row
