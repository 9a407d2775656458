"""F1, one kill per point: what `make test` runs of the faults."""

import pytest

from tests.faults.conftest import Endure
from tests.faults.crash_points import ORDER, EveryCrashPoint, unaccounted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_every_point_of_every_service_is_accounted_for() -> None:
    assert unaccounted() == set()


async def test_a_kill_at_every_crash_point_changes_nothing(under: Endure) -> None:
    fault = EveryCrashPoint()
    await under(fault)
    assert set(fault.died_at) == {(service, point) for service, points in ORDER.items() for point in points}
