"""The relay: moves outbox rows to Kafka, in order per key, at least once.

One relay per service is active at a time, under a transaction-level advisory lock that it holds for
one turn: batch after batch while there are any, for a second, or for the five that a send may take. Each
batch is read in the lock's transaction, so it is read only while the lock is held, and deleted in one of its
own, only after all replicas have it. A send that fails or hangs makes the relay throw its producer away *before* it
gives up the lock, so that a revived connection cannot send old rows after a successor has sent newer ones.

A topic that is missing, or that refuses what is sent, is held for a while (ADR 31): its rows wait, in order,
and those of other topics pass them.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.messaging.held_topics import HeldTopics
from shared.messaging.kafka import make_producer, stop_producer, topic_name
from shared.messaging.metrics import Metrics
from shared.messaging.partitions import partition_of
from shared.messaging.vacuum import VACUUM_ROWS, OutboxVacuum
from shared.persistence.database import Database, is_unavailable
from shared.persistence.driver import Connection, Statement
from shared.runtime.backoff import backoff
from shared.runtime.failpoints import failpoint
from shared.runtime.settings import Settings

log = structlog.get_logger()

SEND_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
"""How long a topic that the producer does not know is looked for."""
_STOP_SECONDS: Final = 1.0
_TURN_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 0.5
_LOCK: Final = 0x4F555442

_ALONE = Statement("SELECT pg_try_advisory_xact_lock(CAST(:lock AS bigint))")
# A statement of its own: it must see what the relay that held the lock before has deleted.
_READ = Statement(
    "SELECT id, topic, key, event_id, payload, headers FROM outbox ORDER BY id LIMIT CAST(:limit AS bigint)"
)
_READ_AROUND = Statement(
    "SELECT id, topic, key, event_id, payload, headers FROM outbox WHERE topic <> ALL(CAST(:held AS text[]))"
    " ORDER BY id LIMIT CAST(:limit AS bigint)"
)
_ANY = Statement("SELECT 1 FROM outbox LIMIT 1")
_DELETE = Statement("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))")


class _Row(NamedTuple):
    """An outbox row: what becomes a Kafka record."""

    id: int
    topic: str
    key: str
    event_id: str
    payload: bytes | None
    headers: dict[str, str]


def _append(batch: BatchBuilder, row: _Row) -> bool:
    """Put the row into the batch; False when it does not fit any more (the first one always does)."""
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    return batch.append(timestamp=None, key=row.key.encode(), value=row.payload, headers=headers) is not None


def _failure(future: asyncio.Future[Any]) -> BaseException | None:
    """Why a batch was not accepted; one whose answer is still open is given up."""
    if not future.done():
        future.cancel()
        return TimeoutError()
    return asyncio.CancelledError() if future.cancelled() else future.exception()


class Relay:
    """The relay task of one service process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        metrics: Metrics,
        *,
        gather_seconds: float = 0.01,
        hold_seconds: float = 0.05,
        vacuum_rows: int = VACUUM_ROWS,
    ) -> None:
        self._settings, self._database, self._metrics = settings, database, metrics
        self._gather_seconds = gather_seconds
        self._held = HeldTopics(hold_seconds)
        self._vacuum = OutboxVacuum(database, vacuum_rows)
        self._producer: AIOKafkaProducer | None = None
        self._stopping = asyncio.Event()
        self.waiting_for: str | None = None
        self.idle = False
        """Whether the last look at the outbox found nothing to send."""

    async def run(self) -> None:
        """Relay until :meth:`stop`. Failures are retried with backoff and said once."""
        failures = 0
        try:
            while not self._stopping.is_set():
                told = self._database.outbox_written.is_set()
                self._database.outbox_written.clear()
                try:
                    moved = await self.turn() if told or await self._database.glance(_ANY) else 0
                except Exception as error:  # noqa: BLE001 - the relay outlives every outage
                    failures += 1
                    self._note(error)
                    await self._pause(backoff(failures, first=0.05, longest=5))
                    continue
                failures = 0
                self.idle = moved == 0
                if self._held:
                    self.waiting_for = "Kafka"
                elif self.waiting_for is not None:
                    log.info("relaying again")
                    self.waiting_for = None
                if moved == 0:
                    await self._wait_for_rows()
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the producer, and of PostgreSQL."""
        await self.discard_producer()
        await self._vacuum.close()

    def stop(self) -> None:
        """Finish the batch in hand and end."""
        self._stopping.set()
        self._database.outbox_written.set()

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _wait_for_rows(self) -> None:
        # The signal tells of this process's own commits; the timeout is for rows that another left behind.
        try:
            await asyncio.wait_for(self._database.outbox_written.wait(), _IDLE_SECONDS)
        except TimeoutError:
            return

    def _note(self, error: Exception) -> None:
        self._metrics.relay_failed()
        waiting_for = (
            "PostgreSQL"
            if is_unavailable(error) and not isinstance(error, KafkaError | TimeoutError)
            else "Kafka"
        )
        if self.waiting_for is None:
            log.warning("relay is waiting", waiting_for=waiting_for, error=type(error).__name__)
        self.waiting_for = waiting_for

    async def turn(self, seconds: float = _TURN_SECONDS) -> int:
        """Send and delete batch after batch under one lock, until no more are known of or *seconds* have passed.
        Returns how many rows were sent (0 also when another relay is active).

        Raises what Kafka or PostgreSQL raise when they are away; a topic that fails alone is held instead."""
        moved, ends = 0, time.monotonic() + seconds
        async with self._database.moving() as lock:
            ((active,),) = await lock.fetch(_ALONE, {"lock": _LOCK})
            while active:
                self._database.outbox_written.clear()
                started = time.monotonic()
                rows = await self._read(lock)
                moved += await self._move(rows)
                if len(rows) < self._settings.relay_batch:
                    # The first row of a quiet time leaves at once; under load a round takes what gathers.
                    if rows:
                        await self._pause(min(started + self._gather_seconds, ends) - time.monotonic())
                    active = self._database.outbox_written.is_set()
                active = active and time.monotonic() < ends and not self._stopping.is_set()
            await lock.commit()
        return moved

    async def move_batch(self) -> int:
        """A turn of one batch."""
        return await self.turn(0)

    async def _move(self, rows: Sequence[_Row]) -> int:
        if not rows:
            return 0
        failpoint("outbox_read_before_produce")
        try:
            sent = await self._send(rows)
        except BaseException:
            # Also on cancellation: the lock must not be free while this producer may still send.
            await self.discard_producer()
            raise
        failpoint("produced_before_outbox_delete")
        if sent:
            await self._database.apply(_DELETE, {"ids": sent})
            self._metrics.relayed(len(sent))
            self._vacuum.deleted(len(sent))
        return len(sent)

    async def _read(self, connection: Connection) -> list[_Row]:
        limit = {"limit": self._settings.relay_batch}
        held = self._held.waiting()
        found = await (
            connection.fetch(_READ_AROUND, limit | {"held": held}) if held else connection.fetch(_READ, limit)
        )
        return [_Row(*row) for row in found]

    async def _send(self, rows: Sequence[_Row]) -> list[int]:
        """Ids of the rows that all replicas have, none after the first failure of its topic and key. Topics with
        a row that failed are held, the others released."""
        started = time.monotonic()
        async with asyncio.timeout(SEND_SECONDS):
            producer = await self._started_producer()
            found = await self._look_for({row.topic for row in rows}, producer)
            missing = {topic: error for topic, error in found.items() if isinstance(error, Exception)}
            partitions = {topic: count for topic, count in found.items() if isinstance(count, int)}
            packed = await self._pack(producer, [row for row in rows if row.topic in partitions], partitions)
        if packed:
            rest = max(0.0, started + SEND_SECONDS - time.monotonic())
            await asyncio.wait([future for future, _ in packed], timeout=rest)
        sent: list[int] = []
        failed: dict[tuple[str, str], BaseException] = {}
        for future, together in packed:
            error = _failure(future)
            for row in together:
                if error is not None:
                    failed.setdefault((row.topic, row.key), error)
                elif (row.topic, row.key) not in failed:
                    sent.append(row.id)
        if failed:
            await self.discard_producer()
        self._note_topics(rows, set(sent), missing | {topic: error for (topic, _), error in failed.items()})
        return sent

    def _note_topics(self, rows: Sequence[_Row], sent: set[int], failures: dict[str, BaseException]) -> None:
        if not failures and not self._held:
            return
        held = Counter(row.topic for row in rows if row.id not in sent)
        for topic in {row.topic for row in rows}:
            if topic not in failures:
                self._held.release(topic)
                continue
            self._held.hold(topic)
            self._metrics.relay_failed()
            first = next(row.event_id for row in rows if row.topic == topic and row.id not in sent)
            log.warning(
                "outbox rows refused",
                topic=topic,
                rows=held[topic],
                first_event_id=first,
                error=type(failures[topic]).__name__,
            )

    async def _pack(
        self, producer: AIOKafkaProducer, rows: Sequence[_Row], partitions: dict[str, int]
    ) -> list[tuple[asyncio.Future[Any], list[_Row]]]:
        """Hand the rows over as finished batches, each partition's in order: a quarter of the work of sending
        them one by one. Returns each batch's future with its rows."""
        packed: list[tuple[asyncio.Future[Any], list[_Row]]] = []
        for (topic, partition), waiting in self._by_partition(rows, partitions).items():
            while waiting:
                batch = producer.create_batch()
                fitting = list(itertools.takewhile(partial(_append, batch), waiting))
                batch.close()
                packed.append((await producer.send_batch(batch, topic, partition=partition), fitting))
                waiting = waiting[len(fitting) :]
        return packed

    def _by_partition(
        self, rows: Sequence[_Row], partitions: dict[str, int]
    ) -> dict[tuple[str, int], list[_Row]]:
        names = {topic: topic_name(self._settings, topic) for topic in partitions}
        grouped: dict[tuple[str, int], list[_Row]] = {}
        for row in rows:
            partition = partition_of(row.key.encode(), partitions[row.topic])
            grouped.setdefault((names[row.topic], partition), []).append(row)
        return grouped

    async def _look_for(
        self, topics: set[str], producer: AIOKafkaProducer
    ) -> dict[str, int | TimeoutError | KafkaError]:
        """How many partitions each topic has, or why that is not known."""

        async def look(topic: str) -> int | TimeoutError | KafkaError:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    return len(await producer.partitions_for(topic_name(self._settings, topic)))
            except (TimeoutError, KafkaError) as error:
                return error

        # At the same time: the limits of several that are missing would add up to more than a send may take.
        return dict(zip(topics, await asyncio.gather(*(look(topic) for topic in topics)), strict=True))

    async def _started_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = make_producer(
                self._settings, f"{self._database.service}-relay-{self._settings.replica}"
            )
            self._producer = producer
            await producer.start()
        return self._producer

    async def discard_producer(self) -> None:
        """Let go of the producer within a second, whatever it is waiting for."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if not await stop_producer(producer, _STOP_SECONDS):
            log.warning("producer torn down")
