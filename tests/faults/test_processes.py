"""F2, F3, F22 on the whole platform."""

import pytest

from tests.faults.conftest import Endure
from tests.faults.processes import Pairs, RandomKills, Rolling

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.timeout(3600)]


async def test_random_kills(under: Endure) -> None:
    await under(RandomKills())


async def test_rolling_restarts(under: Endure) -> None:
    await under(Rolling())


async def test_two_of_everything(under: Endure) -> None:
    await under(Pairs())
