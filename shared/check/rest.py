"""Whether anything is under way: what is compared must not move while it is compared."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition

from shared.check.rules import HEARS
from shared.check.sources import Reading
from shared.contracts import TOPICS

_LOOK_SECONDS: Final = 0.3


@dataclass(slots=True)
class Fence:
    """Where everything stood at one moment. Two equal fences, both at rest: nothing has moved between."""

    starts: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    written: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Rows of outbox ledger and inbox, by service."""
    moving: dict[str, int] = field(default_factory=dict)
    """What is under way, by name; empty at rest."""

    def same(self, other: "Fence") -> bool:
        return (self.ends, self.written) == (other.ends, other.written)


async def look(reading: Reading) -> Fence:
    """Ask every outbox, every group and every topic once."""
    fence = Fence()
    for service in reading.services:
        ledger, inbox, unsent = (
            await reading.fetch(
                service,
                "SELECT (SELECT count(*) FROM outbox_ledger), (SELECT count(*) FROM inbox),"
                " (SELECT count(*) FROM outbox)",
            )
        )[0]
        fence.written[service] = ledger, inbox
        fence.moving[f"outbox of {service}"] = unsent
    groups = [(service, topic) for service in reading.services for topic in HEARS[service]]
    committed = await asyncio.gather(*(reading.committed(service, topic) for service, topic in groups))
    places = [place for topic in TOPICS for place in reading.partitions(topic.name)]
    fence.starts, fence.ends = await reading.offsets(places)
    for (service, topic), offsets in zip(groups, committed, strict=True):
        behind = sum(
            fence.ends[place] - max(offsets.get(place, 0), fence.starts[place])
            for place in reading.partitions(topic)
        )
        fence.moving[f"lag of {service} on {topic}"] = behind
    fence.moving = {what: count for what, count in fence.moving.items() if count}
    return fence


async def at_rest(reading: Reading, deadline: float) -> Fence:
    """The first fence at rest, or the last one looked at when *deadline* (of the loop's clock) has passed."""
    clock = asyncio.get_running_loop().time
    while True:
        await reading.look_for_topics()
        fence = await look(reading)
        if not fence.moving or clock() >= deadline:
            return fence
        await asyncio.sleep(_LOOK_SECONDS)
