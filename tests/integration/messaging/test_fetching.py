"""How long the broker holds a fetch: long while nothing comes, short while records do."""

from typing import Any

import pytest
from aiokafka.consumer import fetcher

from shared.messaging import consumer
from shared.messaging.kafka import make_broker
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Of every fetch that aiokafka asks for: how long it may wait (milliseconds), and for how many bytes."""
    asked: list[tuple[int, int]] = []
    original = fetcher.FetchRequest

    def watched(max_wait_ms: int, min_bytes: int, *others: Any, **more: Any) -> Any:
        asked.append((max_wait_ms, min_bytes))
        return original(max_wait_ms, min_bytes, *others, **more)

    monkeypatch.setattr(fetcher, "FetchRequest", watched)
    return asked


async def test_the_wait_follows_the_traffic(
    toy: Toy, publisher: Publisher, waits: list[tuple[int, int]]
) -> None:
    await toy.broker.start()

    async def idle() -> bool:
        return bool(waits) and waits[-1] == (consumer._IDLE_FETCH_MS, consumer._IDLE_FETCH_BYTES)

    await eventually(idle, seconds=60, what="a long fetch")
    before = len(waits)
    await publisher.send(programme_event("e1", "a"))

    async def busy() -> bool:
        return (consumer._BUSY_FETCH_MS, consumer._BUSY_FETCH_BYTES) in waits[before:]

    await eventually(busy, seconds=60, every=0.005, what="a short fetch")

    async def heard() -> bool:
        return "a" in await toy.things()

    await eventually(heard, what="the effect")
    await eventually(idle, seconds=60, what="a long fetch again")


async def test_a_topic_for_which_nobody_waits_gathers_for_longer(
    toy: Toy, publisher: Publisher, waits: list[tuple[int, int]]
) -> None:
    broker = make_broker(toy.settings, "unhurried")
    consumer.TopicConsumer(toy.settings, broker, toy.processor, toy.metrics, unhurried=True)
    await broker.start()
    try:

        async def idle() -> bool:
            return bool(waits) and waits[-1] == (consumer._IDLE_FETCH_MS, consumer._IDLE_FETCH_BYTES)

        await eventually(idle, seconds=60, what="a long fetch")
        before = len(waits)
        await publisher.send(programme_event("e1", "a"))

        async def gathering() -> bool:
            return (consumer._UNHURRIED_FETCH_MS, consumer._BUSY_FETCH_BYTES) in waits[before:]

        await eventually(gathering, seconds=60, every=0.005, what="a fetch that gathers")

        async def heard() -> bool:
            return "a" in await toy.things()

        await eventually(heard, what="the effect")
        assert (consumer._BUSY_FETCH_MS, consumer._BUSY_FETCH_BYTES) not in waits[before:]
    finally:
        await broker.stop()
