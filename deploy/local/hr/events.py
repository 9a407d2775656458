"""HR's events as CloudEvents 1.0, and their bytes on Kafka in structured and in binary mode.

Everything in an event follows from what it says: the id from (source, employee, sequence), the
correlation and the trace from the id, the time from the caller. So the same event built again, in
another process or a year later, has the same bytes, and a receiver recognises it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

_EVENTS: Final = uuid5(NAMESPACE_URL, "urn:example:hris:events")
_CORRELATIONS: Final = uuid5(NAMESPACE_URL, "urn:example:hris:correlations")

Headers = tuple[tuple[str, bytes], ...]


class Mode(StrEnum):
    """How a CloudEvent travels: whole in the value, or its attributes in headers beside the data."""

    STRUCTURED = "structured"
    BINARY = "binary"


class Encoded(NamedTuple):
    """A Kafka record but for its topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes that the record takes before compression, with a margin for Kafka's own."""
        headers = sum(len(name.encode()) + len(value) + 10 for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers + 128


@dataclass(frozen=True, slots=True)
class HrEvent:
    """One event about one employee. ``sequence`` rises from event to event of the same employee."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    tenant: str
    sequence: int
    correlation_id: str
    traceparent: str
    data: Mapping[str, Any]

    def attributes(self) -> dict[str, str]:
        """The CloudEvents attributes but for the content type, in the order in which they are written."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time,
            "tenant": self.tenant,
            "sequence": str(self.sequence),
            "correlationid": self.correlation_id,
            "traceparent": self.traceparent,
        }

    def encode(self, mode: Mode = Mode.STRUCTURED) -> Encoded:
        """Key, value and headers; the key is the employee id, so that one employee's events stay in order."""
        if mode is Mode.BINARY:
            attributes = self.attributes().items()
            headers = (
                ("content-type", b"application/json"),
                *((f"ce_{name}", value.encode()) for name, value in attributes),
            )
            return Encoded(self.subject.encode(), _json(self.data), headers)
        event = {**self.attributes(), "datacontenttype": "application/json", "data": self.data}
        return Encoded(
            self.subject.encode(), _json(event), (("content-type", b"application/cloudevents+json"),)
        )


def make_event(
    *,
    source: str,
    tenant: str,
    type: str,
    subject: str,
    sequence: int,
    at: datetime,
    data: Mapping[str, Any],
    correlation_id: str | None = None,
) -> HrEvent:
    """An event with its derived attributes. Raises ``ValueError`` for an *at* without a UTC offset."""
    identity = uuid5(_EVENTS, f"{source}\x1f{subject}\x1f{sequence}")
    event_id = str(identity)
    return HrEvent(
        id=event_id,
        source=source,
        type=type,
        subject=subject,
        time=_instant(at),
        tenant=tenant,
        sequence=sequence,
        correlation_id=correlation_id or str(uuid5(_CORRELATIONS, event_id)),
        traceparent=_traceparent(identity.bytes),
        data=data,
    )


def _instant(at: datetime) -> str:
    """RFC 3339 in UTC."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise ValueError("the time of an event needs a UTC offset")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _traceparent(seed: bytes) -> str:
    """A sampled W3C trace context that no other event has. Neither id may be all zeros; a hash is not."""
    digest = hashlib.sha256(seed).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
