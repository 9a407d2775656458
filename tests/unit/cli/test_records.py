"""From records, good and bad, to what the command shows of them."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.cli.records import WITHHELD, see
from shared.cli.tail import line
from shared.contracts import TOPIC
from shared.messaging.codec import safe

STRUCTURED = ("content-type", b"application/cloudevents+json; charset=utf-8")
AT = 1_772_442_000_123


@dataclass
class Record:
    value: Any
    headers: list[tuple[str, Any]] = field(default_factory=lambda: [STRUCTURED])
    key: Any = b"k"
    topic: str = "t"
    partition: int = 3
    offset: int = 9
    timestamp: int = AT


def event(**changes: Any) -> bytes:
    document = {
        "specversion": "1.0",
        "id": "e1",
        "source": "urn:mentoring:profiles",
        "type": "mentoring.programme.changed.v1",
        "subject": "leadership",
        "time": "2026-03-02T09:00:00+00:00",
        "sequence": "7",
        "tenant": "acme",
        "data": {"programme_id": "leadership", "name": "Leadership"},
    }
    return json.dumps(document | changes).encode()


def test_a_structured_event() -> None:
    seen = see(TOPIC["programme"], Record(event(correlationid="c1", causationid="e0")))
    assert (seen.id, seen.type, seen.subject, seen.sequence) == (
        "e1",
        "mentoring.programme.changed.v1",
        "leadership",
        "7",
    )
    assert (seen.tenant, seen.service, seen.correlation, seen.causation) == ("acme", "profiles", "c1", "e0")
    assert seen.at == datetime.fromtimestamp(AT / 1000, UTC)
    assert seen.problem == ""
    assert seen.data == {"programme_id": "leadership", "name": "Leadership"}
    assert seen.time == "2026-03-02T09:00:00+00:00"


def test_an_event_without_correlation_begins_one() -> None:
    assert see(TOPIC["programme"], Record(event())).correlation == "e1"


def test_a_binary_event_and_a_tombstone_are_read_from_their_headers() -> None:
    headers: list[tuple[str, Any]] = [
        (f"ce_{name}", text.encode())
        for name, text in {"id": "e2", "source": "urn:x", "type": "t.v1", "sequence": "8"}.items()
    ]
    binary = see(TOPIC["programme"], Record(b'{"a": 1}', headers))
    assert (binary.id, binary.sequence, binary.data, binary.problem) == ("e2", "8", {"a": 1}, "")
    tombstone = see(TOPIC["person"], Record(None, headers))
    assert (tombstone.id, tombstone.data, tombstone.problem) == ("e2", None, "")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"a": 1}', "no CloudEvent: it has no id"),
        (b"[" * 100_000, "nested too deep"),
        (None, "no CloudEvent: it has no id"),
    ],
)
def test_what_is_no_event_says_why(value: bytes | None, said: str) -> None:
    seen = see(TOPIC["programme"], Record(value))
    assert seen.problem == said
    assert said in line(seen)
    assert "programme 3@9" in line(seen)


def test_attributes_of_strange_types_do_no_harm() -> None:
    seen = see(TOPIC["programme"], Record(event(id=7, subject=["x"], tenant={"a": 1}, sequence=None)))
    assert (seen.id, seen.subject, seen.tenant, seen.sequence) == ("7", "", "", "")


def test_foreign_ids_that_may_be_personal_are_hashed_as_services_do() -> None:
    seen = see(TOPIC["hr-intake"], Record(event(id="ada@acme.example", subject="Ada Lovelace")))
    assert seen.id == seen.correlation == safe("ada@acme.example")
    assert "ada@" not in line(seen) + json.dumps(seen.document(data=True))
    assert "Lovelace" not in line(seen) + json.dumps(seen.document(data=True))


def test_personal_data_need_two_words() -> None:
    personal = see(TOPIC["person"], Record(event(data={"email": "ada@acme.example"})))
    assert personal.document(data=True)["data"] == WITHHELD
    assert personal.document(data=True, personal=True)["data"] == {"email": "ada@acme.example"}
    assert "data" not in personal.document()
    plain = see(TOPIC["programme"], Record(event(data={"name": "x"})))
    assert plain.document(data=True)["data"] == {"name": "x"}


def test_a_dead_letter_is_read_as_what_it_was() -> None:
    kept = [[STRUCTURED[0], base64.b64encode(STRUCTURED[1]).decode()]]
    headers = {
        "dl_id": "d1",
        "dl_reason": "refused",
        "dl_topic": "programme",
        "dl_headers": json.dumps(kept),
    }
    record = Record(event(correlationid="c1"), [(name, text.encode()) for name, text in headers.items()])
    seen = see(TOPIC["dlt.feedback"], record)
    assert (seen.id, seen.correlation) == ("e1", "c1")
    assert seen.death is not None
    assert (seen.death.service, seen.death.id, seen.death.reason) == ("feedback", "d1", "refused")
    assert "dead letter (refused): mentoring.programme.changed.v1" in line(seen)
    assert seen.document(data=True)["data"] == WITHHELD


def test_a_dead_letter_with_broken_headers_is_still_shown() -> None:
    record = Record(b"{", [("dl_id", b"d1"), ("dl_headers", b"what"), ("x", None), ("y", b"\xff")])
    seen = see(TOPIC["dlt.feedback"], record)
    assert seen.death is not None
    assert seen.problem == "not JSON"
