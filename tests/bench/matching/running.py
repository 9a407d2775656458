"""Contenders in processes of their own, with limits, and what each took."""

import resource
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

MEMORY_LIMIT: Final = 8 << 30
TIME_LIMIT = 900.0
"""Seconds for one peer."""
_OURS_LIMIT: Final = 900.0
_PEERS: Final = Path(__file__).with_name("peers.py")


@dataclass(slots=True)
class Process:
    """How a process ended."""

    ok: bool
    why: str


@dataclass(slots=True)
class Peer:
    """A peer's result, or why there is none."""

    name: str
    ran: bool
    why: str = ""
    wall: float = 0.0
    """Solving alone."""
    cpu: float = 0.0
    peak_mib: float = 0.0
    value: int = 0
    matched: int = 0
    violations: int = 0


def run(command: Sequence[str], seconds: float = _OURS_LIMIT) -> Process:
    """Runs to its end, or to a limit."""
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_limited, text=True
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds, stop)
    timer.start()
    assert child.stderr is not None
    errors = child.stderr.read()
    child.wait()
    timer.cancel()
    why = ""
    if late.is_set():
        why = f"more than {seconds / 60:g} minutes"
    elif child.returncode:
        memory = "MemoryError" in errors or "bad_alloc" in errors or "allocate" in errors
        last = (errors.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        why = f"more than {MEMORY_LIMIT >> 30} GB" if memory else last[:120]
    return Process(not why, why)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


def ours(module: str, *arguments: object) -> Process:
    """One of the bench's own processes."""
    return run([sys.executable, "-m", f"tests.bench.matching.{module}", *map(str, arguments)])


def peer(python: Path, name: str, problem: Path) -> Peer:
    """A peer on a prepared problem, its result counted by the problem's points and capacities."""
    target = problem.with_suffix(".result.npz")
    ended = run([str(python), str(_PEERS), name, str(problem), str(target)], TIME_LIMIT)
    if not ended.ok:
        return Peer(name, False, ended.why)
    with np.load(target) as result:
        mentor, (wall, cpu), peak = result["mentor"], result["spent"].tolist(), float(result["peak"])
    value, matched, violations = _counted(problem, mentor)
    return Peer(name, True, "", wall, cpu, peak, value, matched, violations)


def _counted(problem: Path, mentor: Any) -> tuple[int, int, int]:
    """(value, people matched, pairs that are no candidates or beyond a capacity)."""
    people = np.flatnonzero(mentor >= 0)
    with np.load(problem) as stored:
        capacity = stored["capacity"]
        if "points" in stored.files:
            points = stored["points"][people, mentor[people]]
        else:
            within = np.arange(stored["mentor"].shape[1])[None, :] < stored["count"][:, None]
            hit = within & (stored["mentor"] == mentor[:, None])
            points = np.where(hit, stored["score"], 0).max(axis=1)[people]
            points = np.where(hit.any(axis=1)[people], points, -1)
    load = np.bincount(mentor[people], minlength=len(capacity))
    wrong = int((points < 0).sum()) + int(np.maximum(0, load - capacity).sum())
    return int(points[points >= 0].sum(dtype=np.int64)), len(people), wrong
