"""Fixtures that all tests share. Real servers are started once, and only when a test asks for them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.servers import Servers, choose, start_servers


def pytest_report_header() -> str:
    kind, why = choose()
    return f"servers for integration tests: {kind} ({why})"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """A real Kafka broker and a real PostgreSQL server."""
    async with start_servers(tmp_path_factory.mktemp("servers")) as running:
        print(f"\nservers: {running.description}")
        yield running
