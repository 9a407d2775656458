"""F9, F10 on the whole platform."""

import pytest

from tests.faults.conftest import Endure
from tests.faults.database import ConnectionsKilled, DatabaseCrash, Deadlocks, Serialisation

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.timeout(3600)]


async def test_database_crashes(under: Endure) -> None:
    await under(DatabaseCrash())


async def test_every_connection_killed(under: Endure) -> None:
    await under(ConnectionsKilled())


async def test_deadlocks(under: Endure) -> None:
    await under(Deadlocks())


async def test_serialisation_failures(under: Endure) -> None:
    await under(Serialisation())
