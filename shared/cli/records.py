"""What a record on a topic says: the attributes of its event, and its data when somebody may see them.

Reading is lenient where services are strict: an operator looks at records that are wrong, too. Foreign
ids may hold personal data, so they are shown as services keep them: hashed unless they are plain.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from shared.cli.output import moment
from shared.contracts import Topic
from shared.messaging.codec import Record, safe, too_deep
from shared.messaging.dead_letters import original_headers

WITHHELD = "withheld: personal (--personal shows it)"


@dataclass(frozen=True, slots=True)
class Death:
    """Why a record is a dead letter, and where it came from."""

    id: str
    service: str
    reason: str
    detail: str
    topic: str
    partition: str
    offset: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as an event. Attributes that it does not have are empty."""

    topic: Topic
    partition: int
    offset: int
    at: datetime
    """Kafka's timestamp."""
    id: str = ""
    source: str = ""
    type: str = ""
    subject: str = ""
    sequence: str = ""
    tenant: str = ""
    time: str = ""
    correlation: str = ""
    """The event's own id when it names no other, as services have it."""
    causation: str = ""
    problem: str = ""
    """Why it is no event."""
    death: Death | None = None
    data: Any = None

    @property
    def service(self) -> str:
        """Who says it: one of our services by its name, anybody else by their source."""
        return self.source.removeprefix("urn:mentoring:")

    def document(self, *, data: bool = False, personal: bool = False) -> dict[str, Any]:
        """For programs. ``data`` of a personal topic only with *personal*."""
        document: dict[str, Any] = {
            "topic": self.topic.name,
            "partition": self.partition,
            "offset": self.offset,
            "kafka_time": moment(self.at),
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "sequence": self.sequence,
            "tenant": self.tenant,
            "time": self.time,
            "correlation": self.correlation,
            "causation": self.causation or None,
        }
        if self.problem:
            document["problem"] = self.problem
        if self.death:
            document["dead_letter"] = {
                "id": self.death.id,
                "service": self.death.service,
                "reason": self.death.reason,
            }
        if data:
            document["data"] = WITHHELD if self.topic.personal and not personal else self.data
        return document


class _WithHeaders(Protocol):
    @property
    def headers(self) -> Sequence[tuple[str, Any]]: ...


def see(topic: Topic, record: Record) -> Seen:
    """The record as an event, or with the problem that keeps it from being one."""
    death = _death(topic, record)
    headers = text_headers(kept_headers(record) if death else record.headers)
    value: bytes | None = record.value
    attributes: dict[str, Any] = {n[3:]: text for n, text in headers.items() if n.startswith("ce_")}
    problem, data = "", None
    if value is not None and (
        "id" not in attributes or "cloudevents+json" in headers.get("content-type", "")
    ):
        document, problem = _parse(value)
        if isinstance(document, dict):
            attributes |= {name: item for name, item in document.items() if name != "data"}
            data = document.get("data")
        elif not problem:
            problem = "not a JSON object"
    elif value is not None:
        data, problem = _parse(value)
    if not problem and not attributes.get("id"):
        problem = "no CloudEvent: it has no id"
    return Seen(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        at=datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC),
        id=_plain(attributes.get("id")),
        source=_plain(attributes.get("source")),
        type=_plain(attributes.get("type")),
        subject=_plain(attributes.get("subject")),
        sequence=_plain(attributes.get("sequence")),
        tenant=_plain(attributes.get("tenant")),
        time=_plain(attributes.get("time")),
        correlation=_plain(attributes.get("correlationid") or attributes.get("id")),
        causation=_plain(attributes.get("causationid")),
        problem=problem,
        death=death,
        data=data,
    )


def text_headers(headers: Sequence[tuple[str, Any]]) -> dict[str, str]:
    """The headers that are text, by lower-case name."""
    texts: dict[str, str] = {}
    for name, value in headers:
        try:
            texts.setdefault(name.lower(), bytes(value).decode())
        except (TypeError, UnicodeDecodeError):
            continue
    return texts


def kept_headers(record: _WithHeaders) -> Sequence[tuple[str, Any]]:
    """The headers that a dead letter's record had where it came from."""
    try:
        return original_headers(text_headers(record.headers).get("dl_headers", "null"))
    except ValueError:
        return []


def _death(topic: Topic, record: _WithHeaders) -> Death | None:
    if not topic.name.startswith("dlt."):
        return None
    headers = text_headers(record.headers)
    names = ("id", "reason", "detail", "topic", "partition", "offset")
    values: Mapping[str, str] = {name: headers.get(f"dl_{name}", "") for name in names}
    return Death(service=topic.owner, **values)


def _plain(value: Any) -> str:
    if value is None or isinstance(value, dict | list | bool):
        return ""
    text = str(value)
    return text if text[:4].isdigit() and _is_moment(text) else safe(text) if text else ""


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _parse(value: bytes) -> tuple[Any, str]:
    if too_deep(value):
        return None, "nested too deep"
    try:
        return json.loads(value.decode()), ""
    except UnicodeDecodeError:
        return None, "not UTF-8"
    except ValueError:
        return None, "not JSON"
