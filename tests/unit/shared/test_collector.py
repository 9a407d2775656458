"""The cycle collector looks when a service is at rest."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any, cast

import pytest

from shared.runtime.collector import run_collector, spare_collections
from shared.runtime.service import WorkerContext
from tests.support.waiting import eventually


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def usual_collections() -> Iterator[None]:
    usual = gc.get_threshold()
    spare_collections()
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()


async def test_it_waits_for_the_events_to_be_handled() -> None:
    consuming, stopping, asked = True, asyncio.Event(), 0

    def busy() -> bool:
        nonlocal asked
        asked += 1
        return consuming

    context = WorkerContext(cast(Any, None), cast(Any, None), stopping, busy)
    worker = asyncio.create_task(run_collector(context, every_seconds=0.005))
    try:
        knot = weakref.ref(Knot())

        async def asked_often() -> bool:
            return asked > 10

        async def gone() -> bool:
            return knot() is None

        await eventually(asked_often, what="looks at whether events are handled")
        assert knot() is not None
        consuming = False
        await eventually(gone, what="the look of the collector")
    finally:
        stopping.set()
        await worker
