"""Bare clients of the library on the real broker, and beside them the toy service."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.messaging.conftest import publisher, toy
from tests.integration.traps.library import Library
from tests.support.servers import Servers

__all__ = ["library", "publisher", "toy"]


@pytest_asyncio.fixture(loop_scope="session")
async def library(servers: Servers) -> AsyncIterator[Library]:
    made = await Library.open(servers.bootstrap_servers)
    try:
        yield made
    finally:
        await made.close()
