"""Waiting for a condition, with a deadline: the only way in which tests wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    condition: Callable[[], Awaitable[T]],
    *,
    seconds: float = 60.0,
    every: float = 0.05,
    what: str = "condition",
) -> T:
    """The first truthy answer of *condition*. Raises ``AssertionError`` with the last answer at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s; last answer: {answer!r}")
        await asyncio.sleep(every)
