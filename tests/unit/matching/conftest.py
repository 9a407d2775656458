"""The world of these tests."""

from collections.abc import Iterator

import pytest

from services.matching import solver
from tests.unit.matching.support import World, memory


@pytest.fixture
def world() -> Iterator[World]:
    with memory(World()) as world:
        yield world
        world.check()


@pytest.fixture(scope="package", autouse=True)
def _no_solver_left() -> Iterator[None]:
    yield
    solver.close()
