"""The transactional outbox, writing side: events become rows in the transaction that caused them.

A row is a finished Kafka record: topic, key, headers and bytes. The relay
(:mod:`shared.messaging.relay`) only moves it. A trigger copies its identity into ``outbox_ledger``, so
that an independent checker can compare what was said with what the topics hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from shared.contracts import TOPIC, EventData, derived_id
from shared.contracts.people import PersonErased
from shared.errors import Invalid
from shared.persistence.driver import Statement, Write

if TYPE_CHECKING:
    from shared.persistence.uow import Cause

_HEADER_ROOM = 4096
"""Bytes kept free under a topic's limit for headers and Kafka's own record overhead."""

_encode = msgspec.json.encode


class EventTooLarge(Invalid):
    """The event would not fit into a record of its topic."""

    def __init__(self, topic: str, size: int, limit: int) -> None:
        super().__init__(
            "event_too_large", f"An event of {size} bytes does not fit into {topic} ({limit} bytes)."
        )


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """One Kafka record to be. ``payload`` None is a tombstone. ``sequence`` orders records of one key."""

    topic: str
    key: str
    sequence: int
    event_id: str
    type: str
    payload: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """An event that a handler said, with the version of its aggregate and why it was said."""

    data: EventData
    version: int
    cause: "Cause"
    time: datetime


def source_of(service: str) -> str:
    """The CloudEvents source of what *service* says."""
    return f"urn:mentoring:{service}"


def event_id(service: str, tenant: str, data: EventData, version: int) -> str:
    """The id of an event: the same fact said again after a crash has the same id."""
    return derived_id("event", service, tenant, data.TYPE, data.subject, str(version))


def encode_said(service: str, tenant: str, said: Said) -> OutboxRecord:
    """The finished record: CloudEvents structured JSON, with the context attributes as headers beside it."""
    data = said.data
    identity = event_id(service, tenant, data, said.version)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": identity,
        "ce_source": source_of(service),
        "ce_type": data.TYPE,
        "ce_subject": data.subject,
        "ce_time": said.time.isoformat(),
        "ce_sequence": str(said.version),
        "ce_tenant": tenant,
        "ce_correlationid": said.cause.correlation_id,
    }
    if said.cause.causation_id:
        headers["ce_causationid"] = said.cause.causation_id
    if said.cause.traceparent:
        headers["traceparent"] = said.cause.traceparent
    if isinstance(data, PersonErased):
        return OutboxRecord(data.TOPIC, data.subject, said.version, identity, data.TYPE, None, headers)
    headers["content-type"] = "application/cloudevents+json; charset=utf-8"
    payload = _encode(
        {
            "specversion": "1.0",
            "id": identity,
            "source": source_of(service),
            "type": data.TYPE,
            "subject": data.subject,
            "time": said.time,
            "datacontenttype": "application/json",
            "sequence": str(said.version),
            "tenant": tenant,
            "correlationid": said.cause.correlation_id,
            **({"causationid": said.cause.causation_id} if said.cause.causation_id else {}),
            **({"traceparent": said.cause.traceparent} if said.cause.traceparent else {}),
            "data": msgspec.Raw(data.model_dump_json().encode()),
        }
    )
    limit = TOPIC[data.TOPIC].max_bytes - _HEADER_ROOM
    if len(payload) > limit:
        raise EventTooLarge(data.TOPIC, len(payload), limit)
    return OutboxRecord(data.TOPIC, data.subject, said.version, identity, data.TYPE, payload, headers)


_COLUMNS: Final = {
    "topic": "text", "key": "text", "sequence": "bigint", "event_id": "text", "type": "text", "payload": "bytea",
    "headers": "text",
}  # fmt: skip


def _insert(source: str) -> str:
    # Parameters bear a prefix that no column of a service has: they may stand beside those of another write.
    return (
        "INSERT INTO outbox (tenant, topic, key, sequence, event_id, type, payload, headers, said_at)"
        " SELECT CAST(:tenant AS text), u.topic, u.key, u.sequence, u.event_id, u.type, u.payload,"
        f" u.headers::jsonb, CAST(:outbox_said_at AS timestamptz) FROM {source} AS u({', '.join(_COLUMNS)})"
    )


_SEVERAL: Final = Statement(
    _insert(f"unnest({', '.join(f'CAST(:outbox_{name} AS {cast}[])' for name, cast in _COLUMNS.items())})")
)
_ONE: Final = Statement(
    _insert(f"(VALUES ({', '.join(f'CAST(:outbox_{name} AS {cast})' for name, cast in _COLUMNS.items())}))")
)


@cache
def _together(write: Statement, insert: Statement) -> Statement:
    """Both as one statement: one round trip less for each command."""
    return Statement(f"WITH written AS ({write.text}) {insert.text}")


def outbox_writes(
    tenant: str, records: Sequence[OutboxRecord], now: datetime, *, with_last_of: Sequence[Write]
) -> Sequence[Write]:
    """The given writes in their order and, with the last of them, the insert of everything that was said.

    Only one of them goes with the insert, because PostgreSQL gives no order to the parts of a statement.
    """
    if not records:
        return with_last_of
    rows = [
        (r.topic, r.key, r.sequence, r.event_id, r.type, r.payload, _encode(r.headers).decode())
        for r in records
    ]
    insert = _ONE if len(rows) == 1 else _SEVERAL
    columns: Iterable[Any] = rows[0] if insert is _ONE else map(list, zip(*rows, strict=True))
    said = {f"outbox_{name}": values for name, values in zip(_COLUMNS, columns, strict=True)}
    said |= {"tenant": tenant, "outbox_said_at": now}
    if not with_last_of:
        return [(insert, said)]
    *before, (last, values) = with_last_of
    return [*before, (_together(last, insert), {**values, **said})]
