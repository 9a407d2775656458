"""I2 and I4: what a service said is what its topics hold, and nothing is missing between version 1 and the last.

The ledger is written by a trigger in the transaction that says an event, so neither relay nor broker can
have touched it. Where records or ledger rows may be gone by age, it is counted as not known.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka.partitioner import murmur2

from shared.check.events import Seen, hashed
from shared.check.log import OLD, Log, Partition
from shared.check.report import Finding
from shared.check.sources import Reading
from shared.contracts import Topic

_LEDGER: Final = (
    "SELECT outbox_id, tenant, key, sequence, event_id, written_at FROM outbox_ledger WHERE topic = $1"
    " ORDER BY outbox_id"
)


class Versions:
    """Lowest and highest version, and how many there are, of each aggregate of a topic."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int, int]] = {}

    def add(self, seen: Seen) -> None:
        """Note an event that was seen for the first time."""
        known = self._seen.get(seen.key)
        if known is None:
            self._seen[seen.key] = (seen.sequence, seen.sequence, 1)
        else:
            low, high, count = known
            self._seen[seen.key] = (min(low, seen.sequence), max(high, seen.sequence), count + 1)

    def highest(self, key: str) -> int | None:
        known = self._seen.get(key)
        return known[1] if known else None

    def judge(self, log: Log, four: Finding) -> None:
        """Every aggregate has the versions 1 to n, each once."""
        for key, (low, high, count) in self._seen.items():
            tenant, _, subject = key.partition(" ")
            four.counts["aggregates"] += 1
            if low == 1 and count == high:
                continue
            partition = _partition_of(subject, log)
            if log.topic.compacted and partition is not None and (partition.gaps or partition.start):
                four.excluded["aggregates of which compaction has taken versions away"] += 1
            elif partition is not None and partition.start and count == high - low + 1:
                four.excluded["aggregates of which retention has taken versions away"] += 1
            else:
                what = (
                    "versions with a gap" if count < high - low + 1 or low != 1 else "one version, said twice"
                )
                four.wrong(
                    what, topic=log.topic.name, tenant=tenant, subject=subject, lowest=low, highest=high,
                    events=count,
                )  # fmt: skip


async def compare_ledgers(
    reading: Reading,
    log: Log,
    versions: Versions,
    two: Finding,
    writers: Sequence[str],
    *,
    in_order: Callable[[int], None] = lambda identity: None,
) -> None:
    """The ids in the ledgers of those who write to a topic are the distinct ids in the topic.

    *in_order* hears the identities of what was said in the order of saying: an outbox id is taken while the
    rows that the event is about are locked.
    """
    said = set[int]()
    for service in writers:
        source = f"urn:mentoring:{service}"
        async for row in reading.rows(service, _LEDGER, log.topic.name):
            identity = hashed(row["tenant"], source, row["event_id"])
            two.counts["ledger rows"] += 1
            told = {
                "topic": log.topic.name, "tenant": row["tenant"], "key": row["key"],
                "version": row["sequence"], "event_id": row["event_id"],
            }  # fmt: skip
            if identity in said:
                two.wrong("one event, said twice", **told)
                continue
            said.add(identity)
            in_order(identity)
            if identity in log.identities:
                continue
            if reason := _taken_away(row, log, versions):
                two.excluded[reason] += 1
            else:
                two.wrong("said, but not in the topic: lost", **told)
    two.counts["records"] += log.records
    if strangers := log.identities - said:
        _name_strangers(log, strangers, two)


def _taken_away(row: Any, log: Log, versions: Versions) -> str:
    """Why a row's record may rightly be gone; empty when it may not."""
    partition = _partition_of(row["key"], log)
    if partition is None:
        return ""
    if log.topic.compacted and (partition.gaps or partition.start):
        newest = versions.highest(f"{row['tenant']} {row['key']}")
        if newest is not None and newest > row["sequence"]:
            return "older versions that compaction has taken away"
        if newest is None and (datetime.now(UTC) - row["written_at"]).days >= 7:
            return "erasures older than a week, which compaction takes away"
        return ""
    if partition.start and _before(row["written_at"], partition):
        return "records that retention has taken away"
    return ""


def _before(moment: datetime, partition: Partition) -> bool:
    """Whether *moment* is before the first record that is left."""
    return partition.oldest is None or moment.timestamp() * 1000 <= partition.oldest


def _name_strangers(log: Log, unsaid: set[int], two: Finding) -> None:
    for number, partition, at in log.places():
        identity = partition.identities[at]
        if identity not in unsaid:
            continue
        unsaid.discard(identity)
        if partition.flags[at] & OLD:
            two.excluded["records older than the ledger is kept"] += 1
            continue
        two.wrong(
            "in the topic, but never said by its owner",
            topic=log.topic.name,
            partition=number,
            offset=partition.start + at,
            tenant=log.tenants[partition.tenants[at]],
        )


def _partition_of(key: str, log: Log) -> Partition | None:
    """Where Kafka's own partitioner puts a key."""
    numbers = sorted(log.partitions)
    if not numbers:
        return None
    return log.partitions[numbers[(murmur2(key.encode()) & 0x7FFFFFFF) % len(numbers)]]


def has_versions(topic: Topic) -> bool:
    """Whether the topic carries versions of aggregates of ours (not HR's sequences, not dead letters)."""
    return bool(topic.events) and not topic.intake
