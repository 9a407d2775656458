"""A Kafka log in memory whose every step a test decides: for interleavings, which a real broker does not repeat.

It keeps the promises that the platform relies on and no more: an order per partition, at least once. A send
may succeed, fail, be *unknown* (appended, though reported as failed), be *late* (reported as failed and
appended when the test says so), or be refused alone while its neighbours are accepted.
"""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Headers
    timestamp: int


class Fate(StrEnum):
    """What becomes of the sends of one batch, from a given place on."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"
    LATE = "late"
    REFUSED = "one refused"


@dataclass(slots=True)
class Log:
    """Topics of one or more partitions. ``base`` is the first offset of each."""

    partitions: Mapping[str, int]
    base: int = 0
    _records: dict[tuple[str, int], list[LogRecord]] = field(default_factory=dict)
    _late: list[tuple[str, bytes, bytes | None, Headers]] = field(default_factory=list)

    def append(self, topic: str, key: bytes, value: bytes | None, headers: Headers) -> LogRecord:
        partition = zlib.crc32(key) % self.partitions.get(topic, 1)
        records = self._records.setdefault((topic, partition), [])
        record = LogRecord(
            topic, partition, self.base + len(records), key, value, headers, int(time.time() * 1000)
        )
        records.append(record)
        return record

    def append_later(self, topic: str, key: bytes, value: bytes | None, headers: Headers) -> None:
        """It was sent and is on its way still: :meth:`arrive` delivers it."""
        self._late.append((topic, key, value, headers))

    def arrive(self) -> None:
        """Append everything that is late, in the order in which it was sent."""
        late, self._late = self._late, []
        for topic, key, value, headers in late:
            self.append(topic, key, value, headers)

    def read(self, topic: str, partition: int = 0, start: int = 0) -> list[LogRecord]:
        """Records of one partition from offset *start* on."""
        return self._records.get((topic, partition), [])[max(0, start - self.base) :]

    def end(self, topic: str, partition: int) -> int:
        return self.base + len(self._records.get((topic, partition), []))

    def all(self, topic: str) -> list[LogRecord]:
        """Records of all partitions of a topic, partition by partition."""
        return [
            record
            for partition in range(self.partitions.get(topic, 1))
            for record in self.read(topic, partition, self.base)
        ]


class Batch:
    """Room for one record, so that every record has a fate of its own."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None, Headers]] = []

    def append(
        self, *, timestamp: int | None, key: bytes, value: bytes | None, headers: Headers
    ) -> object | None:
        del timestamp
        if self.records:
            return None
        self.records.append((key, value, headers))
        return self.records

    def close(self) -> None:
        return


class Producer:
    """Stands for the relay's producer; *fate_of* decides about each send by its key."""

    def __init__(self, log: Log, fate_of: Callable[[bytes], Fate]) -> None:
        self._log, self._fate_of = log, fate_of

    async def start(self) -> None:
        return

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(self._log.partitions.get(topic, 1)))

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Future[LogRecord]":
        del partition  # the log has a partitioner of its own
        ((key, value, headers),) = batch.records
        future: asyncio.Future[LogRecord] = asyncio.get_running_loop().create_future()
        fate = self._fate_of(key)
        if fate is Fate.LATE:
            self._log.append_later(topic, key, value, headers)
        if fate in (Fate.OK, Fate.UNKNOWN):
            record = self._log.append(topic, key, value, headers)
        if fate is Fate.OK:
            future.set_result(record)
        else:
            future.set_exception(KafkaError(fate))
        return future


class Member:
    """One member of a consumer group: where it reads on, and what the group has committed."""

    def __init__(self, log: Log, committed: dict[TopicPartition, int]) -> None:
        self._log, self.committed = log, committed
        self._position = dict(committed)
        self.commit_fails = False

    def fetch(self, partition: TopicPartition, most: int) -> list[LogRecord]:
        start = self._position.get(partition, self._log.base)
        records = self._log.read(partition.topic, partition.partition, start)[:most]
        self._position[partition] = start + len(records)
        return records

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.commit_fails:
            raise CommitFailedError
        self.committed.update(offsets)


class Reader:
    """Stands for a consumer outside any group, as redrive uses one."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._position: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._position = dict.fromkeys(partitions, self._log.base)

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
        found: dict[TopicPartition, Any] = {}
        for partition, milliseconds in times.items():
            records = self._log.read(partition.topic, partition.partition)
            found[partition] = next((r for r in records if r.timestamp >= milliseconds), None)
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._position[partition] = offset

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self._log.end(p.topic, p.partition) for p in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self._position[partition]

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[LogRecord]]:
        del timeout_ms
        found = {p: self._log.read(p.topic, p.partition, at) for p, at in self._position.items()}
        for partition in found:
            self._position[partition] = self._log.end(partition.topic, partition.partition)
        return found
