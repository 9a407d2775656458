"""T1 to T5, T10, T14: when FastStream commits, when it does not, and what is lost or repeated by that."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError
from faststream import AckPolicy
from faststream.exceptions import SetupError
from faststream.kafka import KafkaBroker, KafkaMessage, KafkaRouter

from shared.messaging.kafka import LagReader, group_name, topic_name
from tests.integration.messaging.test_bad_input import dead_letters, effects_of
from tests.integration.traps.library import Library
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually

MANY = 20
"""So many times the same record, without a pause: a hot loop."""


class Seen(list[bytes]):
    """What a handler got, in order."""

    async def times(self, value: bytes, count: int) -> None:
        async def so_often() -> bool:
            return self.count(value) >= count

        await eventually(so_often, every=0.01, what=f"{count} times {value!r}")


async def test_t01_nack_on_error_repeats_poison_for_ever(library: Library) -> None:
    seen, broker = Seen(), library.broker()

    @library.hears(broker, ack_policy=AckPolicy.NACK_ON_ERROR)
    async def handle(body: bytes) -> None:
        seen.append(body)
        if body == b"poison":
            raise ValueError

    await library.send(b"poison", b"behind")
    await broker.start()
    await seen.times(b"poison", MANY)
    assert b"behind" not in seen


async def test_t02_a_later_ack_commits_past_what_failed(library: Library) -> None:
    seen = Seen()

    def subscribe(broker: KafkaBroker) -> None:
        @library.hears(broker, ack_policy=AckPolicy.MANUAL)
        async def handle(body: bytes, message: KafkaMessage) -> None:
            seen.append(body)
            if body == b"bad":
                raise ValueError
            await message.ack()

    broker = KafkaBroker(library.bootstrap_servers, logger=None)
    subscribe(broker)
    await library.send(b"bad", b"good")
    await broker.start()
    await library.commits(2)
    await broker.stop()
    await library.send(b"next")
    again = KafkaBroker(library.bootstrap_servers, logger=None)
    subscribe(again)
    await again.start()
    await library.commits(3)
    await again.stop()
    assert seen == [b"bad", b"good", b"next"]


async def test_t02_a_defect_while_decoding_costs_one_record_not_its_batch(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = toy.processor.decoder._decode

    def defective(record: Any, value: Any, item: Any) -> None:
        if record.key == b"bad":
            raise ZeroDivisionError
        decode(record, value, item)

    monkeypatch.setattr(toy.processor.decoder, "_decode", defective)
    await publisher.send(programme_event("before", "a"))
    bad = await publisher.send(programme_event("bad", "bad"), key="bad")
    await publisher.send(programme_event("behind", "b"))
    await toy.broker.start()
    await effects_of(toy, "a", "b")
    letters = await eventually(lambda: dead_letters(toy), what="a dead letter")
    assert [row[:2] for row in letters] == [("unexpected", bad)]


async def test_t03_a_brokers_policy_does_not_reach_a_router(library: Library) -> None:
    seen, broker, router = Seen(), library.broker(ack_policy=AckPolicy.MANUAL), KafkaRouter()

    @library.hears(router, auto_commit_interval_ms=100)
    async def handle(body: bytes) -> None:
        seen.append(body)
        raise ValueError

    broker.include_router(router)
    await library.send(b"lost")
    await broker.start()
    await seen.times(b"lost", 1)
    await library.commits(1)  # nobody has acknowledged it


async def test_t04_the_second_topic_of_concurrent_workers_is_dropped(library: Library) -> None:
    seen, second = Seen(), f"{library.topic}-second"
    await library.make_topic(second)
    broker = library.broker(ack_policy=AckPolicy.MANUAL)

    @library.hears(broker, library.topic, second, max_workers=3)
    async def handle(body: bytes) -> None:
        seen.append(body)

    assert broker.subscribers[0].topic_names == [library.topic]  # type: ignore[attr-defined]
    await library.send(b"unheard", topic=second)
    await library.send(b"heard")
    await broker.start()
    await seen.times(b"heard", 1)
    assert b"unheard" not in seen
    # Said on the subscriber itself it is an error now; a broker's policy is not looked at.
    with pytest.raises(SetupError):
        broker.subscriber("a", "b", group_id="g", max_workers=3, ack_policy=AckPolicy.MANUAL)


async def test_t05_what_no_filter_wants_comes_for_ever(library: Library) -> None:
    offered, broker = Seen(), library.broker()

    async def nobody(message: KafkaMessage) -> bool:
        offered.append(bytes(message.body))
        return False

    async def handle(body: bytes) -> None:
        raise AssertionError("never called")

    subscriber: Any = broker.subscriber(
        library.topic,
        group_id=library.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    subscriber(handle, filter=nobody)
    await library.send(b"unwanted", b"behind")
    await broker.start()
    await offered.times(b"unwanted", MANY)
    assert b"behind" not in offered


@pytest.mark.parametrize("policy", [None, AckPolicy.ACK, AckPolicy.REJECT_ON_ERROR], ids=str)
@pytest.mark.filterwarnings("ignore:AckPolicy.REJECT_ON_ERROR")
async def test_t10_policies_that_lose_what_failed(library: Library, policy: AckPolicy | None) -> None:
    seen, broker = Seen(), library.broker()
    chosen = {"auto_commit_interval_ms": 100} if policy is None else {"ack_policy": policy}

    @library.hears(broker, **chosen)
    async def handle(body: bytes) -> None:
        seen.append(body)
        raise ValueError

    await library.send(b"failed")
    await broker.start()
    await library.commits(1)
    assert seen == [b"failed"]


async def test_t10_nothing_is_committed_before_its_effect(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction, away = toy.database.transaction, asyncio.Event()

    def unavailable(tenant: str) -> Any:
        away.set()
        raise ConnectionRefusedError

    monkeypatch.setattr(toy.database, "transaction", unavailable)
    await publisher.send(programme_event("e", "a"))
    await toy.broker.start()
    async with asyncio.timeout(20):
        await away.wait()
    group = (group_name(toy.settings, toy.name, "programme"), topic_name(toy.settings, "programme"))
    async with LagReader(toy.settings) as reader:
        assert await reader.behind([group]) == {group: 1}
        assert toy.consumer.alive
        monkeypatch.setattr(toy.database, "transaction", transaction)
        await effects_of(toy, "a")

        async def caught_up() -> bool:
            return await reader.behind([group]) == {group: 0}

        await eventually(caught_up, what="the commit")


async def test_t14_ack_commits_every_partition(library: Library) -> None:
    seen, broker = Seen(), library.broker()

    @library.hears(broker, ack_policy=AckPolicy.MANUAL)
    async def handle(message: KafkaMessage) -> None:
        seen.append(bytes(message.body))
        if message.body == b"good" and b"bad" in seen:
            await message.ack()

    await library.send(b"bad", partition=0)
    await broker.start()
    await seen.times(b"bad", 1)
    await library.send(b"good", partition=1)
    await library.commits(1, partition=1)
    assert await library.committed(partition=0) == 1  # nobody has acknowledged it


async def test_t14_exactly_the_batch_is_committed(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await toy.broker.start()
    consumer: Any = toy.consumer._subscriber.consumer
    commit, commits = consumer.commit, []

    async def spy(offsets: Any = None) -> None:
        commits.append({} if offsets is None else {p.partition: offset for p, offset in offsets.items()})
        await commit(offsets)

    monkeypatch.setattr(consumer, "commit", spy)
    for partition in (0, 1):
        await publisher.send(programme_event(f"e{partition}", f"t{partition}"), partition=partition)
        await effects_of(toy, f"t{partition}")

    async def both() -> bool:
        return len(commits) == 2

    await eventually(both, what="two commits")
    assert commits == [{0: 1}, {1: 1}]


async def test_t14_a_commit_that_fails_is_counted_and_repeats_nothing(
    toy: Toy, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await toy.broker.start()
    consumer: Any = toy.consumer._subscriber.consumer
    calls = []

    async def refused(offsets: Any) -> None:
        calls.append(offsets)
        raise CommitFailedError

    with monkeypatch.context() as failing:
        failing.setattr(consumer, "commit", refused)
        await publisher.send(programme_event("e1", "a"))
        await effects_of(toy, "a")

        async def tried() -> bool:
            return bool(calls)

        await eventually(tried, what="a commit")
    await publisher.send(programme_event("e2", "b"))
    await effects_of(toy, "b")
    assert len(calls) == 1
    labels = {"service": toy.name, "topic": "programme"}
    registry = toy.metrics.registry
    assert registry.get_sample_value("mentoring_offset_commit_failures_total", labels) == 1
    assert (await toy.things())["a"].effects == 1
