"""Dead letters: records that this service could not accept, kept as they came, with the reason.

A dead letter is written through the outbox in the transaction that gives the record its verdict: the
original bytes go to ``dlt.<service>``, a row with ids and reason (nothing personal) stays here.
"""

import base64
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from shared.contracts import dead_letter_topic, derived_id
from shared.messaging.codec import Item
from shared.persistence.outbox import OutboxRecord
from shared.persistence.uow import Uow

_MAX_HEADERS = 256 * 1024

_INSERT = sa.text(
    "INSERT INTO dead_letter (tenant, id, topic, partition, record_offset, source, event_id, event_type,"
    " reason, detail, attempts)"
    " SELECT :tenant, u.id, :topic, u.partition, u.record_offset, u.source, u.event_id, u.event_type,"
    " u.reason, u.detail, u.attempts"
    " FROM unnest(CAST(:id AS text[]), CAST(:partition AS int[]), CAST(:record_offset AS bigint[]),"
    " CAST(:source AS text[]), CAST(:event_id AS text[]), CAST(:event_type AS text[]), CAST(:reason AS text[]),"
    " CAST(:detail AS text[]), CAST(:attempts AS int[]))"
    " AS u(id, partition, record_offset, source, event_id, event_type, reason, detail, attempts)"
    " ON CONFLICT (tenant, id) DO UPDATE SET state = 'open', reason = excluded.reason,"
    " detail = excluded.detail, died_at = clock_timestamp(), settled_at = NULL, settled_by = NULL"
)


def dead_letter_id(service: str, item: Item) -> str:
    """One id per place in a topic: the same record dying again is the same dead letter."""
    return derived_id("dead-letter", service, item.topic, str(item.record.partition), str(item.record.offset))


async def bury(uow: Uow, service: str, topic: str, group: str, items: Sequence[Item]) -> None:
    """Write the dead letters of *items*, which all have the verdict dead."""
    if not items:
        return
    for item in items:
        uow.record(_letter(service, group, item))
    await uow.connection.execute(
        _INSERT,
        {
            "tenant": uow.tenant,
            "topic": topic,
            "id": [dead_letter_id(service, item) for item in items],
            "partition": [item.record.partition for item in items],
            "record_offset": [item.record.offset for item in items],
            "source": [item.source for item in items],
            "event_id": [item.id for item in items],
            "event_type": [item.type for item in items],
            "reason": [item.reason for item in items],
            "detail": [item.detail for item in items],
            "attempts": [item.attempts for item in items],
        },
    )


def _letter(service: str, group: str, item: Item) -> OutboxRecord:
    record = item.record
    identity = dead_letter_id(service, item)
    key: bytes = record.key or b""
    return OutboxRecord(
        topic=dead_letter_topic(service),
        key=identity,
        sequence=0,
        event_id=identity,
        type="dead-letter",
        payload=record.value,
        headers={
            "dl_id": identity,
            "dl_tenant": item.tenant,
            "dl_topic": item.topic,
            "dl_partition": str(record.partition),
            "dl_offset": str(record.offset),
            "dl_timestamp": str(record.timestamp),
            "dl_group": group,
            "dl_reason": item.reason,
            "dl_detail": item.detail,
            "dl_attempts": str(item.attempts),
            "dl_key": base64.b64encode(key).decode(),
            "dl_headers": _kept_headers(record.headers),
        },
    )


def _kept_headers(headers: Sequence[tuple[str, bytes | None]]) -> str:
    kept = [
        [
            name.encode("utf-8", "replace").decode(),
            None if value is None else base64.b64encode(value).decode(),
        ]
        for name, value in headers
    ]
    text = msgspec.json.encode(kept).decode()
    return text if len(text) <= _MAX_HEADERS else "null"


def original_headers(text: str) -> list[tuple[str, bytes | None]]:
    """The headers of the original record from the header ``dl_headers`` ("null": there were too many)."""
    kept: list[tuple[str, str | None]] | None = msgspec.json.decode(
        text, type=list[tuple[str, str | None]] | None
    )
    return [(name, None if value is None else base64.b64decode(value)) for name, value in kept or []]
