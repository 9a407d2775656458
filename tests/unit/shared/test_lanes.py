"""Lanes by themselves, and what a consumer does with batches that overlap."""

import asyncio
import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from shared.messaging.consumer import TopicConsumer
from shared.messaging.kafka import make_broker
from shared.messaging.lanes import LANES, Decoded, Lanes
from shared.messaging.metrics import Metrics
from shared.runtime.settings import Settings
from tests.support.waiting import eventually


def records(first: int, number: int, keys: int = 20) -> list[Any]:
    return [
        SimpleNamespace(topic="person", partition=0, offset=n, key=f"k{n % keys}".encode())
        for n in range(first, first + number)
    ]


async def decode(part: Sequence[Any]) -> Decoded:
    await asyncio.sleep(0)
    return {"tenant": list(part)}


async def test_each_key_in_order_however_long_a_part_takes() -> None:
    choice, seen, open_now, most_open = random.Random(1), dict[bytes, list[int]](), 0, 0

    async def settle(decoded: Decoded) -> None:
        nonlocal open_now, most_open
        open_now += 1
        most_open = max(most_open, open_now)
        for _ in range(choice.randrange(8)):
            await asyncio.sleep(0)
        for record in cast(list[Any], decoded["tenant"]):
            seen.setdefault(record.key, []).append(record.offset)
        open_now -= 1

    lanes = Lanes(decode, settle)
    await asyncio.gather(*(lanes.hand_over(records(first, 100), 7) for first in range(0, 1000, 100)))
    assert sorted(n for offsets in seen.values() for n in offsets) == list(range(1000))
    assert all(offsets == sorted(offsets) for offsets in seen.values())
    assert most_open == LANES


async def test_a_part_is_at_most_so_large_and_parts_are_alike() -> None:
    sizes: list[int] = []

    async def settle(decoded: Decoded) -> None:
        sizes.append(len(decoded["tenant"]))

    await Lanes(decode, settle).hand_over(records(0, 22, keys=1), 10)
    assert sizes == [7, 7, 8]


async def test_who_waits_hears_of_a_defect_and_the_other_lanes_go_on() -> None:
    done: list[bytes] = []

    def lane(number: int) -> int:
        return hash(f"k{number}".encode()) % LANES

    async def settle(decoded: Decoded) -> None:
        for record in cast(list[Any], decoded["tenant"]):
            if record.key == b"k3":
                raise ZeroDivisionError
            done.append(record.key)

    lanes = Lanes(decode, settle)
    first, second = lanes.hand_over(records(0, 40), 5), lanes.hand_over(records(40, 40), 5)
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in outcomes] == [ZeroDivisionError, ZeroDivisionError]

    others = {f"k{n}".encode() for n in range(20)} - {
        f"k{n}".encode() for n in range(20) if lane(n) == lane(3)
    }

    async def others_done() -> bool:
        return sum(key in others for key in done) == 4 * len(others)

    await eventually(others_done, what="the other lanes")


async def test_cancelled_lanes_end_and_cancel_who_waits() -> None:
    begun, ended = asyncio.Event(), 0

    async def settle(decoded: Decoded) -> None:
        nonlocal ended
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    lanes = Lanes(decode, settle)
    done = lanes.hand_over(records(0, 100), 5)
    await begun.wait()
    lanes.cancel()
    with pytest.raises(asyncio.CancelledError):
        await done

    async def all_ended() -> bool:
        return ended == LANES

    await eventually(all_ended, what="the end of each lane")


class Handed:
    """A processor whose batches are done when the test says so."""

    topic, service, most, waiting_for = "person", "matching", 500, None

    def __init__(self) -> None:
        self.batches: list[asyncio.Future[None]] = []

    def is_large(self, batch: Sequence[Any]) -> bool:
        return len(batch) > 1

    def hand_over(self, batch: Sequence[Any]) -> asyncio.Future[None]:
        self.batches.append(asyncio.get_running_loop().create_future())
        return self.batches[-1]

    async def process(self, batch: Sequence[Any]) -> None:
        self.batches.append(asyncio.get_running_loop().create_future())
        await self.batches[-1]


class Committed:
    def __init__(self) -> None:
        self.offsets: list[int] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.offsets += offsets.values()


@pytest.fixture
async def consumer() -> TopicConsumer:
    settings = Settings.model_construct(
        kafka_bootstrap_servers="127.0.0.1:1", kafka_topic_prefix="", kafka_group_prefix="", replica="r0"
    )
    made = TopicConsumer(settings, make_broker(settings, "test"), cast(Any, Handed()), Metrics("matching"))
    cast(Any, made)._subscriber = SimpleNamespace(
        consumer=Committed(), tasks=[asyncio.get_running_loop().create_future()], refused=None
    )
    return made


def parts_of(consumer: TopicConsumer) -> tuple[list[asyncio.Future[None]], list[int]]:
    made = cast(Any, consumer)
    return made.processor.batches, made._subscriber.consumer.offsets


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_next_large_batch_is_begun_and_offsets_are_committed_in_order(
    consumer: TopicConsumer,
) -> None:
    batches, committed = parts_of(consumer)
    await consumer._consume(records(0, 10))  # returns: the next may be taken
    second = asyncio.create_task(consumer._consume(records(10, 10)))
    await turns()
    assert len(batches) == 2
    assert not second.done(), "a third batch would be taken"
    batches[1].set_result(None)
    await turns()
    assert committed == [], "the second batch was committed before the first"
    batches[0].set_result(None)
    await second
    await consumer.drain()
    assert committed == [10, 20]


async def test_a_small_batch_waits_for_the_large_ones(consumer: TopicConsumer) -> None:
    batches, committed = parts_of(consumer)
    await consumer._consume(records(0, 10))
    small = asyncio.create_task(consumer._consume(records(10, 1)))
    await turns()
    assert len(batches) == 1
    batches[0].set_result(None)
    await turns()
    batches[1].set_result(None)
    await small
    assert committed == [10, 11]


async def test_a_rebalance_waits_for_all_that_is_in_flight(consumer: TopicConsumer) -> None:
    batches, committed = parts_of(consumer)
    await consumer._consume(records(0, 10))
    assert consumer.busy
    rest = asyncio.create_task(consumer._at_rest())
    await turns()
    assert not rest.done()
    batches[0].set_result(None)
    await rest
    assert committed == [10]


async def test_nothing_behind_a_batch_without_outcome_is_committed(consumer: TopicConsumer) -> None:
    batches, committed = parts_of(consumer)
    assert consumer.alive
    await consumer._consume(records(0, 10))
    second = asyncio.create_task(consumer._consume(records(10, 10)))
    await turns()
    batches[0].set_exception(ZeroDivisionError())
    batches[1].set_result(None)
    await second
    await consumer.drain()
    await consumer._consume(records(20, 10))
    assert (committed, len(batches), consumer.alive) == ([], 2, False)
