"""Reading topics until somebody presses Ctrl-C."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from shared.cli.kafka import Reader


async def test_a_cancellation_that_a_poll_swallows_still_ends_the_reading() -> None:
    polling = asyncio.Event()

    async def getmany(*_: Any, **__: Any) -> dict[Any, Any]:
        polling.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return {}  # as `asyncio.wait_for` does when what it waits for ends at the same moment
        raise AssertionError("nobody cancelled")

    reader = Reader.__new__(Reader)
    reader._consumer = SimpleNamespace(getmany=getmany)

    async def read() -> list[Any]:
        return [item async for item in reader.following()]

    reading = asyncio.create_task(read())
    await asyncio.wait_for(polling.wait(), 10)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(reading, 10)
