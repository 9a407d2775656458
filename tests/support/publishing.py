"""Publishing events, good and bad, as somebody else's system would."""

import json
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer

TIME = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).isoformat()
STRUCTURED = ("content-type", b"application/cloudevents+json")


def programme_event(
    identity: str, programme: str, *, sequence: int = 1, name: str = "Plain", **changes: Any
) -> dict[str, Any]:
    """A ProgrammeChanged event as a dictionary; *changes* replace attributes."""
    return {
        "specversion": "1.0",
        "id": identity,
        "source": "urn:test",
        "type": "mentoring.programme.changed.v1",
        "subject": programme,
        "time": TIME,
        "datacontenttype": "application/json",
        "sequence": str(sequence),
        "tenant": "acme",
        "correlationid": f"c-{identity}",
        "data": {"programme_id": programme, "name": name},
    } | changes


class Publisher:
    """Sends records to one partition, so that order and neighbourhood are known."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str) -> None:
        self._producer, self._prefix = producer, prefix

    async def send(
        self,
        value: bytes | dict[str, Any] | None,
        *,
        key: str = "k",
        headers: list[tuple[str, Any]] | None = None,
        topic: str = "programme",
        partition: int = 0,
    ) -> int:
        """Send one record and return its offset."""
        body = json.dumps(value).encode() if isinstance(value, dict) else value
        metadata = await self._producer.send_and_wait(
            self._prefix + topic,
            body,
            key=key.encode(),
            partition=partition,
            headers=[STRUCTURED] if headers is None else headers,
        )
        return int(metadata.offset)
