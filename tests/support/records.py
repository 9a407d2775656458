"""Events as records: what a service or an HR system would publish, and what a consumer would get of it."""

import itertools
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.contracts import TOPIC, EventData
from shared.persistence.outbox import OutboxRecord, Said, encode_said
from shared.persistence.uow import Cause


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """A record as a consumer would get it, for handing over without a broker."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int = field(default_factory=lambda: int(time.time() * 1000))


_BY_HAND: Final = 9999
"""The partition of records that no broker has seen."""

_offsets = itertools.count()


def record_of(row: OutboxRecord) -> KafkaRecord:
    """What a consumer would get of this outbox row."""
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    return KafkaRecord(row.topic, _BY_HAND, next(_offsets), row.key.encode(), row.payload, headers)


def hr_event(
    tenant: str, type_: str, data: Mapping[str, Any], *, sequence: int = 1, source: str = "urn:hr:test"
) -> OutboxRecord:
    """An event as an HR system would publish it; *data* may hold more than the contract knows."""
    identity, employee = uuid.uuid4().hex, str(data["employee_id"])
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": source,
        "type": type_,
        "subject": employee,
        "time": "2026-03-02T09:00:00Z",
        "datacontenttype": "application/json",
        "sequence": str(sequence),
        "tenant": tenant,
        "data": dict(data),
    }
    payload = json.dumps(event).encode()
    headers = {"content-type": "application/cloudevents+json"}
    return OutboxRecord("hr-intake", employee, sequence, identity, type_, payload, headers)


def said_by(
    tenant: str, event: EventData, *, version: int = 1, now: datetime, correlation_id: str = "c-test"
) -> OutboxRecord:
    """*event* as the service that owns its topic would say it."""
    return encode_said(TOPIC[event.TOPIC].owner, tenant, Said(event, version, Cause(correlation_id), now))
