"""One topic, record by record, in few bytes each: what inbox rows and ledger rows are compared with.

A record is known by its place (partition, offset). Bodies and identities are kept as 64 bits of their hashes,
about 20 bytes a record, so that a topic of millions fits into memory.
"""

from array import array
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord

from shared.check.events import Seen, body_hash, hashed, read
from shared.check.rest import Fence
from shared.check.sources import Reading
from shared.contracts import Topic, person_id

ABSENT, PRESENT, FIRST, OLD, OVERTAKEN = 0, 1, 2, 4, 8
"""Flags of a place: a record is there; the first one of its identity; older than what services keep; a record
of the same aggregate with the same or a higher sequence came before it in its partition."""


@dataclass(slots=True)
class Partition:
    """The places of one partition from *start* to before *end*."""

    start: int
    end: int
    flags: bytearray = field(init=False)
    identities: "array[int]" = field(init=False)
    """Hash of tenant, source and id; 0 where the record cannot be read."""
    bodies: "array[int]" = field(init=False)
    tenants: "array[int]" = field(init=False)
    """Index into :attr:`Log.tenants`."""
    oldest: int | None = None
    """Kafka's timestamp of the first record that is left, milliseconds."""

    def __post_init__(self) -> None:
        size = self.end - self.start
        self.flags = bytearray(size)
        self.identities, self.bodies = array("Q", bytes(8 * size)), array("Q", bytes(8 * size))
        self.tenants = array("H", bytes(2 * size))

    @property
    def gaps(self) -> int:
        """Places without a record: taken away by compaction."""
        return self.flags.count(ABSENT)


class Log:
    """What one topic holds."""

    def __init__(
        self, topic: Topic, fence: Fence, reading: Reading, old_before: float, erased: Collection[str]
    ) -> None:
        """*old_before* in milliseconds: older records need not have rows any more. *erased*: people whose
        events may be stale without a newer one, as nobody listens to what is said of them."""
        self.topic = topic
        self.partitions: dict[int, Partition] = {
            place.partition: Partition(fence.starts[place], fence.ends[place])
            for place in reading.partitions(topic.name)
        }
        self.tenants: list[str] = [""]
        self._tenant_numbers: dict[str, int] = {"": 0}
        self.identities: set[int] = set()
        self._newest: dict[str, int] = {}
        self._old_before = old_before
        self._erased = erased
        self.records = 0
        self.unreadable = 0

    @property
    def truncated(self) -> bool:
        """Whether retention has taken records away."""
        return any(partition.start > 0 for partition in self.partitions.values())

    @property
    def compacted(self) -> bool:
        """Whether compaction has taken records away."""
        return self.topic.compacted and any(partition.gaps for partition in self.partitions.values())

    @property
    def whole(self) -> bool:
        """Whether every record that was ever written is still there."""
        return not self.truncated and not self.compacted

    async def fill(self, reading: Reading, fence: Fence) -> AsyncIterator[tuple[Seen, ConsumerRecord]]:
        """Read the topic; yields every event when it is seen for the first time."""
        places = reading.partitions(self.topic.name)
        starts, ends = ({p: offsets[p] for p in places} for offsets in (fence.starts, fence.ends))
        async for records in reading.records(self.topic.name, starts, ends):
            for record in records:
                seen = read(record, self.topic.name)
                if self._keep(record, seen) and seen is not None:
                    yield seen, record

    def _keep(self, record: ConsumerRecord, seen: Seen | None) -> bool:
        """Note a record; whether it is the first of its identity."""
        partition = self.partitions[record.partition]
        at = record.offset - partition.start
        self.records += 1
        flags = PRESENT | (OLD if record.timestamp < self._old_before else 0)
        if partition.oldest is None:
            partition.oldest = record.timestamp
        partition.bodies[at] = body_hash(record, seen)
        if seen is None:
            self.unreadable += 1
            partition.flags[at] = flags
            return False
        identity = hashed(seen.tenant, seen.source, seen.id)
        partition.identities[at] = identity
        partition.tenants[at] = self._tenant_number(seen.tenant)
        newest = self._newest.get(seen.key)
        if (newest is not None and newest >= seen.sequence) or self._of_erased(seen):
            flags |= OVERTAKEN
        if newest is None or newest < seen.sequence:
            self._newest[seen.key] = seen.sequence
        if identity not in self.identities:
            self.identities.add(identity)
            flags |= FIRST
        partition.flags[at] = flags
        return bool(flags & FIRST)

    def _of_erased(self, seen: Seen) -> bool:
        if not self._erased:
            return False
        person = person_id(seen.tenant, seen.subject) if self.topic.intake else seen.subject
        return f"{seen.tenant} {person}" in self._erased

    def _tenant_number(self, tenant: str) -> int:
        number = self._tenant_numbers.get(tenant)
        if number is None:
            number = self._tenant_numbers[tenant] = len(self.tenants)
            self.tenants.append(tenant)
        return number

    def places(self) -> Iterator[tuple[int, Partition, int]]:
        """(number, partition, index) of every record."""
        for number, partition in self.partitions.items():
            for at, flags in enumerate(partition.flags):
                if flags:
                    yield number, partition, at
