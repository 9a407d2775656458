"""The command on the real broker: topics under a prefix of their own, and the toy service to make dead letters."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from shared.cli.main import app
from shared.contracts import TOPIC
from shared.messaging.topics import create_topics
from shared.runtime.settings import KafkaSettings
from tests.integration.messaging.conftest import publisher, toy
from tests.support.servers import Servers
from tests.support.toy import Toy

__all__ = ["publisher", "toy"]

Command = Callable[..., Awaitable[Result]]


def environment(settings: KafkaSettings) -> dict[str, str]:
    """What tells the command where this test's topics are."""
    return {
        "MENTORING_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "MENTORING_KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "MENTORING_KAFKA_GROUP_PREFIX": settings.kafka_group_prefix,
    }


async def invoke(settings: KafkaSettings, *arguments: str, stdin: str = "") -> Result:
    """The result of a command, which has an event loop of its own."""
    runner = CliRunner(env=environment(settings))
    return await asyncio.to_thread(runner.invoke, app, list(arguments), input=stdin)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MENTORING_") and not name.startswith("MENTORING_LOCAL"):
            monkeypatch.delenv(name)


@pytest_asyncio.fixture(loop_scope="session")
async def command(toy: Toy) -> AsyncIterator[Command]:
    """``await command("events", "tail")`` on the toy's topics and hr-intake."""
    await create_topics(toy.settings, [TOPIC["hr-intake"], TOPIC["person"]])

    async def run(*arguments: str, stdin: str = "") -> Result:
        return await invoke(toy.settings, *arguments, stdin=stdin)

    yield run


@pytest.fixture
def empty_cluster(servers: Servers) -> KafkaSettings:
    """A prefix under which there is no topic yet."""
    prefix = f"cli{os.urandom(4).hex()}."
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": servers.bootstrap_servers,
        "kafka_topic_prefix": prefix,
        "kafka_group_prefix": prefix,
    }
    return KafkaSettings(**values)
