"""One dead letter's record, read back from ``dlt.<service>``: for ``mentoring dlq show``."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord

from shared.cli.kafka import Reader
from shared.cli.output import moment
from shared.cli.records import Seen, kept_headers, see, text_headers
from shared.contracts import TOPIC, Topic, dead_letter_topic
from shared.messaging.codec import safe
from shared.runtime.settings import KafkaSettings

_OURS = ("content-type", "traceparent")


async def find_record(
    settings: KafkaSettings, services: Sequence[str], identity: str
) -> tuple[Topic, ConsumerRecord] | None:
    """The record of a dead letter; the last one when the same record has died several times."""
    found = None
    async with Reader(settings, [TOPIC[dead_letter_topic(service)] for service in services]) as reader:
        await reader.at_start()
        async for topic, record in reader.present():
            if text_headers(record.headers).get("dl_id") == identity:
                found = topic, record
    return found


def describe(topic: Topic, record: ConsumerRecord, *, personal: bool) -> dict[str, Any]:
    """Ids, reason and headers; key, foreign headers and content as they came only with *personal*."""
    event = see(topic, record)
    headers = text_headers(record.headers)
    key = base64.b64decode(headers.get("dl_key", ""))
    document: dict[str, Any] = {
        "service": topic.owner,
        "id": headers.get("dl_id"),
        "reason": headers.get("dl_reason"),
        "detail": headers.get("dl_detail"),
        "attempts": int(headers.get("dl_attempts", "0")),
        "group": headers.get("dl_group"),
        "died_at": moment(event.at),
        "from": {
            "topic": headers.get("dl_topic"),
            "partition": int(headers.get("dl_partition", "-1")),
            "offset": int(headers.get("dl_offset", "-1")),
            "kafka_time": _kafka_time(headers.get("dl_timestamp", "")),
        },
        "event": _event(event),
        "key": key.decode(errors="replace")
        if personal
        else safe(key.decode(errors="replace"))
        if key
        else None,
        "headers": _headers(record, personal=personal),
        "bytes": 0 if record.value is None else len(record.value),
    }
    if personal:
        document["content"] = None if record.value is None else record.value.decode(errors="replace")
    return document


def _event(event: Seen) -> dict[str, Any]:
    names = ("id", "source", "type", "subject", "sequence", "tenant", "time", "correlation", "causation")
    document = {name: getattr(event, name) or None for name in names}
    return document | ({"problem": event.problem} if event.problem else {})


def _headers(record: ConsumerRecord, *, personal: bool) -> dict[str, str | None]:
    """The original headers. Of headers that are not ours the value may be anything, so it is not shown."""
    shown: dict[str, str | None] = {}
    for name, value in kept_headers(record):
        text = None if value is None else bytes(value).decode(errors="replace")
        if personal or text is None or name in _OURS:
            shown[name] = text
        else:
            shown[name] = safe(text) if name.startswith("ce_") else f"({len(text)} characters)"
    return shown


def _kafka_time(text: str) -> str | None:
    return moment(datetime.fromtimestamp(int(text) / 1000, UTC)) if text.isdigit() else None
