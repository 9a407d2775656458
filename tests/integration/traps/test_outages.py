"""T11, T13: a broker that freezes in the middle of a send, and one that is not there at the start."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.errors import KafkaConnectionError

from deploy.local import Kafka
from deploy.local.ports import free_port
from shared.messaging import relay as relay_module
from shared.messaging.kafka import make_producer, make_reader, topic_name
from tests.integration.messaging.test_bad_input import effects_of
from tests.integration.traps.library import Library
from tests.integration.traps.process import running, started
from tests.support.publishing import Publisher, programme_event
from tests.support.servers import Servers
from tests.support.toy import Toy, make_toy_settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
UNCLOSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""FastStream forgets the producer whose start has failed; nothing of it is connected."""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka]:
    """A broker that these tests may freeze and kill."""
    made = await Kafka.start(tmp_path_factory.mktemp("own-kafka"))
    try:
        yield made
    finally:
        made.resume()
        await made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def own_toy(kafka: Kafka, servers: Servers) -> AsyncIterator[Toy]:
    """The toy on that broker."""
    name, settings = await make_toy_settings(
        Servers(kafka.bootstrap_servers, servers.admin_dsn, "a broker of its own")
    )
    toy = Toy(settings, name)
    try:
        yield toy
    finally:
        await toy.close()


async def freeze(kafka: Kafka) -> None:
    """Stop the broker in its tracks; the signal reaches its threads a moment after it was sent."""
    kafka.pause()
    threads = Path(f"/proc/{kafka.process().pid}/task")

    async def stopped() -> bool:
        states = [(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads.iterdir()]
        return set(states) == {"T"}

    await eventually(stopped, what="a frozen broker")


async def values_of(toy: Toy, topic: str, count: int) -> list[bytes]:
    """The topic's records, once there are *count*."""
    reader = make_reader(toy.settings, topic, client_id="test")
    await reader.start()
    found: list[bytes] = []

    async def there() -> bool:
        for records in (await reader.getmany(timeout_ms=200)).values():
            found.extend(record.value for record in records)
        return len(found) >= count

    try:
        await eventually(there, seconds=40, what=f"{count} records")
    finally:
        await reader.stop()
    return found


async def test_t11_a_send_that_timed_out_is_delivered_later(kafka: Kafka, own_toy: Toy) -> None:
    library = await Library.open(kafka.bootstrap_servers)
    producer = make_producer(own_toy.settings, "test")
    await producer.start()
    try:
        await producer.send_and_wait(library.topic, b"before")
        try:
            await freeze(kafka)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(producer.send_and_wait(library.topic, b"unknown"), 1)
        finally:
            kafka.resume()
        assert sorted(await values_of(own_toy, library.topic, 2)) == [b"before", b"unknown"]
    finally:
        await producer.stop()
        await library.close()


async def test_t11_what_the_relay_does_not_know_has_one_effect(
    kafka: Kafka, own_toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = own_toy
    producer = make_producer(toy.settings, "test")
    await producer.start()
    publisher = Publisher(producer, toy.settings.kafka_topic_prefix)
    await toy.broker.start()
    await publisher.send(programme_event("e1", "a"))
    await effects_of(toy, "a")
    assert await toy.relay.move_batch() == 1  # the relay's producer is connected
    await publisher.send(programme_event("e2", "b"))
    await effects_of(toy, "b")
    await producer.stop()
    monkeypatch.setattr(relay_module, "SEND_SECONDS", 0.5)
    try:
        await freeze(kafka)
        assert await toy.relay.move_batch() == 0
        # In time: PostgreSQL would end the session after 15 s, and with it the lock.
        assert await toy.plumbing("SELECT key FROM outbox") == [("b",)]
    finally:
        kafka.resume()
    monkeypatch.setattr(relay_module, "SEND_SECONDS", 30.0)
    moving = asyncio.create_task(toy.relay.run())

    async def empty() -> bool:
        return await toy.plumbing("SELECT count(*) FROM outbox") == [(0,)]

    await eventually(empty, seconds=40, what="an empty outbox")
    toy.relay.stop()
    await moving
    sent = await values_of(toy, topic_name(toy.settings, "enrolment"), 2)
    assert len(set(sent)) == 2  # perhaps one of them twice: same bytes, same id
    ledger = await toy.plumbing("SELECT count(*), count(DISTINCT event_id) FROM outbox_ledger")
    assert ledger == [(2, 2)]


@UNCLOSED
async def test_t13_start_raises_at_once_without_a_broker(library: Library) -> None:
    library.bootstrap_servers = f"127.0.0.1:{free_port()}"
    broker = library.broker()
    with pytest.raises(KafkaConnectionError):
        await broker.start()
    await broker.stop()
    gc.collect()


async def test_t13_a_process_waits_for_its_broker(kafka: Kafka, own_toy: Toy, tmp_path: Path) -> None:
    toy = own_toy
    await kafka.kill()
    async with running(toy, seconds=20) as process:

        async def waiting() -> bool:
            _, details = process.health.live()
            return kafka.bootstrap_servers in str(details.get("kafka"))

        await eventually(waiting, what="a process that waits for Kafka")
        assert process.health.live()[0]
        assert (await process.health.ready())[0]
        assert not process.health.started
        await kafka.restart()
        await started(process)
        producer = make_producer(toy.settings, "test")
        await producer.start()
        await Publisher(producer, toy.settings.kafka_topic_prefix).send(programme_event("e", "a"))
        await producer.stop()
        await effects_of(toy, "a")
        process.stopping.set()
