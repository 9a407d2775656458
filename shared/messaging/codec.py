"""From a Kafka record to an event, or to the reason why it is none.

Decoding never raises: whatever other people's systems send becomes an :class:`Item` with a verdict.
The checks run from cheap to dear: nothing is parsed before its nesting depth is known, and data is
validated against the contract only for types that this service handles.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Protocol

import msgspec
from pydantic import ValidationError

from shared.contracts import TOPIC, EventData
from shared.contracts.people import PersonErased
from shared.messaging import headers
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers, Handling, Outcome
from shared.messaging.headers import STRUCTURED, Dead, Reason
from shared.messaging.tracing import TRACEPARENT

MAX_DEPTH: Final = 32
UNATTRIBUTED: Final = "-"
"""The tenant under which records are kept that name no readable tenant."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/\-]{0,255}")
_VERSION = re.compile(r"(.+)\.v(\d+)")

_sha256 = hashlib.sha256


class Record(Protocol):
    """The part of aiokafka's ``ConsumerRecord`` that decoding needs."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> Any: ...
    @property
    def value(self) -> Any: ...
    @property
    def headers(self) -> Sequence[tuple[str, Any]]: ...
    @property
    def timestamp(self) -> int: ...


class Item(msgspec.Struct, eq=False):
    """One record on its way through a batch. ``verdict`` is set as soon as it is known."""

    record: Record
    topic: str
    body_sha256: bytes
    tenant: str = UNATTRIBUTED
    source: str = ""
    id: str = ""
    type: str = ""
    verdict: Outcome | None = None
    reason: str = ""
    detail: str = ""
    attempts: int = 1
    event: Event[Any] | None = None
    handling: Handling | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.id

    def die(self, reason: str, detail: str) -> None:
        self.verdict, self.reason, self.detail = Outcome.DEAD, reason, detail[:500]

    def use_offset_as_id(self) -> None:
        """Key the record by its place: its own id is unreadable or taken by another body."""
        self.source, self.id = f"kafka:{self.topic}", f"{self.record.partition}:{self.record.offset}"


class _Envelope(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    tenant: str
    subject: str | None = None
    time: datetime | None = None
    sequence: str | int | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    data: msgspec.Raw = msgspec.Raw()


_envelope = msgspec.json.Decoder(_Envelope)
_object_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])


def safe(text: str) -> str:
    """*text* where it is a plain identifier, else its hash: foreign ids may hold personal data."""
    if _SAFE.fullmatch(text):  # which has no "@"
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_safe_word = lru_cache(1024)(safe)
"""For sources and types, of which there are few."""


@lru_cache(1024)
def _is_key(text: str) -> bool:
    """For tenants, of which there are few."""
    return _KEY.fullmatch(text) is not None


def too_deep(raw: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether brackets nest deeper than *limit* (a fast count settles nearly every case)."""
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    depth = 0
    quoted = escaped = False
    for byte in raw:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > limit:
                return True
        elif byte in (0x5D, 0x7D):
            depth -= 1
    return False


