"""The toy service on real servers, fresh for every test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.messaging.kafka import make_producer
from tests.support.publishing import Publisher
from tests.support.servers import Servers
from tests.support.toy import Toy, make_toy_settings


@pytest_asyncio.fixture(loop_scope="session")
async def toy(servers: Servers) -> AsyncIterator[Toy]:
    name, settings = await make_toy_settings(servers)
    toy = Toy(settings, name)
    try:
        yield toy
    finally:
        await toy.close()


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(toy: Toy) -> AsyncIterator[Publisher]:
    producer = make_producer(toy.settings, "test")
    await producer.start()
    try:
        yield Publisher(producer, toy.settings.kafka_topic_prefix)
    finally:
        await producer.stop()
