"""The world of these tests."""

from collections.abc import Iterator

import pytest

from tests.unit.matching.support import World, memory


@pytest.fixture
def world() -> Iterator[World]:
    with memory(World()) as world:
        yield world
        world.check()
