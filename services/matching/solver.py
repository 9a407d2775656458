"""The engine in a process of its own, so that a long round never holds up the event loop, and its compiler takes no
memory here.

The process is started when it is first needed. It ends with this service's worker ``solver``, and by
itself when this process is killed.
"""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from typing import Any, Final, TypeVar

import structlog

from services.matching import snapshot
from services.matching.engine import Configuration, Pool
from services.matching.remembered import Key
from services.matching.run_solver import Job, compute_job
from services.matching.solver_process import Result, begin
from shared.runtime.service import Worker, WorkerContext

log = structlog.get_logger()

T = TypeVar("T")

_KEEP_ALIVE_SECONDS: Final = 15.0

_executor: ProcessPoolExecutor | None = None


async def match(
    pool: Pool,
    configuration: Configuration,
    keep_alive: Callable[[], Awaitable[None]],
    *,
    key: Key | None = None,
) -> Result:
    """The engine's result. *keep_alive* is called every 15 s meanwhile, for the transaction that waits. With a *key*
    the process remembers the mentors for newcomers.

    Raises ``BrokenProcessPool`` when the process dies; the next call starts another.
    """
    if not pool.mentees or not pool.mentors:
        return Result((), (), tuple(sorted(person.person_id for person in pool.mentees)))
    return await ask(keep_alive, compute_job, await job_of(pool, configuration), key)


async def job_of(pool: Pool, configuration: Configuration) -> Job:
    """What the solver's process is told of people: as bytes made in a thread, because to hand over thousands of
    objects would hold up the event loop."""
    taken = await asyncio.to_thread(snapshot.take, pool)
    return Job(taken.parts, pool.as_of, asdict(configuration))


def is_running() -> bool:
    """Whether the process has been started: until then it remembers nobody."""
    return _executor is not None


async def nothing() -> None:
    """For questions for which no transaction waits."""


async def ask(keep_alive: Callable[[], Awaitable[None]], function: Callable[..., T], *arguments: Any) -> T:
    """What *function* answers in that process, one question after the other. *keep_alive*: see :func:`match`.

    Raises ``BrokenProcessPool`` when the process dies, and what the function raises.
    """
    running = asyncio.get_running_loop().run_in_executor(_started(), function, *arguments)
    try:
        while not (await asyncio.wait({running}, timeout=_KEEP_ALIVE_SECONDS))[0]:
            await keep_alive()
        return running.result()
    except BrokenProcessPool:
        close()
        raise
    finally:
        running.cancel()


def soon(function: Callable[..., object], *arguments: Any) -> None:
    """Let the process do something when it is free; nobody waits for it. What fails is logged."""
    _started().submit(function, *arguments).add_done_callback(_log_failure)


def _log_failure(done: Future[object]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.warning("the solver's process could not prepare", error=type(error).__name__)


def _started() -> ProcessPoolExecutor:
    global _executor
    if _executor is None:
        # Not forked: a fork would copy sockets, locks and threads of a running service.
        _executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=begin)
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
