"""What an outsider sees of the platform's topics: the latest state of everything, and when it was said."""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer

from shared.contracts import TOPICS, derived_id

_WATCHED: Final = tuple(topic.name for topic in TOPICS if not topic.name.startswith("dlt."))


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest event of one aggregate."""

    sequence: int
    type: str
    data: dict[str, Any]


class Watch:
    """Reads all topics from the beginning, in no group, and remembers."""

    def __init__(self, tenant: str, prefix: str, **connection: Any) -> None:
        self._tenant, self._prefix = tenant, prefix
        self._consumer = AIOKafkaConsumer(
            *(prefix + name for name in _WATCHED),
            **connection,
            client_id="mentoring-demo-watch",
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        self._task: asyncio.Task[None] | None = None
        self.latest: dict[str, dict[str, Seen]] = defaultdict(dict)
        """Per topic: the newest event of each subject."""
        self.events: dict[str, set[str]] = defaultdict(set)
        """Per topic: ids of all events."""
        self.records: dict[str, int] = defaultdict(int)
        self.first_said: dict[tuple[str, str, str], int] = {}
        """(correlation id, type, status) to the first record's Kafka timestamp, milliseconds."""
        self.caused: dict[str, int] = {}
        """Event id to Kafka timestamp."""
        self.reactions: list[tuple[str, str, int]] = []
        """(cause's event id, type, Kafka timestamp) of every event that names a cause."""

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._task = asyncio.create_task(self._run(), name="watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def _run(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=200, max_records=5000)).values():
                for record in records:
                    self._note(record)

    def _note(self, record: Any) -> None:
        topic = record.topic.removeprefix(self._prefix)
        try:
            event = json.loads(record.value or b"null")
        except (ValueError, RecursionError):
            return  # not an event: for the services to put aside
        if not isinstance(event, dict) or event.get("tenant") != self._tenant:
            return
        data, identity = event["data"], event["id"]
        self.records[topic] += 1
        self.events[topic].add(identity)
        correlation = event.get("correlationid") or identity
        status = str(data.get("status", ""))
        if "effective_on" in data:
            status = "at once" if data["effective_on"] < event["time"][:10] else "later"
        self.first_said.setdefault((correlation, event["type"], status), record.timestamp)
        self.caused.setdefault(identity, record.timestamp)
        if cause := event.get("causationid"):
            self.reactions.append((cause, event["type"], record.timestamp))
        sequence = int(event["sequence"])
        known = self.latest[topic].get(event["subject"])
        if known is None or sequence > known.sequence:
            self.latest[topic][event["subject"]] = Seen(sequence, event["type"], data)

    @property
    def total(self) -> int:
        """How many events have been seen."""
        return sum(self.records.values())

    async def caught_up(self) -> bool:
        """Whether everything that is in the topics has been read."""
        if self._task is not None and self._task.done():
            self._task.result()
        partitions = self._consumer.assignment()
        if not partitions:
            return False
        ends = await self._consumer.end_offsets(partitions)
        for partition, end in ends.items():
            if await self._consumer.position(partition) < end:
                return False
        return True

    def states(self, topic: str, **where: Any) -> list[dict[str, Any]]:
        """Latest data of the aggregates of a topic that match, ordered by id."""
        return [
            seen.data
            for _, seen in sorted(self.latest[topic].items())
            if all(seen.data.get(name) == value for name, value in where.items())
        ]


def chance(seed: int, *parts: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments: the same decision in every run."""
    return int(derived_id("chance", str(seed), *parts).replace("-", "")[:12], 16) / 16**12
