"""The engine in a process of its own, so that a long round never holds up the event loop.

The process is started when it is first needed. It ends with this service's worker ``solver``, and by
itself when this process is killed.
"""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from services.matching.engine import Pool, Result
from services.matching.engine import match as compute
from services.matching.solver_process import end_with_parent
from shared.runtime.service import Worker, WorkerContext

_SMALL: Final = 2_500
"""Mentees times mentors up to which a round takes less than about 10 ms, and stays where it is."""

_KEEP_ALIVE_SECONDS: Final = 15.0

_executor: ProcessPoolExecutor | None = None


async def match(pool: Pool, keep_alive: Callable[[], Awaitable[None]]) -> Result:
    """The engine's result. *keep_alive* is called every 15 s meanwhile, for the transaction that waits.

    Raises ``BrokenProcessPool`` when the process dies; the next call starts another.
    """
    if len(pool.mentees) * len(pool.mentors) <= _SMALL:
        return compute(pool)
    running = asyncio.get_running_loop().run_in_executor(_started(), compute, pool)
    try:
        while not (await asyncio.wait({running}, timeout=_KEEP_ALIVE_SECONDS))[0]:
            await keep_alive()
        return running.result()
    except BrokenProcessPool:
        close()
        raise
    finally:
        running.cancel()


def _started() -> ProcessPoolExecutor:
    global _executor
    if _executor is None:
        # Not forked: a fork would copy sockets, locks and threads of a running service.
        _executor = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent
        )
    return _executor


def close() -> None:
    """End the process, also in the middle of a round: that round's transaction fails and is tried again."""
    global _executor
    executor, _executor = _executor, None
    if executor is None:
        return
    for process in list((executor._processes or {}).values()):  # there is no public way before Python 3.14
        process.terminate()
    executor.shutdown(wait=False, cancel_futures=True)


async def _until_stopped(context: WorkerContext) -> None:
    try:
        await context.stopping.wait()
    finally:
        close()


WORKER: Final = Worker("solver", _until_stopped)
