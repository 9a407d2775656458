"""The programs in the documents run, and what they send is a good event."""

import asyncio
import json
import runpy
from typing import Any, Self

import pytest

from shared.contracts import EVENTS, TOPIC
from shared.contracts.envelope import CONTENT_TYPE, validate_event
from tests.contract.golden import DOCS, SAMPLES, sample


class Record:
    def __init__(self, value: bytes) -> None:
        self.value = value


class Client:
    """Stands for aiokafka's producer and consumer."""

    def __init__(self, *topics: str, **settings: Any) -> None:
        self.topics, self.settings = topics, settings
        self.sent: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = []
        self.records: list[Record] = []
        self.commits = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send_and_wait(
        self, topic: str, value: bytes, key: bytes, *, headers: list[tuple[str, bytes]]
    ) -> None:
        self.sent.append((topic, value, key, headers))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Record:
        if not self.records:
            raise StopAsyncIteration
        return self.records.pop(0)

    async def commit(self) -> None:
        self.commits += 1


def run(monkeypatch: pytest.MonkeyPatch, kind: str, program: str, entry: str, *values: bytes) -> Client:
    made: list[Client] = []

    def make(*topics: str, **settings: Any) -> Client:
        made.append(Client(*topics, **settings))
        made[-1].records = [Record(value) for value in values]
        return made[-1]

    monkeypatch.setattr(f"aiokafka.{kind}", make)
    asyncio.run(runpy.run_path(str(DOCS / program))[entry]("localhost:9092"))
    [client] = made
    return client


def test_the_publisher_sends_a_good_hr_event(monkeypatch: pytest.MonkeyPatch) -> None:
    client = run(monkeypatch, "AIOKafkaProducer", "publish_hr_event.py", "publish")
    [(topic, value, key, headers)] = client.sent
    event = json.loads(value)
    assert validate_event(value) == []
    assert topic == "mentoring." + TOPIC[EVENTS[event["type"]].TOPIC].name == "mentoring.hr-intake"
    assert key == event["subject"].encode()
    assert headers == [("content-type", CONTENT_TYPE.encode())]
    assert client.settings["enable_idempotence"]


def test_the_reader_applies_each_version_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started, ended = (
        (SAMPLES / f"mentoring.relationship.{what}.v1.json").read_bytes() for what in ("started", "ended")
    )
    client = run(monkeypatch, "AIOKafkaConsumer", "read_events.py", "read", started, ended, ended, started)
    assert client.topics == ("mentoring." + EVENTS["mentoring.relationship.ended.v1"].TOPIC,)
    assert client.commits == 4
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        sample(f"mentoring.relationship.{what}.v1")["type"] for what in ("started", "ended")
    ]
