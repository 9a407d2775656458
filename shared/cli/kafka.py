"""Kafka as the command sees it: reading without a group, sending one event, and how far behind groups are."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.cli.output import fail
from shared.contracts import TOPICS, Topic
from shared.messaging.kafka import LagReader, group_name, make_admin, make_producer, make_reader, topic_name
from shared.messaging.refusal import refusal
from shared.runtime.settings import KafkaSettings

CLIENT = "mentoring-cli"
_POLL_MS = 500


@contextmanager
def sentences(settings: KafkaSettings) -> Iterator[None]:
    """Turn Kafka's errors into a sentence and exit code 1."""
    try:
        yield
    except KafkaError as error:
        fail(sentence(settings, error))


def sentence(settings: KafkaSettings, error: KafkaError) -> str:
    """What is wrong with Kafka."""
    servers = settings.kafka_bootstrap_servers
    if isinstance(error, KafkaConnectionError):
        with ThreadPoolExecutor(1) as apart:  # the caller may be inside an event loop, or not
            why = apart.submit(asyncio.run, refusal(settings)).result()
        return f"{why or f'Kafka does not answer at {servers}'}."
    text = str(error).partition("] ")[2] or str(error)
    return f"Kafka at {servers} refused ({type(error).__name__}): {text.rstrip('.')}."


class Reader:
    """Reads topics of the catalogue outside any group: ``async with Reader(settings, topics) as reader``."""

    def __init__(self, settings: KafkaSettings, topics: Sequence[Topic]) -> None:
        self._settings = settings
        self._topics = {topic_name(settings, topic): topic for topic in topics}
        self._consumer: AIOKafkaConsumer = None
        self.missing: list[str] = []
        """Topics that the cluster does not have."""

    async def __aenter__(self) -> "Reader":
        known = await _partitions(self._settings)
        self.missing = [name for name in self._topics if name not in known]
        self._consumer = make_reader(self._settings, client_id=CLIENT)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        # aiokafka's stop() raises CancelledError when its coordinator's task has not run once.
        await asyncio.sleep(0)
        self._consumer.assign([tp for name in self._topics for tp in known.get(name, ())])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def at_end(self) -> None:
        """Go on from what comes now."""
        await self._seek(await self._ends())

    async def at_start(self) -> None:
        """Go on from the oldest records there are."""
        partitions = self._consumer.assignment()
        await self._seek(await self._consumer.beginning_offsets(partitions) if partitions else {})

    async def at(self, since: datetime) -> None:
        """Go on from the first records that are not older than *since* (Kafka's timestamp)."""
        ends = await self._ends()
        if not ends:
            return
        wanted = dict.fromkeys(ends, int(since.timestamp() * 1000))
        found = await self._consumer.offsets_for_times(wanted)
        await self._seek({tp: found[tp].offset if found.get(tp) else end for tp, end in ends.items()})

    async def present(
        self, progress: Callable[[int, int], None] = lambda read, total: None
    ) -> AsyncIterator[tuple[Topic, ConsumerRecord]]:
        """The records from here to what is the end now. *progress* hears of offsets passed and to pass."""
        ends = await self._ends()
        starts = {tp: await self._consumer.position(tp) for tp in ends}
        left = {tp for tp in ends if starts[tp] < ends[tp]}
        total = sum(max(0, ends[tp] - starts[tp]) for tp in ends)
        while left:
            for topic, record in await self._batch(*left):
                if record.offset < ends[TopicPartition(record.topic, record.partition)]:
                    yield topic, record
            # Positions, not records: compaction leaves gaps, and a last offset may hold no record at all.
            passed = {tp: await self._consumer.position(tp) for tp in ends}
            left = {tp for tp in ends if passed[tp] < ends[tp]}
            progress(sum(min(passed[tp], ends[tp]) - starts[tp] for tp in ends), total)

    async def following(self) -> AsyncIterator[tuple[Topic, ConsumerRecord]]:
        """The records from here on, for ever."""
        while True:
            for item in await self._batch():
                yield item

    async def _batch(self, *partitions: TopicPartition) -> list[tuple[Topic, ConsumerRecord]]:
        batches = await self._consumer.getmany(*partitions, timeout_ms=_POLL_MS)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError  # records that came with a Ctrl-C swallow it (Python 3.11's wait_for)
        records = [record for records in batches.values() for record in records]
        records.sort(key=lambda record: record.timestamp)
        return [(self._topics[record.topic], record) for record in records]

    async def _ends(self) -> dict[TopicPartition, int]:
        partitions = self._consumer.assignment()
        if not partitions:
            return {}
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return ends

    async def _seek(self, offsets: dict[TopicPartition, int]) -> None:
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)


async def send(
    settings: KafkaSettings,
    records: Sequence[tuple[str, str | None, bytes]],
    headers: Sequence[tuple[str, bytes]],
) -> AsyncIterator[tuple[int, int]]:
    """Send records (topic, key, value) one after the other; yields partition and offset of each."""
    producer = make_producer(settings, CLIENT)
    try:
        await producer.start()
        for topic, key, value in records:
            sent = await producer.send_and_wait(
                topic_name(settings, topic), value, key.encode() if key else None, headers=list(headers)
            )
            yield int(sent.partition), int(sent.offset)
    finally:
        await producer.stop()


async def lags(settings: KafkaSettings, services: Sequence[str]) -> dict[str, dict[str, int]]:
    """Records that each service has not committed yet, by service and topic; only groups that exist."""
    behind: dict[str, dict[str, int]] = {service: {} for service in services}
    async with LagReader(settings) as reader:
        groups = await reader.groups()
        asked = {
            (group_name(settings, service, topic.name), topic_name(settings, topic)): (service, topic.name)
            for service in services
            for topic in TOPICS
            if group_name(settings, service, topic.name) in groups
        }
        for key, count in (await reader.behind(list(asked))).items():
            service, topic = asked[key]
            behind[service][topic] = count
    return behind


async def _partitions(settings: KafkaSettings) -> dict[str, list[TopicPartition]]:
    """All partitions of every topic on the cluster, by the topic's name there.

    aiokafka's consumer knows only the partitions of topics that it is subscribed or assigned to, whatever
    its ``topics()`` has just listed; the admin client can be asked.
    """
    admin = make_admin(settings, CLIENT)
    try:
        await admin.start()
        described = await admin.describe_topics()
    finally:
        await admin.close()
    return {
        entry["topic"]: [
            TopicPartition(entry["topic"], number)
            for number in sorted(partition["partition"] for partition in entry["partitions"])
        ]
        for entry in described
    }
