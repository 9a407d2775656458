"""One Kafka and one PostgreSQL for all tests of this folder; tests that break things start their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import Kafka, Postgres
from shared.persistence.bootstrap import CLOCK_ROLE, ROLES, bootstrap

SERVICES = ("profiles", "matching")
PASSWORDS = {
    (service, role): f"{service}-{role}-s3cr'et\"" for service in SERVICES for role in (*ROLES, CLOCK_ROLE)
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka]:
    running = await Kafka.start(tmp_path_factory.mktemp("kafka"))
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    running = await Postgres.start(tmp_path_factory.mktemp("postgres"))
    await bootstrap(running.admin_dsn, services=SERVICES, passwords=PASSWORDS, with_clock=True)
    yield running
    await running.destroy()


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[Postgres]:
    """A server that the test may break."""
    running = await Postgres.start(tmp_path / "postgres")
    yield running
    await running.destroy()
