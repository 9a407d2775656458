"""The worker that computes and publishes runs: takes them by lease, never more than one of each at a time.

A lease is by the database server's clock and ends by itself, so what a killed service held is taken by another, or by
itself after its restart: from the stored inputs, hence to the same result. Only the holder of the newest lease may
change a run.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from services.matching import snapshot, store
from services.matching.domain.runs import MOST_ATTEMPTS, Run, RunReason, RunState, Stage
from services.matching.engine import Configuration
from services.matching.groups import without_leaders
from services.matching.leases import LeaseLost, held, transaction
from services.matching.peers import must_fit
from services.matching.publishing import publish
from services.matching.run_process import Limits, Message, NoResult, messages, stage_of
from services.matching.run_solver import Done, Job
from services.matching.runs import settle
from services.matching.speech import say_run
from shared.persistence.database import is_transient
from shared.persistence.uow import Cause, Uow
from shared.runtime.failpoints import failpoint
from shared.runtime.service import Worker, WorkerContext

log = structlog.get_logger()

LEASE: Final = timedelta(seconds=30)
_EXTEND_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.5
_TELL_SECONDS: Final = 1.0

Change = Callable[[Run, Uow], Run]


class PeopleChanged(Exception):
    """Somebody was taken out of the inputs while they were computed on."""


class RunWorker:
    """The worker of one service process."""

    def __init__(self, context: WorkerContext) -> None:
        self._database, self._stopping = context.database, context.stopping
        settings = context.settings
        self._limits = Limits(settings.run_memory_mb, settings.run_seconds)
        self._busy: dict[bool, asyncio.Task[None]] = {}
        self._waiting = False

    async def run(self) -> None:
        """Work until told to stop; what is in hand then is given back."""
        try:
            while not self._stopping.is_set():
                await self._begin_what_waits()
                await self._rest()
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _begin_what_waits(self) -> None:
        try:
            found = await store.tenants_with_runs(self._database)
        except Exception as error:
            if not is_transient(error):
                raise
            if not self._waiting:
                log.warning("runs are waiting", error=type(error).__name__)
            self._waiting = True
            return
        self._waiting = False
        for tenant, publishing in found:
            if publishing not in self._busy:
                self._busy[publishing] = asyncio.create_task(self._one(tenant, publishing))

    async def _rest(self) -> None:
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait(
            {stopped, *self._busy.values()}, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        stopped.cancel()
        for publishing, task in list(self._busy.items()):
            if task.done():
                del self._busy[publishing]
                task.result()  # a defect ends this worker, which is started again

    async def _one(self, tenant: str, publishing: bool) -> None:
        """Take one run and bring it to an end, or give it back."""
        async with self._database.transaction(tenant) as uow:
            run = await store.lease_next(uow, LEASE, publish=publishing)
        if run is None:
            return
        failpoint("run_leased")
        if run.attempts > MOST_ATTEMPTS:
            problem = f"It was begun {MOST_ATTEMPTS} times and cut off each time."
            await self._settle(tenant, run, _over(RunReason.INTERRUPTED, problem))
            return
        work = publish(self._database, tenant, run) if publishing else self._compute(tenant, run)
        try:
            await self._while_leased(tenant, run, work)
        except LeaseLost:
            log.info("a run is in other hands", run=run.run_id)
        except asyncio.CancelledError:
            await self._settle(tenant, run, lambda now, _: now.given_back())
            raise
        except PeopleChanged:
            await self._settle(tenant, run, lambda now, _: now.given_back())
        except NoResult as error:
            log.warning("a run has no result", run=run.run_id, reason=error.reason, problem=error.problem)
            again = error.again and run.attempts < MOST_ATTEMPTS
            change = _let_go if again else _over(error.reason, error.problem)
            await self._settle(tenant, run, change)
        except Exception as error:
            if not is_transient(error):
                log.exception("a run failed", run=run.run_id, error=type(error).__name__)
                await self._settle(tenant, run, _over(RunReason.DEFECT, type(error).__name__))
                return
            await asyncio.sleep(_POLL_SECONDS)
            await self._settle(tenant, run, lambda now, _: now.given_back())

    async def _while_leased(self, tenant: str, run: Run, work: Awaitable[None]) -> None:
        """Do the work and keep the lease; raises :class:`LeaseLost` as soon as it is gone."""
        working, keeping = asyncio.ensure_future(work), asyncio.create_task(self._keep(tenant, run))
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise LeaseLost
            working.result()
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.gather(working, keeping, return_exceptions=True)

    async def _keep(self, tenant: str, run: Run) -> None:
        """Extend the lease until it cannot be extended."""
        kept = True
        while kept:
            await asyncio.sleep(_EXTEND_SECONDS)
            with suppress(Exception):  # the next try, or the lease's end, decides
                async with self._database.transaction(tenant) as uow:
                    kept = await store.extend_lease(uow, run, LEASE)

    async def _settle(self, tenant: str, run: Run, change: Change) -> None:
        """Change the run at the end of its lease, as soon as the database takes it."""
        delay = 0.1
        while True:
            try:
                async with self._database.transaction(tenant) as uow:
                    uow.cause = Cause(correlation_id=run.run_id)
                    with suppress(LeaseLost):
                        await settle(uow, change(await held(uow, run), uow))
            except Exception as error:
                if not is_transient(error) or self._stopping.is_set():
                    raise
                await asyncio.sleep(delay)
                delay = min(5.0, delay * 2)
            else:
                return

    # computing

    async def _compute(self, tenant: str, run: Run) -> None:
        job, edition = await self._job(tenant, run)
        failpoint("run_inputs_stored")
        told = 0.0
        async with aclosing(messages(job, self._limits)) as said:
            async for message in said:
                if message[0] != "progress":
                    await self._store(tenant, run, edition, message, said)
                    return
                now = asyncio.get_running_loop().time()
                if now - told >= _TELL_SECONDS:
                    told = now
                    await self._tell(tenant, run, *stage_of(message[1]), message[2])
                    failpoint("run_progress_told")

    async def _job(self, tenant: str, run: Run) -> tuple[Job, int]:
        """The run's inputs: those that are stored, or else the present ones, which are stored now."""
        async with transaction(self._database, tenant, run) as uow:
            run = (await held(uow, run)).reading(uow.now)
            uow.put(run)
            say_run(uow, run)
        async with transaction(self._database, tenant, run) as uow:
            parts = (
                await store.read_people(uow, run.run_id) if run.people_parts else await self._take(uow, run)
            )
            run = await held(uow, run)
        assert run.as_of is not None
        return Job(parts, run.as_of, run.configuration), run.edition

    async def _take(self, uow: Uow, run: Run) -> snapshot.Parts:
        """Store who is in the pool now."""
        seen = await store.read_pool(uow, run.programme_id, also_empty=True)
        if seen is None:
            raise NoResult(RunReason.PROGRAMME_INACTIVE, "The programme is not active.")
        must_fit(seen, Configuration.read(run.configuration))
        seen = await without_leaders(uow, seen, Configuration.read(run.configuration))
        taken = await asyncio.to_thread(snapshot.take, seen.pool)
        await store.save_people(uow, run.run_id, taken.parts)
        known = replace(
            (await held(uow, run)).at(Stage.READING, 0, 0.0, uow.now),
            kept=True,
            people_parts=taken.number,
            as_of=seen.pool.as_of,
            input_hash=taken.input_hash,
            mentees=len(seen.pool.mentees),
            mentors=len(seen.pool.mentors),
        )
        uow.put(known)
        say_run(uow, known)
        return taken.parts

    async def _tell(self, tenant: str, run: Run, stage: Stage, round_: int, fraction: float) -> None:
        async with transaction(self._database, tenant, run) as uow:
            now = (await held(uow, run)).at(stage, round_, fraction, uow.now)
            uow.put(now)
            say_run(uow, now)

    async def _store(
        self, tenant: str, run: Run, edition: int, message: Message, said: AsyncGenerator[Message, None]
    ) -> None:
        """Everything that was found, *message* first, in one transaction."""
        async with transaction(self._database, tenant, run) as uow:
            while message[0] != "done":
                if message[0] != "progress":
                    await store.save_result(uow, run.run_id, *message)
                message = await anext(said)
            done: Done = message[1]
            failpoint("run_result_before_commit")
            now = await held(uow, run)
            if now.edition != edition:
                raise PeopleChanged
            ready = replace(now.ready(done.found, done.figures, uow.now), input_hash=done.input_hash)
            await settle(uow, ready)
        failpoint("run_result_committed")


def _let_go(run: Run, uow: Uow) -> Run:
    return run.let_go()


def _over(reason: RunReason, problem: str) -> Change:
    """It fails; one that should be published is ready as before."""

    def change(run: Run, uow: Uow) -> Run:
        if run.state is RunState.PUBLISHING:
            return run.not_published(reason, problem, uow.now)
        return run.failed(reason, problem, uow.now)

    return change


async def _work(context: WorkerContext) -> None:
    await RunWorker(context).run()


WORKER: Final = Worker("runs", _work)
