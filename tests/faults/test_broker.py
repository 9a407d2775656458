"""F4, F6, F8 on the whole platform."""

import pytest

from tests.faults.broker import BrokerDown, FrozenBroker, LeaderLoss, RebalanceStorm, Zombies
from tests.faults.conftest import Endure

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.timeout(3600)]


async def test_broker_down_at_boot_and_for_a_minute(under: Endure) -> None:
    await under(BrokerDown())


async def test_every_leader_is_killed(under: Endure) -> None:
    await under(LeaderLoss())


async def test_frozen_broker(under: Endure) -> None:
    await under(FrozenBroker())


async def test_rebalance_storm(under: Endure) -> None:
    await under(RebalanceStorm())


async def test_zombies(under: Endure) -> None:
    await under(Zombies())
