"""Consumers: FastStream brings the batches, the processor brings them to their outcomes, and only then
are exactly their offsets committed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, cast

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.messaging.kafka import group_name, topic_name
from shared.messaging.metrics import Metrics
from shared.messaging.processor import BatchProcessor, where
from shared.runtime.failpoints import failpoint
from shared.runtime.settings import Settings

log = structlog.get_logger()

_HOUR_MS = 60 * 60 * 1000
_WAIT_MS = 1000
_PARTS = 2
"""How many of the largest transactions one batch has, whose offsets are committed at once."""
_BUSY_FETCH_MS = 20
_UNHURRIED_FETCH_MS = 250
_BUSY_FETCH_BYTES = 64 * 1024
_IDLE_FETCH_MS = 2000
_IDLE_FETCH_BYTES = 1
"""How long the broker may hold a fetch for which it has less than so much.

aiokafka has one fetch in flight per broker. A partition that was just read joins the next one, so what comes
to it now waits for the present fetch to end: while records come, that must be soon, but not at once, or each
record costs a fetch and a batch of its own. A fetch of all partitions is answered by the first record of any,
so while nothing comes it may wait long, and the broker is asked less. A topic for which nobody waits is left
to gather for longer: each fetch and each transaction saved is time for those for which somebody does.
"""
_AT_ONCE_SECONDS = 0.002
"""A poll that brings records sooner did not have to wait for them: the consumer is behind."""
_MOMENT_SECONDS = 0.05
_REFUSED_PAUSE_SECONDS = 0.5
_REFUSED_SECONDS = 10.0
"""So long after a refusal a consumer counts as refused, unless records come: longer than between two of them."""


class _WaitForBatch(ConsumerRebalanceListener):  # type: ignore[misc]
    """Partitions are given up only when what is in flight has been committed."""

    def __init__(self, at_rest: Callable[[], Awaitable[None]]) -> None:
        self._at_rest = at_rest

    async def on_partitions_revoked(self, revoked: Any) -> None:
        try:
            async with asyncio.timeout(30):
                await self._at_rest()
        except TimeoutError:
            log.warning("rebalance did not wait for the batch in flight any longer")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        return


class _PromptSubscriber(BatchSubscriber):
    """FastStream's batch subscriber, waiting for records instead of looking for them again and again.

    The original sleeps for its batch timeout whenever there is nothing: a long one delays events, a short
    one keeps an idle process busy (10 ms: 5 % of a core for five topics). aiokafka's ``getmany`` itself
    returns as soon as records are there, so it may wait long (FastStream 0.7.8).
    """

    _why = ""
    _refused_at = -_REFUSED_SECONDS
    busy_fetch_ms = _BUSY_FETCH_MS

    @property
    def refused(self) -> str | None:
        """Why Kafka gives no records, such as a missing access rule; None when it has not refused lately."""
        return self._why if time.monotonic() - self._refused_at < _REFUSED_SECONDS else None

    async def get_msg(self, consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
        started = time.monotonic()
        try:
            messages = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=self.max_records)
        except KafkaError as error:
            # aiokafka raises once for each partition, and FastStream would wait 5 s each time, in silence:
            # a topic of twelve partitions would go on a minute after its missing rule has come.
            if self.refused is None:
                log.warning("Kafka gives no records", error=str(error))
            self._why, self._refused_at = f"Kafka ({type(error).__name__})", time.monotonic()
            await asyncio.sleep(_REFUSED_PAUSE_SECONDS)
            return ()
        waited = time.monotonic() - started
        if messages:
            self._refused_at = -_REFUSED_SECONDS
        # All are read anew for every fetch; there is no public way to change them (aiokafka 0.14). The last
        # is how often the fetcher looks around by itself, beside all that wakes it.
        fetcher = consumer._fetcher
        fetcher._fetch_max_wait_ms = self.busy_fetch_ms if messages else _IDLE_FETCH_MS
        fetcher._fetch_min_bytes = _BUSY_FETCH_BYTES if messages else _IDLE_FETCH_BYTES
        fetcher._fetcher_timeout = 0.2 if messages else _IDLE_FETCH_MS / 1000
        if not messages and waited < _WAIT_MS / 2000:
            await asyncio.sleep(0.01)  # it did not wait (no assignment yet): do not spin
        records = tuple(chain.from_iterable(messages.values()))
        if records and waited < _AT_ONCE_SECONDS:
            records += await self._gathered(consumer, len(records))
        return records

    async def _gathered(self, consumer: AIOKafkaConsumer, had: int) -> tuple[ConsumerRecord, ...]:
        """What the next fetch brings, when there were records before they were asked for: those are only what
        came first after the last batch had been taken, and a transaction costs the same for few as for many."""
        if self.max_records is None or had >= self.max_records:
            return ()
        try:
            more = await consumer.getmany(timeout_ms=_BUSY_FETCH_MS, max_records=self.max_records - had)
        except KafkaError:
            return ()  # it will be raised again; what is in hand must not be lost for it
        return tuple(chain.from_iterable(more.values()))


class TopicConsumer:
    """One topic of one service: one subscriber, one group. While it is behind, a batch is taken when the one before
    the last has been committed, so that none of the lanes has to wait for another."""

    def __init__(
        self,
        settings: Settings,
        broker: KafkaBroker,
        processor: BatchProcessor,
        metrics: Metrics,
        *,
        unhurried: bool = False,
    ) -> None:
        """*unhurried*: while records come they may wait for a quarter of a second, to be handled together."""
        self.processor = processor
        self.metrics = metrics
        self.topic = processor.topic
        self._busy = asyncio.Lock()
        self._finishing: asyncio.Task[None] | None = None
        """Of the last large batch: done when it has been committed."""
        self._draining = self._broken = False
        self._done: dict[TopicPartition, int] = {}
        self.last_progress = time.monotonic()
        subscriber = broker.subscriber(
            topic_name(settings, self.topic),
            batch=True,
            group_id=group_name(settings, processor.service, self.topic),
            group_instance_id=f"{settings.replica}.{processor.service}.{self.topic}",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_records=_PARTS * settings.batch_max_records,
            max_poll_interval_ms=_HOUR_MS,
            max_partition_fetch_bytes=1024 * 1024,
            fetch_max_wait_ms=_BUSY_FETCH_MS,
            listener=_WaitForBatch(self._at_rest),
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )
        subscriber.__class__ = _PromptSubscriber
        self._subscriber = cast(_PromptSubscriber, subscriber)
        if unhurried:
            self._subscriber.busy_fetch_ms = _UNHURRIED_FETCH_MS
        self._subscriber(self._consume)

    async def _consume(self, records: Sequence[ConsumerRecord]) -> None:
        async with self._busy:
            if self._draining or self._broken:
                return  # uncommitted: whoever has the partition next gets them again
            failpoint("received_before_transaction")
            before = self._finishing
            if self.processor.is_large(records):
                done = self.processor.hand_over(records)
                self._finishing = asyncio.create_task(self._finish(records, done, before))
                await _ended(before)
            else:
                await _ended(before)
                with self._breaking():
                    await self.processor.process(records)
                    await self._committed(records)

    async def _finish(
        self, records: Sequence[ConsumerRecord], done: asyncio.Future[None], before: asyncio.Task[None] | None
    ) -> None:
        """Commit the batch after it is done, and after the one before it."""
        with self._breaking():
            await done
            await _ended(before)
            if not self._broken:
                await self._committed(records)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Records without an outcome are never committed, nor is anything behind them: who fails here, which only a
        defect of the machinery can, takes nothing any more and is not :attr:`alive`."""
        try:
            yield
        except BaseException as defect:
            if not isinstance(defect, asyncio.CancelledError):
                log.error(
                    "consumer broken", topic=self.topic, error=type(defect).__name__, where=where(defect)
                )
            self._broken = True
            raise

    async def _committed(self, records: Sequence[ConsumerRecord]) -> None:
        failpoint("committed_before_offset_commit")
        await self._commit(records)
        self.last_progress = time.monotonic()

    async def _commit(self, records: Sequence[ConsumerRecord]) -> None:
        last = {(record.topic, record.partition): record.offset for record in records}
        offsets = {TopicPartition(*place): offset + 1 for place, offset in last.items()}
        self._done |= offsets
        consumer = self._subscriber.consumer
        try:
            if consumer is not None:
                await consumer.commit(offsets)
        except KafkaError as error:
            # The effects are in the database; redelivery will meet the inbox. Trying again could overtake
            # the partition's next owner.
            self.metrics.commit_failed(self.topic)
            log.warning("offset commit failed", topic=self.topic, error=type(error).__name__)

    async def drain(self) -> None:
        """Let what is in flight finish and take no other."""
        self._draining = True
        await self._at_rest()

    async def _at_rest(self) -> None:
        async with self._busy:
            await _ended(self._finishing)

    @property
    def busy(self) -> bool:
        """Whether a batch is in hand, or was a moment ago."""
        return (
            self._busy.locked()
            or (self._finishing is not None and not self._finishing.done())
            or time.monotonic() - self.last_progress < _MOMENT_SECONDS
        )

    @property
    def alive(self) -> bool:
        """Whether the consume task runs (a broker ping would stay true without it).

        FastStream starts a failed task again and keeps the failed one in its list.
        """
        return not self._broken and any(not task.done() for task in self._subscriber.tasks)

    @property
    def waiting_for(self) -> str | None:
        """What keeps it from going on, if anything does."""
        return self._subscriber.refused or self.processor.waiting_for

    async def behind(self) -> int:
        """Records of the assigned partitions that are known of and not processed (0 before the first fetch)."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return 0
        total = 0
        for partition in consumer.assignment():
            high = consumer.highwater(partition)
            done = self._done.get(partition)
            if high is not None:
                total += max(0, high - (done if done is not None else await consumer.position(partition)))
        return total

    async def state(self) -> dict[str, Any]:
        """For the health answer and the status page."""
        return {
            "topic": self.topic,
            "alive": self.alive,
            "waiting_for": self.waiting_for,
            "circuit_open": self.processor.circuit.open,
            "behind": await self.behind(),
        }


async def _ended(batch: asyncio.Task[None] | None) -> None:
    """Wait for the end of the batch, good or bad; whoever stops waiting does not stop the batch."""
    if batch is not None:
        await asyncio.wait({batch})


async def _parse(message: Any) -> KafkaMessage:
    """The raw records, untouched: decoding them here would let one bad header lose the whole batch."""
    records = message if isinstance(message, tuple) else (message,)
    return KafkaMessage(body=b"", raw_message=records, consumer=None)  # type: ignore[arg-type]


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message
