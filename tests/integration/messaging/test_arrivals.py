"""The reader of the bench gets what comes from now on: what is there already would be measured as if it came now."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher

from tests.bench.arrivals import from_now_on
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy


async def test_what_is_there_already_is_not_read(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, start, asked = Fetcher._proc_offset_request, AIOKafkaConsumer.start, asyncio.Event()

    async def slow(self: Fetcher, *what: Any) -> Any:
        asked.set()
        found = await ask(self, *what)
        await asyncio.sleep(0.5)  # the answer is under way for so long
        return found

    async def started(self: AIOKafkaConsumer) -> None:
        await start(self)
        async with asyncio.timeout(30):
            await asked.wait()  # its first reset is under way

    for number in range(20):
        await publisher.send(programme_event(f"old-{number}", "a"))
    monkeypatch.setattr(Fetcher, "_proc_offset_request", slow)
    monkeypatch.setattr(AIOKafkaConsumer, "start", started)
    async with from_now_on(toy.settings, "programme") as reader:
        await publisher.send(programme_event("new", "a"))
        found = [
            record for records in (await reader.getmany(timeout_ms=30_000)).values() for record in records
        ]
    assert [b"new" in record.value for record in found] == [True]
