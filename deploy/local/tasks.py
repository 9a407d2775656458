"""Steps at the same time, of which one may fail."""

import asyncio
from collections.abc import Awaitable


async def all_of(*steps: Awaitable[None]) -> None:
    """Run steps at the same time; at the first failure cancel the others, wait for them, and raise it."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
