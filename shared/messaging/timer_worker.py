"""Fires timers that are due by business time: each in a transaction that holds its claim and its effect."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from shared.messaging.handlers import Handlers, TimerHandling
from shared.messaging.metrics import Metrics
from shared.messaging.processor import log_said
from shared.messaging.tracing import Tracing
from shared.persistence.database import Database, is_transient, is_unavailable
from shared.persistence.driver import Statement
from shared.persistence.timers import Timer
from shared.persistence.uow import Cause, Uow
from shared.runtime.backoff import backoff
from shared.runtime.failpoints import failpoint

log = structlog.get_logger()

T = TypeVar("T")

_POLL_SECONDS: Final = 0.2

_DUE = Statement(
    "SELECT tenant, kind FROM timer WHERE due_at <= app_now()"
    " AND (retry_at IS NULL OR retry_at <= clock_timestamp())"
    " GROUP BY tenant, kind ORDER BY min(due_at) LIMIT 1000"
)
# Claiming takes the row away; its firing or, when that fails, its postponement is in the same transaction.
_CLAIM = sa.text(
    "DELETE FROM timer t USING ("
    " SELECT kind, key FROM timer WHERE tenant = :tenant AND kind = :kind AND due_at <= :now"
    " AND (retry_at IS NULL OR retry_at <= clock_timestamp())"
    " ORDER BY due_at, key LIMIT :limit FOR UPDATE SKIP LOCKED) c"
    " WHERE t.tenant = :tenant AND t.kind = c.kind AND t.key = c.key"
    " RETURNING t.key, t.due_at, t.correlation_id, t.causation_id, t.traceparent, t.attempts"
)
_POSTPONE = sa.text(
    "INSERT INTO timer (tenant, kind, key, due_at, correlation_id, causation_id, traceparent, attempts, retry_at)"
    " VALUES (:tenant, :kind, :key, :due_at, :correlation_id, :causation_id, :traceparent, :attempts + 1,"
    " clock_timestamp() + least(300, power(2, least(:attempts, 10))) * interval '1 second')"
    " ON CONFLICT (tenant, kind, key) DO NOTHING"
)


class TimerWorker:
    """The timer task of one service process; several processes share the work by ``SKIP LOCKED``.

    Each kind has a lane of its own, so that one that takes long holds up no other. Within a kind the tenants
    have their turns one after the other. At most *lanes* kinds fire at a time, each on one connection.
    """

    def __init__(
        self, database: Database, handlers: Handlers, metrics: Metrics, tracing: Tracing, *, lanes: int
    ) -> None:
        self._database, self._handlers, self._metrics, self._tracing = database, handlers, metrics, tracing
        self._stopping = asyncio.Event()
        self._look = asyncio.Event()
        self._due: dict[str, list[str]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(lanes)
        self._waiting: dict[str, str] = {}
        self._unknown: set[str] = set()

    @property
    def waiting_for(self) -> str | None:
        """What the worker, or one of its lanes, waits for."""
        return next(iter(self._waiting.values()), None)

    async def run(self) -> None:
        """Fire timers until :meth:`stop`."""
        try:
            while not self._stopping.is_set():
                self._look.clear()
                self._due = await self._patiently("due", self._find) or {}
                for kind in self._due.keys() - self._lanes.keys():
                    self._lanes[kind] = asyncio.create_task(self._lane(kind), name=f"timers {kind}")
                await _wait(self._look, _POLL_SECONDS)
            await asyncio.gather(*self._lanes.values())
        finally:
            for lane in self._lanes.values():
                lane.cancel()

    def stop(self) -> None:
        """What is being fired is finished; nothing else is begun."""
        self._stopping.set()
        self._look.set()

    async def fire_due(self) -> int:
        """Fire one round of what is due, one kind after the other; returns how many fired."""
        return sum([await self._turn(kind, tenants) for kind, tenants in (await self._find()).items()])

    async def _find(self) -> dict[str, list[str]]:
        """The tenants of each kind, those whose timers have been due for longest first."""
        due: dict[str, list[str]] = {}
        for tenant, kind in await self._database.glance(_DUE):
            if kind in self._handlers.timers:
                due.setdefault(kind, []).append(tenant)
            elif kind not in self._unknown:
                self._unknown.add(kind)
                log.error("a timer of an unknown kind is due", kind=kind)
        return due

    async def _lane(self, kind: str) -> None:
        try:
            async with self._places:
                if await self._patiently(kind, lambda: self._turn(kind, self._due.get(kind, ()))):
                    self._look.set()  # more may be due than one turn takes
        finally:
            del self._lanes[kind]

    async def _turn(self, kind: str, tenants: Sequence[str]) -> int:
        """One batch of each tenant. A tenant whose batch fails holds up none of the others."""
        handling, fired = self._handlers.timers[kind], 0
        failure: Exception | None = None
        for tenant in tenants:
            if self._stopping.is_set():
                break
            try:
                fired += await self._fire(tenant, handling)
            except Exception as error:  # noqa: BLE001 - raised below, when all have had their turn
                failure = error
        if failure is not None:
            raise failure
        return fired

    async def _patiently(self, what: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """*work* done once, over every outage; ``None`` when the worker was stopped before."""
        failures = 0
        while not self._stopping.is_set():
            try:
                done = await work()
            except Exception as error:  # noqa: BLE001 - the worker outlives every outage
                failures += 1
                if what not in self._waiting:
                    log.warning("timers are waiting", kind=what, error=type(error).__name__)
                self._waiting[what] = "PostgreSQL" if is_unavailable(error) else type(error).__name__
                await _wait(self._stopping, backoff(failures, first=0.1, longest=5))
            else:
                self._waiting.pop(what, None)
                return done
        return None

    async def _fire(self, tenant: str, handling: TimerHandling) -> int:
        try:
            return await self._fire_batch(tenant, handling, handling.batch)
        except Exception as error:
            if is_transient(error):
                raise
            # Something in the batch is refused as a whole: one by one shows which.
            fired = 0
            for _ in range(handling.batch):
                done = await self._fire_single(tenant, handling)
                if done is None:
                    return fired
                fired += done
            return fired

    async def _fire_single(self, tenant: str, handling: TimerHandling) -> int | None:
        """Fire one timer (1), postpone it (0), or find none (None)."""
        try:
            return await self._fire_batch(tenant, handling, 1) or None
        except Exception as error:
            if is_transient(error):
                raise
            async with self._database.transaction(tenant) as uow:
                for row in await uow.rows(_CLAIM, kind=handling.kind, limit=1, now=uow.now):
                    await _postpone(uow, handling.kind, row)
            self._failed(handling.kind, error)
            return 0

    async def _fire_batch(self, tenant: str, handling: TimerHandling, limit: int) -> int:
        kind = handling.kind
        lateness: list[float] = []
        async with self._database.transaction(tenant) as uow:
            rows = await uow.rows(_CLAIM, kind=kind, limit=limit, now=uow.now)
            failpoint("timer_claimed_before_firing")
            due = [
                (row, Timer(kind, row.key, row.due_at))
                for row in sorted(rows, key=lambda row: (row.due_at, row.key))
            ]
            if handling.needs is not None:
                await uow.prefetch(item for _, timer in due for item in handling.needs(timer))
            for row, timer in due:
                mark = uow.mark()
                cause = Cause(row.correlation_id, row.causation_id, row.traceparent)
                with self._tracing.working(f"timer {kind}", cause) as here:
                    uow.cause = here
                    try:
                        await handling.handle(timer, uow)
                    except (TimeoutError, DBAPIError, OSError):
                        raise
                    except Exception as error:  # noqa: BLE001 - one bad timer must not hold up the others
                        uow.undo(mark)
                        await _postpone(uow, kind, row)
                        self._failed(kind, error)
                        continue
                lateness.append((uow.now - row.due_at).total_seconds())
        for late in lateness:
            self._metrics.timer_fired(kind, late)
        log_said(uow)
        return len(rows)

    def _failed(self, kind: str, error: BaseException) -> None:
        self._metrics.timer_failed(kind)
        log.error("timer failed", kind=kind, error=type(error).__name__)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until *event*, but not for longer."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _postpone(uow: Uow, kind: str, row: Any) -> None:
    """Put a claimed timer back, to be tried again after a growing delay."""
    await uow.connection.execute(
        _POSTPONE,
        {
            "tenant": uow.tenant,
            "kind": kind,
            "key": row.key,
            "due_at": row.due_at,
            "correlation_id": row.correlation_id,
            "causation_id": row.causation_id,
            "traceparent": row.traceparent,
            "attempts": row.attempts,
        },
    )
