"""The inbox: which records this service has had, decided in the transaction of their effect.

``(tenant, consumer, source, id)`` is unique and inserted first, so a redelivered record finds its row
and is passed over; a racing one waits for the other transaction and then finds it. The body's hash
tells a duplicate from an id that was used twice.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import msgspec

from shared.messaging.codec import Item
from shared.messaging.handlers import Outcome
from shared.messaging.headers import Reason
from shared.persistence.driver import Statement
from shared.persistence.kinds import column, columns_from
from shared.persistence.uow import Uow

_Key = tuple[str, str]
_read_keys = msgspec.json.Decoder(list[_Key]).decode

_ID = {"source": "text", "id": "text"}
_CLAIMED = _ID | {"partition": "int", "record_offset": "bigint", "sha": "text", "outcome": "text"}

_CLAIM = Statement(
    "WITH claimed AS ("
    "INSERT INTO inbox (tenant, consumer, source, id, topic, partition, record_offset, body_sha256, outcome)"
    " SELECT :tenant, :consumer, u.source, u.id, :consumer, u.partition::int, u.record_offset::bigint,"
    f" decode(u.sha, 'hex'), u.outcome FROM {columns_from(_CLAIMED)}"
    " ON CONFLICT (tenant, consumer, source, id) DO NOTHING RETURNING source, id)"
    " SELECT CASE WHEN count(*) < :number THEN coalesce(json_agg(json_build_array(source, id)), '[]')::text END"
    " FROM claimed"
)
"""Which of the rows were not there, as JSON; NULL says that none was, as nearly always."""
_EXISTING = Statement(
    f"SELECT i.source, i.id, i.body_sha256 FROM inbox i JOIN {columns_from(_ID)}"
    " ON i.source = u.source AND i.id = u.id WHERE i.tenant = :tenant AND i.consumer = :consumer"
)
_SETTLE = Statement(
    f"UPDATE inbox i SET outcome = u.outcome FROM {columns_from(_ID | {'outcome': 'text'})}"
    " WHERE i.tenant = :tenant AND i.consumer = :consumer AND i.source = u.source AND i.id = u.id"
)
_REVIVE = Statement(
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
    claimed = await _insert(uow, consumer, first)
    if len(claimed) == len(items):
        return Claimed(list(items))  # nearly always
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
        newly = await _insert(uow, consumer, {item.key: item for item in reused})
        result.duplicates += [item for item in reused if item.key not in newly]
        claimed |= newly
    had = {id(item) for item in result.duplicates}
    result.fresh = [item for item in items if item.key in claimed and id(item) not in had]
    return result


async def _insert(uow: Uow, consumer: str, by_key: Mapping[_Key, Item]) -> Set[_Key]:
    """Insert the rows of these items; returns the keys of those that were not there."""
    items = by_key.values()
    ((claimed,),) = await uow.rows(
        _CLAIM,
        number=len(by_key),
        consumer=consumer,
        source=column([item.source for item in items]),
        id=column([item.id for item in items]),
        partition=column([item.record.partition for item in items]),
        record_offset=column([item.record.offset for item in items]),
        sha=column([item.body_sha256.hex() for item in items]),
        outcome=column([item.verdict or Outcome.APPLIED for item in items]),
    )
    return by_key.keys() if claimed is None else set(_read_keys(claimed))


async def _hashes(uow: Uow, consumer: str, items: Sequence[Item]) -> dict[tuple[str, str], bytes]:
    rows = await uow.rows(
        _EXISTING,
        consumer=consumer,
        source=column(item.source for item in items),
        id=column(item.id for item in items),
    )
    return {(row["source"], row["id"]): row["body_sha256"] for row in rows}


async def settle(uow: Uow, consumer: str, items: Sequence[Item]) -> None:
    """Write the outcome of those items that turned out otherwise than ``applied`` while being handled."""
    if items:
        await uow.rows(
            _SETTLE,
            consumer=consumer,
            source=column(item.source for item in items),
            id=column(item.id for item in items),
            outcome=column(item.verdict for item in items),
        )


async def revive(uow: Uow, consumer: str, item: Item) -> bool:
    """Take a dead record back for another try; False when it is not dead (any more).

    Another body under the same id is another record: its letter must not settle this one's row.
    """
    rows = await uow.rows(_REVIVE, consumer=consumer, source=item.source, id=item.id, sha=item.body_sha256)
    return bool(rows)