class Decoder:
    """Decodes the records of one topic for one service."""

    def __init__(self, topic: str, handlers: Handlers) -> None:
        self.topic = topic
        self._catalogued = TOPIC[topic]
        self._handlings = {t: h for t, h in handlers.events.items() if topic == h.event.TOPIC}
        known = {event.TYPE for event in self._catalogued.events}
        self._known_bases = {m.group(1) for t in known if (m := _VERSION.fullmatch(t))}
        self._known = known
        self._plain = headers.Plain()

    def decode(self, record: Record) -> Item:
        """The record as an item: with an event to handle, or with its verdict."""
        value: bytes | None = record.value
        item = Item(record, self.topic, _sha256(value if value is not None else b"\0").digest())
        try:
            self._decode(record, value, item)
        except Dead as dead:
            item.die(dead.reason, dead.detail)
        except Exception as defect:  # noqa: BLE001 - raised, it would cost the whole batch
            item.die(Reason.UNEXPECTED, f"Decoding failed with {type(defect).__name__}.")
        if not item.id:
            item.use_offset_as_id()
        return item

    def _decode(self, record: Record, value: bytes | None, item: Item) -> None:
        envelope = self._envelope(record, value)
        self._identify(envelope, item)
        if value is None:
            item.body_sha256 = hashlib.sha256(f"{envelope.type}\0{envelope.sequence}".encode()).digest()
        handling = self._handlings.get(envelope.type)
        if handling is None:
            self._unhandled(envelope, item)
            return
        item.handling = handling
        item.event = self._event(envelope, handling.event, item, record, tombstone=value is None)

    def _envelope(self, record: Record, value: bytes | None) -> _Envelope:
        beside = self._plain.compared(record.headers)
        if value is not None and beside is not None:
            _require_utf8(value)
            envelope = _structured(value)
            if beside != headers.said(envelope):
                headers.compare(headers.read(record.headers), envelope)
            return envelope
        found = headers.read(record.headers)
        _require_utf8(value)
        if value is None:
            if not self._catalogued.compacted:
                raise Dead(Reason.NULL_VALUE, "The value is null and the topic is not compacted.")
            return _from_headers(found, b"null")
        if found.get("content-type", "").startswith(STRUCTURED) or "ce_id" not in found:
            envelope = _structured(value)
            headers.compare(found, envelope)
            return envelope
        if too_deep(value):
            raise Dead(Reason.TOO_DEEP, f"The data nests deeper than {MAX_DEPTH} levels.")
        return _from_headers(found, value)

    @staticmethod
    def _identify(envelope: _Envelope, item: Item) -> None:
        if not _is_key(envelope.tenant):
            raise Dead(Reason.WRONG_TYPE, "The tenant is not an identifier.")
        if envelope.specversion != "1.0":
            raise Dead(Reason.WRONG_TYPE, "The specversion is not 1.0.")
        if not (
            0 < len(envelope.id) <= 1024
            and 0 < len(envelope.source) <= 1024
            and 0 < len(envelope.type) <= 1024
        ):
            raise Dead(Reason.WRONG_TYPE, "An id, source or type is empty or longer than 1024 characters.")
        item.tenant, item.source, item.id = envelope.tenant, _safe_word(envelope.source), safe(envelope.id)
        item.type = _safe_word(envelope.type)

    def _unhandled(self, envelope: _Envelope, item: Item) -> None:
        match = _VERSION.fullmatch(envelope.type)
        if envelope.type not in self._known and match and match.group(1) in self._known_bases:
            raise Dead(Reason.UNKNOWN_VERSION, "This version of the event type is not known here.")
        item.verdict = Outcome.UNKNOWN

    def _event(
        self, envelope: _Envelope, contract: type[EventData], item: Item, record: Record, *, tombstone: bool
    ) -> Event[Any]:
        raw = bytes(envelope.data)
        if tombstone != (contract is PersonErased):
            raise Dead(Reason.NULL_VALUE, "Only an erasure has a null value, and it has no other.")
        dropped: tuple[str, ...] = ()
        try:
            if tombstone:
                data: EventData = PersonErased(person_id=envelope.subject or "")
            else:
                # What model_validate_json does, without its looking at arguments for every event.
                data = contract.__pydantic_validator__.validate_json(raw or b"null")
                if self._catalogued.intake:
                    dropped = tuple(
                        name for name in _object_keys.decode(raw) if name not in contract.model_fields
                    )
        except ValidationError as error:
            raise Dead(Reason.INVALID_DATA, _describe(error, contract)) from None
        except (ValueError, RecursionError):
            raise Dead(Reason.INVALID_DATA, "The data cannot be read as the type's contract.") from None
        subject = data.subject
        if envelope.subject is not None and envelope.subject != subject:
            raise Dead(Reason.SUBJECT_CONTRADICTS, "The subject is not the id that the data speaks of.")
        correlation = envelope.correlationid or item.id
        traceparent = envelope.traceparent
        return Event(
            id=item.id,
            source=item.source,
            type=contract.TYPE,
            tenant=item.tenant,
            subject=subject,
            sequence=_sequence(envelope.sequence),
            time=_time(envelope.time, record),
            correlation_id=safe(correlation),
            traceparent=traceparent if traceparent and TRACEPARENT.fullmatch(traceparent) else None,
            data=data,
            dropped_fields=dropped,
        )


def _require_utf8(value: bytes | None) -> None:
    if value is None or value.isascii():
        return
    try:
        value.decode()
    except UnicodeDecodeError:
        raise Dead(Reason.NOT_UTF8, "The value is not UTF-8.") from None


def _structured(value: bytes) -> _Envelope:
    if too_deep(value):
        raise Dead(Reason.TOO_DEEP, f"The event nests deeper than {MAX_DEPTH} levels.")
    try:
        return _envelope.decode(value)
    except msgspec.ValidationError as error:
        raise Dead(Reason.WRONG_TYPE, f"The envelope is not a CloudEvent: {error}.") from None
    except (msgspec.DecodeError, RecursionError):
        raise Dead(Reason.BAD_JSON, "The value is not JSON.") from None


def _from_headers(found: Mapping[str, str], data: bytes) -> _Envelope:
    """A CloudEvent in binary mode: attributes in headers, data in the value."""
    try:
        return msgspec.convert(
            {name[3:]: text for name, text in found.items() if name.startswith("ce_")}
            | {name: found[name] for name in ("traceparent",) if name in found}
            | {"data": msgspec.Raw(data)},
            _Envelope,
        )
    except msgspec.ValidationError as error:
        raise Dead(Reason.WRONG_TYPE, f"The headers are not a CloudEvent: {error}.") from None


def _sequence(value: str | int | None) -> int:
    text = str(value) if value is not None else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Dead(Reason.WRONG_TYPE, "The sequence is missing or not a whole number.")
    return int(text)


def _time(value: datetime | None, record: Record) -> datetime:
    if value is None or value.tzinfo is None:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return value


def _describe(error: ValidationError, contract: type[EventData]) -> str:
    """Which fields are wrong and how, without what was sent (dictionary keys are somebody's words)."""
    problems = []
    for entry in error.errors(include_url=False, include_context=False, include_input=False)[:10]:
        field = str(entry["loc"][0]) if entry["loc"] else "data"
        problems.append(f"{field if field in contract.model_fields else 'data'}: {entry['type']}")
    return "; ".join(problems)
