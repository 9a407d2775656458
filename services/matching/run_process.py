"""The process that computes one run: started for it, watched, and gone with it.

A process of its own, and not the solver's, because it has a limit of memory and one of time, and is killed at either.
"""

import asyncio
import multiprocessing
import os
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.matching.domain.runs import RunReason, Stage
from services.matching.run_solver import Job, solve

_LOOK_SECONDS: Final = 0.2
_MIB: Final = 1024 * 1024
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_ROUND: Final = re.compile(r"round (\d+): (\w+)")
_STAGES: Final = {
    "reading": Stage.READING,
    "candidates": Stage.CANDIDATES,
    "assigning": Stage.ASSIGNING,
    "proving": Stage.PROVING,
}

Message = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take."""

    memory_mb: int
    """Resident memory of its process, the compiler's 150 MB included."""
    seconds: float


class NoResult(Exception):
    """The process was ended, or ended itself, without one."""

    def __init__(self, reason: RunReason, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason
        self.problem = problem

    @property
    def again(self) -> bool:
        """Whether the same inputs may come to a result another time: nothing that they decide was in the way."""
        return self.reason is RunReason.SOLVER_DIED


async def messages(job: Job, limits: Limits) -> AsyncGenerator[Message, None]:
    """Compute *job* in a process and yield what it says, ``done`` last. Raises :class:`NoResult`.

    The process ends with the iteration, in whatever way that ends.
    """
    running = _Running(limits)
    try:
        await running.start(job)
        while True:
            message = await running.hear()
            if message[0] == "refused":
                raise NoResult(RunReason.INVALID_INPUT, message[1])
            if message[0] == "failed":
                raise NoResult(RunReason.DEFECT, message[1])
            yield message
            if message[0] == "done":
                return
    finally:
        await running.end()


class _Running:
    """The process and the pipe to it. Both are used in threads, because both may block."""

    def __init__(self, limits: Limits) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy sockets, locks and threads
        self._limits = limits
        self._ours, self._theirs = context.Pipe()
        self._process = context.Process(target=solve, args=(self._theirs,), name="matching-run", daemon=True)
        self._deadline = asyncio.get_running_loop().time() + limits.seconds
        self._pending: asyncio.Future[Any] | None = None

    async def start(self, job: Job) -> None:
        await self._do(self._process.start)
        self._theirs.close()  # else its end would not be heard
        await self._do(lambda: self._ours.send(job))

    async def hear(self) -> Message:
        message: Message = await self._do(self._ours.recv)
        return message

    async def _do(self, what: Callable[[], Any]) -> Any:
        """Do it in a thread, unless the process ends or reaches a limit before."""
        loop = asyncio.get_running_loop()
        self._pending = loop.run_in_executor(None, what)
        while not (await asyncio.wait({self._pending}, timeout=_LOOK_SECONDS))[0]:
            if loop.time() > self._deadline:
                raise NoResult(RunReason.TIME_LIMIT, f"It took more than {self._limits.seconds:g} seconds.")
            self._look_at_memory()
        try:
            return self._pending.result()
        except (EOFError, OSError):
            await asyncio.to_thread(self._process.join)
            code = self._process.exitcode
            raise NoResult(RunReason.SOLVER_DIED, f"Its process ended with {code}.") from None

    def _look_at_memory(self) -> None:
        pid = self._process.pid
        if pid is not None and resident(pid) > self._limits.memory_mb * _MIB:
            most = self._limits.memory_mb
            raise NoResult(RunReason.MEMORY_LIMIT, f"It needed more than {most} MiB of memory.")

    async def end(self) -> None:
        """Kill it. The pipe is closed when no thread reads from it: its number may be another file's by then."""
        if self._pending is not None and self._process.pid is None:
            await asyncio.wait({self._pending})  # it is being started
        if self._process.pid is not None:
            self._process.kill()
        self._theirs.close()
        if self._pending is not None:
            await asyncio.wait({self._pending})
            if not self._pending.cancelled():
                self._pending.exception()
        self._ours.close()
        if self._process.pid is not None:
            await asyncio.to_thread(self._process.join)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def stage_of(what: str) -> tuple[Stage, int]:
    """The engine's words for what it does, as a stage and a round."""
    found = _ROUND.fullmatch(what)
    number, name = (int(found[1]), found[2]) if found else (0, what)
    return _STAGES.get(name, Stage.STORING), number
