"""Checking events and sending them, for ``mentoring events validate`` and ``publish``."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from shared.cli.kafka import send
from shared.cli.output import fail, say
from shared.contracts import EVENTS
from shared.contracts.envelope import CONTENT_TYPE, validate_event
from shared.runtime.settings import KafkaSettings

_HEADERS = [("content-type", CONTENT_TYPE.encode())]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The bytes of what may be an event, and where they are from."""

    name: str
    raw: bytes
    problems: Sequence[str] = ()


def read_events(file: str) -> list[Candidate]:
    """The events in a file, or on standard input (``-``)."""
    name = "standard input" if file == "-" else file
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"{name} cannot be read: {error.strerror}.", 2)
    if not file.endswith(".jsonl"):
        return [Candidate(name, raw)]
    lines = enumerate(raw.splitlines(), 1)
    return [Candidate(f"{name}:{number}", line) for number, line in lines if line.strip()]


def validated(events: Iterable[Candidate]) -> list[Candidate]:
    """The same events with what is wrong with each."""
    return [replace(event, problems=validate_event(event.raw)) for event in events]


async def publish_events(
    settings: KafkaSettings, events: Sequence[Candidate], topic: str | None
) -> list[dict[str, Any]]:
    """Send events in their order; says of each where it is. *topic* is for those whose type names none."""
    planned = [(_topic(attributes, topic), attributes) for attributes in map(_attributes, events)]
    records = [
        (name, _text(attributes.get("subject")), event.raw)
        for (name, attributes), event in zip(planned, events, strict=True)
    ]
    published: list[dict[str, Any]] = []
    try:
        async for partition, offset in send(settings, records, _HEADERS):
            name, attributes = planned[len(published)]
            event = {"id": attributes.get("id"), "type": attributes.get("type"), "topic": name}
            published.append({**event, "partition": partition, "offset": offset})
    except KafkaError:
        if published:
            say(f"{len(published)} of {len(events)} events had been published before.")
        raise
    return published


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _attributes(event: Candidate) -> dict[str, Any]:
    try:
        document = json.loads(event.raw)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _topic(attributes: dict[str, Any], given: str | None) -> str:
    if given is not None:
        return given
    name = attributes.get("type")
    event = EVENTS.get(name) if isinstance(name, str) else None
    return event.TOPIC if event else fail("Its type names no topic: say where to with --topic.", 2)
