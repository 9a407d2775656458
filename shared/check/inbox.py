"""I5 (and the tenants of inbox rows, I10): every record has one outcome at each consumer.

Compared by place: a record's row stores its partition and offset, so nothing depends on how the service has
read it. A record without a row must be a duplicate: another record with the same identity and body has one.
"""

from typing import Any

from shared.check.events import hashed, short
from shared.check.log import FIRST, OLD, OVERTAKEN, Log
from shared.check.report import Finding
from shared.check.sources import Reading

_OUTCOMES = {"applied": 1, "stale": 2, "unknown": 3, "dead": 4}
_ROWS = (
    "SELECT tenant, source, id, partition, record_offset, body_sha256, outcome FROM inbox"
    " WHERE consumer = $1 AND topic = $1"
)
_REDRIVEN = "SELECT partition, record_offset FROM dead_letter WHERE topic = $1 AND state = 'redriven'"


async def compare_inbox(reading: Reading, service: str, log: Log, five: Finding, ten: Finding) -> None:
    """Compare the rows of one service with the records of one topic."""
    rows: dict[int, bytearray] = {
        number: bytearray(len(partition.flags)) for number, partition in log.partitions.items()
    }
    topic = log.topic.name
    redriven = {tuple(row) for row in await reading.fetch(service, _REDRIVEN, topic)}
    async for row in reading.rows(service, _ROWS, topic):
        _compare_row(row, service, log, rows, redriven, five, ten)
    _account(service, log, rows, five)


def _compare_row(
    row: Any,
    service: str,
    log: Log,
    rows: dict[int, bytearray],
    redriven: set[tuple[Any, ...]],
    five: Finding,
    ten: Finding,
) -> None:
    number, offset = row["partition"], row["record_offset"]
    told = {"service": service, "topic": log.topic.name, "partition": number, "offset": offset}
    partition = log.partitions.get(number)
    at = offset - partition.start if partition is not None else -1
    if partition is not None and at < 0:
        five.excluded["inbox rows whose records retention has taken away"] += 1
        return
    if partition is None or at >= len(partition.flags) or not partition.flags[at]:
        if partition is not None and at < len(partition.flags) and log.topic.compacted:
            five.excluded["inbox rows whose records compaction has taken away"] += 1
        else:
            five.wrong("an inbox row for a record that is not in the topic", **told, outcome=row["outcome"])
        return
    if rows[number][at]:
        five.wrong("two inbox rows for one record", **told)
        return
    rows[number][at] = _OUTCOMES[row["outcome"]]
    five.counts[row["outcome"]] += 1
    ten.counts["inbox rows"] += 1
    if partition.bodies[at] != short(row["body_sha256"]):
        five.wrong("an inbox row of another body than the record's", **told)
    by_place = row["source"] == f"kafka:{log.topic.name}" and row["id"] == f"{number}:{offset}"
    tenant = log.tenants[partition.tenants[at]]
    if row["tenant"] != tenant and not (by_place and row["outcome"] == "dead" and row["tenant"] == "-"):
        ten.wrong("an inbox row of another tenant than its record's", **told, row_tenant=row["tenant"])
    elif not by_place and hashed(row["tenant"], row["source"], row["id"]) != partition.identities[at]:
        five.wrong("an inbox row of another event than its record's", **told)
    stale = row["outcome"] == "stale" and not partition.flags[at] & OVERTAKEN
    if stale and log.whole and (number, offset) not in redriven:
        five.wrong("called stale, though nothing newer came before it: it was handled twice", **told)


def _account(service: str, log: Log, rows: dict[int, bytearray], five: Finding) -> None:
    """Every record without a row must be a duplicate of one that has a row."""
    missing = [
        (number, at, partition.identities[at], partition.bodies[at])
        for number, partition, at in log.places()
        if not rows[number][at]
    ]
    if not missing:
        return
    wanted = {identity for _, _, identity, _ in missing if identity}
    had = {
        (partition.identities[at], partition.bodies[at])
        for number, partition, at in log.places()
        if rows[number][at] and partition.identities[at] in wanted
    }
    for number, at, identity, body in missing:
        partition = log.partitions[number]
        if identity and (identity, body) in had:
            five.counts["duplicates"] += 1
        elif partition.flags[at] & OLD:
            five.excluded["records older than the inbox is kept"] += 1
        else:
            repeated = "" if partition.flags[at] & FIRST else " (of an identity that came before)"
            five.wrong(
                f"a record without outcome, passed over{repeated}",
                service=service,
                topic=log.topic.name,
                partition=number,
                offset=partition.start + at,
                tenant=log.tenants[partition.tenants[at]],
            )
