"""The four databases of these tests, migrated once."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.databases import Databases, prepared_databases
from tests.support.servers import Servers


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def databases(servers: Servers) -> AsyncIterator[Databases]:
    async with prepared_databases(servers) as databases:
        yield databases
