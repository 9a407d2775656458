"""How long an event loop was held up: asked every few milliseconds for a turn, by the clock and by the processor."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

_EVERY_SECONDS: Final = 0.005


@dataclass(slots=True)
class Lag:
    """The longest that anybody waited for a turn, in seconds."""

    by_clock: float = 0.0
    """What other processes took is in it."""
    by_processor: float = 0.0
    """Only what the loop's own thread computed in one go."""
    over_100_ms: int = 0
    """How often it was more than 100 ms by the processor."""
    turns: int = 0

    def __str__(self) -> str:
        return (
            f"longest turn {1000 * self.by_processor:.0f} ms of processor time, {1000 * self.by_clock:.0f} ms by "
            f"the clock; {self.over_100_ms} of {self.turns} above 100 ms of processor time"
        )


@asynccontextmanager
async def measured_lag() -> AsyncIterator[Lag]:
    """Measure the running loop inside the block."""
    lag = Lag()
    task = asyncio.create_task(_ask(lag))
    try:
        yield lag
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _ask(lag: Lag) -> None:
    while True:
        clock, processor = time.perf_counter(), time.thread_time()
        await asyncio.sleep(_EVERY_SECONDS)
        used = time.thread_time() - processor
        lag.by_clock = max(lag.by_clock, time.perf_counter() - clock - _EVERY_SECONDS)
        lag.by_processor = max(lag.by_processor, used)
        lag.over_100_ms += used > 0.1
        lag.turns += 1
