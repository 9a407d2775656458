"""T6, T7, T17, T18: consume tasks that die, are stopped, wait, or are blocked for too long."""

import asyncio
import gc
import os
import signal
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from faststream import AckPolicy
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.messaging import consumer as consumer_module
from shared.messaging.kafka import LagReader, group_name, topic_name
from tests.integration.messaging.test_bad_input import effects_of
from tests.integration.traps.library import Library
from tests.integration.traps.process import running, started
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually


async def test_t06_ping_stays_true_without_a_consumer(library: Library) -> None:
    broker = library.broker()

    @library.hears(broker)
    async def handle(body: bytes) -> None:
        return

    await broker.start()
    subscriber: Any = broker.subscribers[0]
    subscriber.tasks[0].cancel()
    await asyncio.wait(subscriber.tasks)
    assert await broker.ping(10)


async def test_t06_a_dead_consume_task_is_seen(toy: Toy) -> None:
    assert not toy.consumer.alive
    await toy.broker.start()
    assert toy.consumer.alive
    (task,) = toy.consumer._subscriber.tasks
    task.cancel()
    await asyncio.wait([task])
    assert not toy.consumer.alive


async def test_t06_a_consume_task_that_was_started_again_is_alive(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await toy.broker.start()
    subscriber = toy.consumer._subscriber
    consumer: Any = subscriber.consumer
    getmany, failed = consumer.getmany, asyncio.Event()

    async def fails_once(**options: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError
        return await getmany(**options)

    monkeypatch.setattr(consumer, "getmany", fails_once)
    await publisher.send(programme_event("e", "a"))  # ends the poll that is under way
    await publisher.send(programme_event("f", "b"))
    await effects_of(toy, "a", "b")
    async with asyncio.timeout(20):
        await failed.wait()
    assert any(task.done() for task in subscriber.tasks)
    await publisher.send(programme_event("g", "c"))
    await effects_of(toy, "c")
    assert toy.consumer.alive


class Handler:
    """A handler that the test holds up."""

    def __init__(self) -> None:
        self.inside, self.may_go = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    async def __call__(self, *_: Any) -> None:
        self.inside.set()
        try:
            await self.may_go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def entered(self) -> None:
        async with asyncio.timeout(20):
            await self.inside.wait()


@pytest.mark.parametrize("within", [True, False], ids=["within", "past"])
async def test_t07_a_stop_in_mid_handler(library: Library, within: bool) -> None:
    held, broker = Handler(), library.broker(graceful_timeout=20 if within else 0.2)

    @library.hears(broker, ack_policy=AckPolicy.NACK_ON_ERROR)
    async def handle(body: bytes) -> None:
        await held()

    await library.send(b"x")
    await broker.start()
    await held.entered()
    stopping = asyncio.create_task(broker.stop())
    if within:
        held.may_go.set()
    await stopping

    async def ended() -> bool:
        return held.cancelled != within

    await eventually(ended, what="the handler's end")
    assert await library.committed() == (1 if within else None)


def held_up(toy: Toy, held: Handler) -> None:
    """Let the toy's handler wait for *held* before it does its work."""
    handling = toy.handlers.events["mentoring.programme.changed.v1"]
    real = handling.handle

    async def handle(event: Any, uow: Any) -> Any:
        await held()
        return await real(event, uow)

    object.__setattr__(handling, "handle", handle)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("within", [True, False], ids=["within", "past"])
async def test_t07_sigterm_in_mid_handler(toy: Toy, publisher: Publisher, within: bool) -> None:
    held = Handler()
    held_up(toy, held)
    async with running(toy, seconds=20 if within else 1) as process:
        await started(process)
        await publisher.send(programme_event("e", "a"))
        await held.entered()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.stopping.wait()
        if within:
            held.may_go.set()
    assert held.cancelled != within
    group = (group_name(toy.settings, toy.name, "programme"), topic_name(toy.settings, "programme"))
    async with LagReader(toy.settings) as reader:
        assert await reader.behind([group]) == {group: 0 if within else 1}
    assert set(await toy.things()) == ({"a"} if within else set())
    gc.collect()  # the cut-off handler's connection, which the end of a process would close


async def test_t17_the_library_sleeps_when_there_is_nothing(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = library.broker()

    @library.hears(broker, batch=True)
    async def handle(bodies: list[Any]) -> None:
        return

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    class Nothing:
        async def getmany(self, **_: Any) -> dict[Any, Any]:
            return {}

    monkeypatch.setattr("faststream.kafka.subscriber.usecase.anyio.sleep", sleep)
    subscriber = broker.subscribers[0]
    assert isinstance(subscriber, BatchSubscriber)
    nothing: Any = Nothing()
    assert await subscriber.get_msg(nothing) == ()
    assert slept == [0.2]


async def test_t17_a_record_ends_the_wait_for_it(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wait of an hour, and never more than one wait for each record: arrival ends it, not time."""
    monkeypatch.setattr(consumer_module, "_WAIT_MS", 3_600_000)
    await toy.broker.start()
    await publisher.send(programme_event("first", "t"))
    await effects_of(toy, "t")  # the partitions are assigned
    consumer: Any = toy.consumer._subscriber.consumer
    getmany, waits = consumer.getmany, 0

    async def counted(**options: Any) -> Any:
        nonlocal waits
        waits += 1
        return await getmany(**options)

    monkeypatch.setattr(consumer, "getmany", counted)
    for number in range(5):
        await publisher.send(programme_event(f"e{number}", f"t{number}"))
        await effects_of(toy, f"t{number}")
    assert waits <= 6


async def test_t18_a_handler_blocked_too_long_loses_its_partitions(library: Library) -> None:
    await library.send(b"0", partition=0)
    await library.send(b"1", partition=1)

    async def member() -> AIOKafkaConsumer:
        made = AIOKafkaConsumer(
            library.topic,
            bootstrap_servers=library.bootstrap_servers,
            group_id=library.group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_interval_ms=1500,
            heartbeat_interval_ms=200,
            rebalance_timeout_ms=1500,
        )
        await made.start()
        return made

    first = await member()
    second = None
    try:
        had: dict[TopicPartition, int] = {}

        async def both() -> bool:
            for partition, records in (await first.getmany(timeout_ms=100)).items():
                had[partition] = records[-1].offset + 1
            return len(had) == 2

        await eventually(both, what="both records")
        second = await member()  # while the first one's handler is "working" and does not poll
        other: set[bytes] = set()

        async def taken_over() -> bool:
            for records in (await second.getmany(timeout_ms=200)).values():
                other.update(record.value for record in records)
            return other == {b"0", b"1"}

        await eventually(taken_over, seconds=30, what="the other member's takeover")
        with pytest.raises((CommitFailedError, IllegalStateError)):
            await first.commit(had)
    finally:
        await first.stop()
        if second is not None:
            await second.stop()


async def test_t18_our_handlers_have_an_hour(toy: Toy) -> None:
    options = toy.consumer._subscriber._connection_args
    assert options["max_poll_interval_ms"] == 3_600_000
