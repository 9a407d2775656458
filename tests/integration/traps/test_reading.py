"""T8, T9, T12, T15, T16: what FastStream makes of headers, bodies, traces and transactions."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation
from faststream import AckPolicy
from faststream.kafka import KafkaMessage
from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider

from shared.messaging.kafka import make_reader, topic_name
from tests.integration.messaging.test_bad_input import effects_of
from tests.integration.traps.library import Library
from tests.support.publishing import STRUCTURED, Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
STORED = f"00-{TRACE}-b7ad6b7169203331-01"


async def first_record(library: Library, toy: Toy) -> Any:
    reader = make_reader(toy.settings, library.topic, client_id="test")
    await reader.start()
    try:
        async with asyncio.timeout(20):
            return await reader.getone()
    finally:
        await reader.stop()


async def test_t08_the_telemetry_middleware_replaces_a_stored_trace(library: Library, toy: Toy) -> None:
    broker = library.broker(middlewares=[KafkaTelemetryMiddleware(tracer_provider=TracerProvider())])
    await broker.connect()
    await broker.start()
    await broker.publish(b"x", library.topic, headers={"traceparent": STORED})
    headers = dict((await first_record(library, toy)).headers)
    assert TRACE not in headers["traceparent"].decode()


async def test_t08_a_trace_goes_through_inbox_and_outbox(toy: Toy, publisher: Publisher) -> None:
    await publisher.send(programme_event("e", "a", traceparent=STORED))
    await toy.broker.start()
    await effects_of(toy, "a")
    assert await toy.relay.move_batch() == 1
    reader = make_reader(toy.settings, topic_name(toy.settings, "enrolment"), client_id="test")
    await reader.start()
    try:
        async with asyncio.timeout(20):
            record = await reader.getone()
    finally:
        await reader.stop()
    assert dict(record.headers)["traceparent"].decode() == STORED
    assert STORED.encode() in record.value


async def test_t09_structured_cloudevents_are_not_decoded(library: Library) -> None:
    bodies: list[Any] = []
    broker = library.broker()

    @library.hears(broker)
    async def handle(body: Any) -> None:
        bodies.append(body)

    await library.send(b'{"id": "1"}', headers=[STRUCTURED])
    await library.send(b'{"id": "1"}', headers=[("content-type", b"application/json")])
    await broker.start()

    async def both() -> bool:
        return len(bodies) == 2

    await eventually(both, what="two bodies")
    assert bodies == [b'{"id": "1"}', {"id": "1"}]


async def test_t12_a_transactional_broker_cannot_publish(library: Library) -> None:
    broker = library.broker(transactional_id=f"{library.topic}-transactions")
    await broker.start()
    with pytest.raises(IllegalOperation):
        await broker.publish(b"x", library.topic)


async def test_t15_one_bad_header_loses_a_batch(library: Library) -> None:
    seen: list[Any] = []
    broker = library.broker()

    @library.hears(broker, batch=True, batch_timeout_ms=10, ack_policy=AckPolicy.MANUAL)
    async def handle(bodies: list[Any], message: KafkaMessage) -> None:
        seen.extend(bodies)
        await message.ack()

    for number in range(10):
        await library.send(str(number).encode())
    await library.send(b"bad", headers=[("x", b"\xff")])
    await broker.start()

    subscriber: Any = broker.subscribers[0]

    async def read() -> bool:
        partition = TopicPartition(library.topic, 0)
        consumer = subscriber.consumer
        return partition in consumer.assignment() and await consumer.position(partition) == 11

    await eventually(read, what="all eleven read")
    assert seen == []
    await library.send(b"good")
    await library.commits(12)
    assert seen == [b"good"]


async def test_t16_a_null_value_looks_like_an_empty_body(library: Library) -> None:
    bodies: list[bytes] = []
    broker = library.broker()

    @library.hears(broker)
    async def handle(message: KafkaMessage) -> None:
        bodies.append(bytes(message.body))

    await library.send(None, b"")
    await broker.start()

    async def both() -> bool:
        return len(bodies) == 2

    await eventually(both, what="two bodies")
    assert bodies == [b"", b""]
