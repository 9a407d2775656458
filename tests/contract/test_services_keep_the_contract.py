"""What services write is what the documents promise, and what the documents show is what they accept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts import EVENTS, TOPIC
from shared.contracts.envelope import CONTENT_TYPE, HEADER_ROOM, MAX_DEPTH, TOMBSTONE, validate_event
from shared.contracts.publish import read_samples
from shared.contracts.published.asyncapi import asyncapi
from shared.messaging import codec, dead_letters
from shared.messaging.codec import Decoder, Item
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers
from shared.messaging.headers import Reason
from shared.persistence.outbox import OutboxRecord, Said, encode_said
from shared.persistence.uow import Cause, Uow
from tests.contract.golden import DOCS, SAMPLES, objections, sample

DOCUMENT = asyncapi(read_samples())
SAID = [name for name, event in EVENTS.items() if not TOPIC[event.TOPIC].intake]
CAUSE = Cause("workday-1", "workday-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def written(name: str, **data: Any) -> OutboxRecord:
    event = EVENTS[name].model_validate({**sample(name)["data"], **data})
    time = datetime(2026, 3, 31, 17, 0, 0, 250_000, tzinfo=UTC)
    return encode_said(TOPIC[event.TOPIC].owner, "acme", Said(event, 3, CAUSE, time))


@pytest.mark.parametrize("name", [name for name in SAID if name != TOMBSTONE])
def test_a_said_event_is_a_good_event(name: str) -> None:
    record = written(name)
    assert record.payload is not None
    assert validate_event(record.payload) == []
    event = json.loads(record.payload)
    assert (record.topic, record.key, record.event_id) == (EVENTS[name].TOPIC, event["subject"], event["id"])
    assert event["data"].keys() == EVENTS[name].model_fields.keys()


@pytest.mark.parametrize("name", SAID)
def test_its_headers_are_the_documented_ones_and_agree(name: str) -> None:
    record = written(name)
    headers = dict(record.headers)
    reference = DOCUMENT["components"]["messages"][name]["headers"]["$ref"]
    assert objections({**DOCUMENT, "$ref": reference}, headers) == []
    assert (
        headers.keys() <= DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"].keys()
    )
    if record.payload is None:
        return
    assert headers["content-type"] == CONTENT_TYPE
    event = json.loads(record.payload)
    for header, value in headers.items():
        if header == "ce_time":
            assert datetime.fromisoformat(value) == datetime.fromisoformat(event["time"])
        elif header != "content-type":
            assert event[header.removeprefix("ce_")] == value


def test_an_erasure_has_no_value_and_its_headers_are_the_envelope() -> None:
    record = written(TOMBSTONE)
    assert record.payload is None
    assert record.headers["ce_type"] == TOMBSTONE
    assert record.headers["ce_subject"] == record.key


def test_the_largest_person_fits_into_a_record() -> None:
    widest = "\x01" * 200  # six bytes each in JSON
    skills = {f"{number:03}{widest[3:]}": 5 for number in range(50)}
    lists = {"skills_offered": skills, "skills_wanted": skills, "interests": [widest] * 50}
    record = written("mentoring.person.changed.v1", goals="\x01" * 4000, **lists)
    assert record.payload is not None
    assert len(record.payload) < TOPIC["person"].max_bytes - HEADER_ROOM


@dataclass
class Received:
    """The part of a Kafka record that decoding needs."""

    topic: str
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    key: bytes = b""
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


def decoded(topic: str, value: bytes | None, headers: Mapping[str, str]) -> Item:
    handlers = Handlers()
    for event in EVENTS.values():
        handlers.on(event)(_accept)
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return Decoder(topic, handlers).decode(Received(topic, value, pairs))


async def _accept(event: Event[Any], uow: Uow) -> None:
    return None


@pytest.mark.parametrize("name", [name for name in EVENTS if name != TOMBSTONE])
def test_services_accept_a_sample_in_both_modes(name: str) -> None:
    event = sample(name)
    data = json.dumps(event.pop("data")).encode()
    binary = {f"ce_{attribute}": text for attribute, text in event.items() if attribute != "datacontenttype"}
    whole = (SAMPLES / f"{name}.json").read_bytes()
    for item in (
        decoded(EVENTS[name].TOPIC, whole, {"content-type": CONTENT_TYPE}),
        decoded(EVENTS[name].TOPIC, data, {"content-type": "application/json", **binary}),
    ):
        assert (item.verdict, item.detail) == (None, "")
        assert item.event is not None
        assert item.event.data == EVENTS[name].model_validate_json(data)


@pytest.mark.parametrize("name", SAID)
def test_services_accept_what_services_say(name: str) -> None:
    record = written(name)
    item = decoded(record.topic, record.payload, record.headers)
    assert (item.verdict, item.detail) == (None, "")
    assert item.event is not None
    assert (item.event.id, item.event.sequence) == (record.event_id, record.sequence)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_dead_letter_is_documented(reason: Reason) -> None:
    assert f"dead letter, `{reason}`" in (DOCS / "README.md").read_text("utf-8")


def test_the_limits_are_the_documented_ones() -> None:
    assert codec.MAX_DEPTH == MAX_DEPTH


def test_the_headers_of_a_dead_letter_are_the_documented_ones() -> None:
    item = decoded("hr-intake", b"{", {})
    letter = dead_letters._letter("profiles", "profiles.hr-intake", item)
    schema = DOCUMENT["components"]["schemas"]["DeadLetterHeaders"]
    assert letter.headers.keys() == schema["properties"].keys()
    assert (letter.payload, letter.key) == (b"{", letter.headers["dl_id"])
