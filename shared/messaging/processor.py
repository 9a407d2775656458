"""From a batch of records to committed effects. Every record of a batch ends with exactly one outcome.

One transaction per tenant in the batch: claim in the inbox, load and lock what the handlers need, run
the handlers in offset order, write everything in sets, commit. A record that refuses is undone in
memory and goes to the dead letters in the same transaction. When the database refuses the whole
(a defect), the batch is halved by key until the culprit stands alone.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
from sqlalchemy.exc import DBAPIError

from shared.errors import ServiceError
from shared.messaging import dead_letters, inbox
from shared.messaging.codec import Decoder, Item, Record
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers, Outcome
from shared.messaging.headers import Reason
from shared.messaging.lanes import Decoded, Lanes
from shared.messaging.metrics import Metrics
from shared.messaging.tracing import Tracing
from shared.persistence.database import Database, is_lost_race, is_transient, is_unavailable
from shared.persistence.uow import Uow, Want
from shared.runtime.backoff import backoff
from shared.runtime.failpoints import failpoint

log = structlog.get_logger()

_MAX_TRIES: Final = 10
_MAX_DELAY: Final = 5.0
_MOST_LINES: Final = 500
_ALONE: Final = 500
"""So few records are handled in one transaction."""
_DECODED_AT_ONCE: Final = 50
"""After so many records others get a turn: the transaction under way, heartbeats, requests."""


class CircuitOpen(Exception):
    """Handlers fail one after the other for no reason they name: stop before everything is buried."""


@dataclass(slots=True)
class Circuit:
    """Counts unexpected exceptions in a row; bad records never count."""

    threshold: int = 5
    retry_seconds: float = 30.0
    in_a_row: int = 0
    open: bool = False

    def failed(self) -> None:
        """Note one; raises :class:`CircuitOpen` at the threshold."""
        self.in_a_row += 1
        if self.in_a_row >= self.threshold:
            self.open = True
            self.in_a_row = self.threshold - 1  # half-open: the next failure opens it again at once
            raise CircuitOpen

    def succeeded(self) -> None:
        self.in_a_row = 0
        self.open = False


class BatchProcessor:
    """Processes the batches of one topic for one service."""

    def __init__(
        self,
        *,
        service: str,
        topic: str,
        group: str,
        handlers: Handlers,
        database: Database,
        metrics: Metrics,
        tracing: Tracing,
        circuit: Circuit | None = None,
        most: int = 500,
    ) -> None:
        self.service, self.topic, self.group = service, topic, group
        self.database, self.metrics, self.tracing = database, metrics, tracing
        self.circuit = circuit or Circuit()
        self.most = most
        self.decoder = Decoder(topic, handlers)
        self._lanes = Lanes(self._decode, self._settle_all)
        self.waiting_for: str | None = None
        """What the processor is waiting for while it retries, for the health answer."""

    async def process(self, records: Sequence[Record]) -> None:
        """Bring every record to its outcome, at most ``most`` of them in one transaction, each key in order.

        Returns only then; raises nothing but cancellation.
        """
        if self.is_large(records):
            handed_over = self.hand_over(records)
            try:
                await handed_over
            except asyncio.CancelledError:
                self._lanes.cancel()
                raise
        else:
            started = time.perf_counter()
            await self._settle_all(await self._decode(records))
            self._measure(len(records), started)

    def is_large(self, records: Sequence[Record]) -> bool:
        """Whether the records are worth several transactions at a time."""
        return len(records) > min(self.most, _ALONE)

    def hand_over(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """Like :meth:`process`, without waiting: the future is done then. Records that are handed over later
        are handled after these where the key is the same. Nothing may be processed otherwise meanwhile."""
        started = time.perf_counter()
        done = self._lanes.hand_over(records, self.most)
        done.add_done_callback(lambda _: self._measure(len(records), started))
        return done

    def _measure(self, records: int, started: float) -> None:
        self.metrics.batch(self.topic, records, time.perf_counter() - started)

    async def _settle_all(self, by_tenant: Decoded) -> None:
        for tenant, items in by_tenant.items():
            await self._settle(tenant, items)

    async def _decode(self, records: Sequence[Record]) -> Decoded:
        by_tenant: Decoded = {}
        for number, record in enumerate(records, 1):
            item = self.decoder.decode(record)
            by_tenant.setdefault(item.tenant, []).append(item)
            if number % _DECODED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return by_tenant

    async def _settle(self, tenant: str, items: list[Item]) -> None:
        """Retry, halve or bury until every item of one tenant has its outcome."""
        tries = 0
        while True:
            tries += 1
            try:
                await self._apply(tenant, items)
            except CircuitOpen:
                self.waiting_for = "the circuit: handlers fail one after the other"
                self.metrics.circuit(self.topic, opened=True)
                log.error("circuit open", topic=self.topic, retry_seconds=self.circuit.retry_seconds)
                await asyncio.sleep(self.circuit.retry_seconds)
            except Exception as error:  # noqa: BLE001 - sorted below into wait, retry and isolate
                if is_unavailable(error):
                    await self._wait(tries, error, "PostgreSQL")
                elif is_transient(error) and tries < _MAX_TRIES:
                    self.metrics.retry(self.topic)
                    await asyncio.sleep(backoff(tries, first=0.02, longest=_MAX_DELAY))
                elif len(items) == 1 and is_lost_race(error):
                    await self._wait(tries, error, "rows that others have locked")
                elif _is_buried(items):
                    await self._wait(tries, error, "a dead letter that PostgreSQL refuses")
                else:
                    await self._isolate(tenant, items, error, tries)
                    return
            else:
                if self.waiting_for is not None:
                    log.info("processing again", topic=self.topic)
                    self.waiting_for = None
                if not self.circuit.open:
                    self.metrics.circuit(self.topic, opened=False)
                return

    async def _wait(self, tries: int, error: BaseException, what: str) -> None:
        if self.waiting_for != what:
            self.waiting_for = what
            log.warning("waiting", topic=self.topic, waiting_for=what, error=type(error).__name__)
        await asyncio.sleep(backoff(tries, first=0.02, longest=_MAX_DELAY))

    async def _isolate(self, tenant: str, items: list[Item], error: Exception, tries: int) -> None:
        """Find the item that the database refuses: halve by key, keeping the order of each key."""
        keys = list(dict.fromkeys(_key(item) for item in items))
        if len(keys) > 1:
            first = set(keys[: len(keys) // 2])
            await self._settle(tenant, [item for item in items if _key(item) in first])
            await self._settle(tenant, [item for item in items if _key(item) not in first])
        elif len(items) > 1:
            for item in items:
                await self._settle(tenant, [item])
        else:
            (item,) = items
            log.error(
                "record refused by the database",
                topic=self.topic,
                event_id=item.id,
                error=type(error).__name__,
            )
            item.attempts = tries
            item.die(Reason.UNEXPECTED, f"The database refused its effect ({type(error).__name__}).")
            await self._settle(tenant, [item])

    async def _apply(self, tenant: str, items: Sequence[Item]) -> None:
        """One transaction. Verdicts given while handling are taken back when it fails."""
        before = [(item, item.verdict, item.reason, item.detail, item.source, item.id) for item in items]
        try:
            failpoint("before_transaction")
            async with self.database.transaction(tenant) as uow:
                claimed = await inbox.claim(uow, self.topic, items)
                await uow.prefetch(_wants(claimed.fresh))
                await _prepare(uow, claimed.fresh)
                known = {id(item) for item in claimed.fresh if item.verdict is not None}
                for item in claimed.fresh:
                    if item.verdict is None:
                        await self._handle(uow, item)
                late = [i for i in claimed.fresh if id(i) not in known and i.verdict is not Outcome.APPLIED]
                await inbox.settle(uow, self.topic, late)
                dead = [item for item in claimed.fresh if item.verdict is Outcome.DEAD]
                await dead_letters.bury(uow, self.service, self.topic, self.group, dead)
                await uow.flush()
                failpoint("after_write_before_commit")
        except BaseException:
            for item, verdict, reason, detail, source, identity in before:
                item.verdict, item.reason, item.detail = verdict, reason, detail
                item.source, item.id = source, identity
            raise
        failpoint("after_commit")
        self._report(uow, claimed)

    async def _handle(self, uow: Uow, item: Item) -> None:
        event, handling = item.event, item.handling
        assert event is not None and handling is not None
        mark = uow.mark()
        try:
            if self.tracing.recording:
                with self.tracing.handling(event) as uow.cause:
                    outcome = await handling.handle(event, uow)
            else:
                uow.cause = event.cause()
                outcome = await handling.handle(event, uow)
        except ServiceError as refusal:
            uow.undo(mark)
            item.die(refusal.code, refusal.message)
            return
        except (TimeoutError, DBAPIError, OSError):
            raise  # the transaction itself is broken
        except Exception as defect:  # noqa: BLE001 - a defect must not stop its neighbours
            uow.undo(mark)
            log.error(
                "handler failed",
                topic=self.topic,
                event_id=item.id,
                event_type=item.type,
                error=type(defect).__name__,
                where=where(defect),
            )
            self.circuit.failed()
            item.die(Reason.UNEXPECTED, f"The handler failed with {type(defect).__name__}.")
            return
        self.circuit.succeeded()
        item.verdict = outcome or Outcome.APPLIED

    def _report(self, uow: Uow, claimed: inbox.Claimed) -> None:
        """Count and log after the commit. Lines carry ids only."""
        counts = Counter([item.verdict for item in claimed.fresh if item.verdict is not None])
        self.metrics.outcomes(self.topic, counts)
        applied = [item for item in claimed.fresh if item.verdict is Outcome.APPLIED]
        self.metrics.latencies(self.topic, [item.record.timestamp for item in applied])
        if counts[Outcome.DEAD]:
            self._report_dead([item for item in claimed.fresh if item.verdict is Outcome.DEAD])
        if log.is_enabled_for(logging.DEBUG):
            for item in applied:
                log.debug("event applied", topic=self.topic, event_id=item.id, event_type=item.type)
        if claimed.duplicates:
            self.metrics.duplicates(self.topic, len(claimed.duplicates))
        log_said(uow)

    def _report_dead(self, items: Sequence[Item]) -> None:
        for item in items:
            self.metrics.dead(self.topic, item.reason)
            log.warning(
                "dead letter",
                topic=self.topic,
                event_id=item.id,
                event_type=item.type,
                reason=item.reason,
                partition=item.record.partition,
                offset=item.record.offset,
            )


def log_said(uow: Uow) -> None:
    """One line per event said, so that one correlation id can be followed through all services.

    A transaction that says very many (a matching round, an import) is told in one line.
    """
    if len(uow.says) > _MOST_LINES:
        counts = Counter(said.data.TYPE for said in uow.says)
        log.info("events said", counts=dict(counts), first_correlation_id=uow.says[0].cause.correlation_id)
        return
    for said in uow.says:
        log.info(
            "event said",
            event_type=said.data.TYPE,
            subject=said.data.subject,
            version=said.version,
            correlation_id=said.cause.correlation_id,
            causation_id=said.cause.causation_id,
            trace_id=said.cause.traceparent[3:35] if said.cause.traceparent else None,
        )


def _wants(items: Sequence[Item]) -> list[Want]:
    wants: list[Want] = []
    for item in items:
        if item.verdict is None and item.handling is not None and item.handling.needs is not None:
            try:
                wants += item.handling.needs(cast("Event[Any]", item.event))
            except Exception as defect:  # noqa: BLE001 - what is not prefetched is fetched later
                log.error("needs failed", event_id=item.id, event_type=item.type, error=type(defect).__name__)
    return wants


async def _prepare(uow: Uow, items: Sequence[Item]) -> None:
    together: dict[str, list[Item]] = {}
    for item in items:
        if item.verdict is None and item.handling is not None and item.handling.prepare is not None:
            together.setdefault(item.type, []).append(item)
    for type_, alike in together.items():
        handling = alike[0].handling
        assert handling is not None and handling.prepare is not None
        try:
            await handling.prepare([cast("Event[Any]", item.event) for item in alike], uow)
        except (TimeoutError, DBAPIError, OSError):
            raise  # the transaction itself is broken
        except Exception as defect:  # noqa: BLE001 - what is not loaded is fetched later
            log.error("prepare failed", event_type=type_, error=type(defect).__name__)


def _is_buried(items: Sequence[Item]) -> bool:
    """Whether this is one record that PostgreSQL was found to refuse: then it refuses the dead letter too."""
    return len(items) == 1 and items[0].verdict is Outcome.DEAD and items[0].reason is Reason.UNEXPECTED


def _key(item: Item) -> Any:
    return item.record.key if item.record.key is not None else (item.record.partition, item.record.offset)


def where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else ""
