"""What the topics hold at the end of a run: copies, and the order of each aggregate's events."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shared.contracts import TOPICS
from shared.messaging.kafka import make_reader, topic_name
from shared.runtime.settings import KafkaSettings

OURS = tuple(topic.name for topic in TOPICS if not topic.intake and not topic.name.startswith("dlt."))


@dataclass(slots=True)
class Contents:
    """Of the topics that the services write."""

    records: int = 0
    copies: int = 0
    """Records whose event is in the topic already: produced again after a crash."""
    out_of_order: list[str] = field(default_factory=list)
    """Events that first appear behind a later version of their aggregate."""


async def read_all(settings: KafkaSettings, *topics: str) -> list[Any]:
    """Every record of the topics, each partition in order."""
    reader = make_reader(settings, *(topic_name(settings, name) for name in topics), client_id="faults")
    await reader.start()
    try:
        ends = await reader.end_offsets(reader.assignment())
        found: list[Any] = []
        while any([await reader.position(partition) < end for partition, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await reader.stop()


async def contents(settings: KafkaSettings) -> Contents:
    """Read the services' topics and judge them. Records that are no events of ours are passed over."""
    result = Contents()
    seen: set[tuple[str, str]] = set()
    highest: Counter[tuple[str, str]] = Counter()
    for record in await read_all(settings, *OURS):
        identity = dict(record.headers).get("ce_id")
        sequence = dict(record.headers).get("ce_sequence")
        if identity is None or sequence is None:
            continue
        result.records += 1
        event, key = (record.topic, identity.decode()), (record.topic, record.key.decode())
        if event in seen:
            result.copies += 1
            continue
        seen.add(event)
        if int(sequence) < highest[key]:
            result.out_of_order.append(f"{record.topic} {key[1]}: {int(sequence)} after {highest[key]}")
        highest[key] = int(sequence)
    return result


def body(record: Any) -> dict[str, Any]:
    """The event of a record that is one."""
    event: dict[str, Any] = json.loads(record.value)
    return event
