"""From a Kafka record to what it says, read without the services' own decoder.

Reading is forgiving: a record that cannot be read has no identity (None), and some service will have buried it.
"""

import hashlib
import re
from datetime import date, datetime
from typing import Any, Final

import msgspec
from aiokafka import ConsumerRecord

from shared.contracts import EVENTS, dead_letter_topic
from shared.contracts.people import PersonErased

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/\-]{0,255}")
DEAD_LETTER: Final = "dead-letter"


class Facts(msgspec.Struct):
    """The part of events' data that rules ask for. No names, no words."""

    status: str = ""
    reason: str = ""
    spell: int = 1
    mentor_capacity: int = 0
    time_zone: str = ""
    effective_on: date | None = None
    person_id: str = ""
    programme_id: str = ""
    proposal_id: str = ""
    relationship_id: str = ""
    session_id: str = ""
    feedback_request_id: str = ""
    mentor_id: str = ""
    mentee_id: str = ""
    author_id: str = ""
    leaver_ids: list[str] = []
    peers: bool = False
    starts_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    requested_at: datetime | None = None
    session_reminder_hours: int = 0
    feedback_reminder_days: int = 0


class _Envelope(msgspec.Struct):
    id: str
    source: str
    type: str
    tenant: str
    subject: str | None = None
    sequence: str | int | None = None
    time: datetime | None = None
    data: msgspec.Raw = msgspec.Raw()


_envelope = msgspec.json.Decoder(_Envelope)
_facts = msgspec.json.Decoder(Facts)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_anything = msgspec.json.Decoder(dict[str, Any])
_NOTHING: Final = Facts()


class Seen(msgspec.Struct):
    """An event in a topic."""

    tenant: str
    source: str
    id: str
    type: str
    subject: str
    sequence: int
    time: datetime | None
    raw: bytes
    erasure: bool = False

    @property
    def key(self) -> str:
        """Tenant and aggregate."""
        return f"{self.tenant} {self.subject}"

    def facts(self) -> Facts:
        """What rules ask for; nothing when the data is not of its contract's kind."""
        try:
            return _facts.decode(self.raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _NOTHING

    def values(self) -> dict[str, Any]:
        """The whole data."""
        try:
            return _anything.decode(self.raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}

    def fields_beyond_contract(self) -> int:
        """How many fields the type's contract does not know."""
        contract = EVENTS.get(self.type)
        if contract is None:
            return 0
        try:
            return sum(name not in contract.model_fields for name in _fields.decode(self.raw))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return 0


def plain(text: str) -> str:
    """*text* where it is a plain identifier, else its hash: what others call their events may be personal."""
    if _PLAIN.fullmatch(text) and "@" not in text:
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hashed(*parts: str) -> int:
    """64 bits that stand for *parts*."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def short(digest: bytes) -> int:
    """The first 64 bits of a hash."""
    return int.from_bytes(digest[:8], "little")


def body_hash(record: ConsumerRecord, seen: Seen | None) -> int:
    """What the inbox should hold of the record's bytes, shortened."""
    if record.value is None:
        text = f"{seen.type}\0{seen.sequence}".encode() if seen is not None else b"\0"
        return short(hashlib.sha256(text).digest())
    return short(hashlib.sha256(record.value).digest())


def read(record: ConsumerRecord, topic: str) -> Seen | None:
    """What the record says; None when that cannot be read."""
    headers = _headers(record)
    if headers is None:
        return None
    if topic.startswith(dead_letter_topic("")):
        return _letter(headers, topic)
    try:
        envelope = _envelope_of(record.value, headers)
        sequence = int(envelope.sequence) if envelope.sequence is not None else -1
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    if not (envelope.id and envelope.source and envelope.type and envelope.tenant):
        return None
    return Seen(
        tenant=envelope.tenant,
        source=plain(envelope.source),
        id=plain(envelope.id),
        type=plain(envelope.type),
        subject=envelope.subject or "",
        sequence=sequence,
        time=envelope.time,
        raw=bytes(envelope.data),
        erasure=record.value is None and envelope.type == PersonErased.TYPE,
    )


def _headers(record: ConsumerRecord) -> dict[str, str] | None:
    try:
        return {name.lower(): bytes(value).decode() for name, value in record.headers}
    except (UnicodeDecodeError, TypeError):
        return None


def _envelope_of(value: bytes | None, headers: dict[str, str]) -> _Envelope:
    structured = headers.get("content-type", "").startswith("application/cloudevents+json")
    if value is not None and (structured or "ce_id" not in headers):
        return _envelope.decode(value)
    attributes: dict[str, Any] = {name[3:]: text for name, text in headers.items() if name.startswith("ce_")}
    return msgspec.convert(attributes | {"data": msgspec.Raw(value or b"null")}, _Envelope)


def _letter(headers: dict[str, str], topic: str) -> Seen | None:
    """A dead letter: not an event, but said through an outbox like one."""
    if "dl_id" not in headers or "dl_tenant" not in headers:
        return None
    service = topic.removeprefix(dead_letter_topic(""))
    return Seen(
        tenant=headers["dl_tenant"],
        source=f"urn:mentoring:{service}",
        id=headers["dl_id"],
        type=DEAD_LETTER,
        subject=headers["dl_id"],
        sequence=0,
        time=None,
        raw=b"",
    )
