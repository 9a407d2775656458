"""When Python's cycle collector looks: at rest, not while a backlog is handled.

Two batches in flight of 4,000 events each hold up to 200,000 objects at a time, which all go with their last
reference. A look at so many takes 100 ms and finds nothing; with Python's defaults there were several in each batch,
which also walked modules, models and routes again.
"""

import asyncio
import contextlib
import gc
from typing import Final

from shared.runtime.service import WorkerContext

_AT_THE_LATEST: Final = 1_000_000
"""So many more objects than after the last look, in a process that is never at rest."""
_EVERY_SECONDS: Final = 10.0


def spare_collections() -> None:
    """Let the collector leave alone what lives as long as the process, and look by itself only rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_AT_THE_LATEST, 20, 20)


async def run_collector(context: WorkerContext, every_seconds: float = _EVERY_SECONDS) -> None:
    """Look at what is young, a few milliseconds, whenever no events are being handled; until stopped."""
    while not context.stopping.is_set():
        if not context.consuming():
            gc.collect(1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.stopping.wait(), every_seconds)
