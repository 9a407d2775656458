"""The inbox: which records this service has had, decided in the transaction of their effect.

``(tenant, consumer, source, id)`` is unique and inserted first, so a redelivered record finds its row
and is passed over; a racing one waits for the other transaction and then finds it. The body's hash
tells a duplicate from an id that was used twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from shared.messaging.codec import Item, Reason
from shared.messaging.handlers import Outcome
from shared.persistence.uow import Uow

_CLAIM = sa.text(
    "INSERT INTO inbox (tenant, consumer, source, id, topic, partition, record_offset, body_sha256, outcome)"
    " SELECT :tenant, :consumer, u.source, u.id, :topic, u.partition, u.record_offset, u.sha, u.outcome"
    " FROM unnest(CAST(:source AS text[]), CAST(:id AS text[]), CAST(:partition AS int[]),"
    " CAST(:record_offset AS bigint[]), CAST(:sha AS bytea[]), CAST(:outcome AS text[]))"
    " AS u(source, id, partition, record_offset, sha, outcome)"
    " ON CONFLICT (tenant, consumer, source, id) DO NOTHING RETURNING source, id"
)
_EXISTING = sa.text(
    "SELECT i.source, i.id, i.body_sha256 FROM inbox i"
    " JOIN unnest(CAST(:source AS text[]), CAST(:id AS text[])) AS u(source, id)"
    " ON i.source = u.source AND i.id = u.id WHERE i.tenant = :tenant AND i.consumer = :consumer"
)
_SETTLE = sa.text(
    "UPDATE inbox i SET outcome = u.outcome"
    " FROM unnest(CAST(:source AS text[]), CAST(:id AS text[]), CAST(:outcome AS text[])) AS u(source, id, outcome)"
    " WHERE i.tenant = :tenant AND i.consumer = :consumer AND i.source = u.source AND i.id = u.id"
)
_REVIVE = sa.text(
    "UPDATE inbox SET outcome = 'applied' WHERE tenant = :tenant AND consumer = :consumer AND source = :source"
    " AND id = :id AND body_sha256 = :sha AND outcome = 'dead' RETURNING id"
)


@dataclass(slots=True)
class Claimed:
    """What of a batch is new (in order), and how many records were had already."""

    fresh: list[Item] = field(default_factory=list)
    duplicates: list[Item] = field(default_factory=list)


async def claim(uow: Uow, consumer: str, items: Sequence[Item]) -> Claimed:
    """Insert the inbox rows of *items*; return those seen for the first time.

    An item whose id is taken by another body is given its offset as id and the verdict dead.
    """
    first: dict[tuple[str, str], Item] = {}
    for item in items:
        first.setdefault(item.key, item)
    inserted = await _insert(uow, consumer, list(first.values()))
    if len(inserted) == len(items):
        return Claimed(list(items))  # nearly always
    claimed = {(row.source, row.id) for row in inserted}
    seen = [item for key, item in first.items() if key not in claimed]
    repeats = [item for item in items if first[item.key] is not item]
    hashes = {key: item.body_sha256 for key, item in first.items()}
    if seen:
        hashes |= await _hashes(uow, consumer, seen)
    result = Claimed()
    reused: list[Item] = []
    for item in (*seen, *repeats):
        if item.body_sha256 == hashes[item.key]:
            result.duplicates.append(item)
        else:
            item.use_offset_as_id()
            item.die(Reason.ID_REUSED, "Another event with this id and another body has been received.")
            reused.append(item)
    if reused:
        newly = {(row.source, row.id) for row in await _insert(uow, consumer, reused)}
        result.duplicates += [item for item in reused if item.key not in newly]
        claimed |= newly
    had = {id(item) for item in result.duplicates}
    result.fresh = [item for item in items if item.key in claimed and id(item) not in had]
    return result


async def _insert(uow: Uow, consumer: str, items: Sequence[Item]) -> Sequence[Any]:
    """Insert their rows; returns source and id of those that were not there."""
    records = [item.record for item in items]
    return await uow.rows(
        _CLAIM,
        consumer=consumer,
        topic=consumer,
        source=[item.source for item in items],
        id=[item.id for item in items],
        partition=[record.partition for record in records],
        record_offset=[record.offset for record in records],
        sha=[item.body_sha256 for item in items],
        outcome=[item.verdict or Outcome.APPLIED for item in items],
    )


async def _hashes(uow: Uow, consumer: str, items: Sequence[Item]) -> dict[tuple[str, str], bytes]:
    rows = await uow.rows(
        _EXISTING, consumer=consumer, source=[item.source for item in items], id=[item.id for item in items]
    )
    return {(row.source, row.id): row.body_sha256 for row in rows}


async def settle(uow: Uow, consumer: str, items: Sequence[Item]) -> None:
    """Write the outcome of those items that turned out otherwise than ``applied`` while being handled."""
    if items:
        await uow.connection.execute(
            _SETTLE,
            {
                "tenant": uow.tenant,
                "consumer": consumer,
                "source": [item.source for item in items],
                "id": [item.id for item in items],
                "outcome": [str(item.verdict) for item in items],
            },
        )


async def revive(uow: Uow, consumer: str, item: Item) -> bool:
    """Take a dead record back for another try; False when it is not dead (any more).

    Another body under the same id is another record: its letter must not settle this one's row.
    """
    rows = await uow.rows(_REVIVE, consumer=consumer, source=item.source, id=item.id, sha=item.body_sha256)
    return bool(rows)
