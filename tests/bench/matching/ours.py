"""The engine on one size, in a process of its own: ``python -m tests.bench.matching.ours MENTEES MENTORS KIND FOLDER``.

The pool is made and the machine code loaded before the clock starts. Writes the problem that peers solve (the
candidates on which the run ended; for small sizes all pairs too), and what was measured.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.matching.engine import match as engine
from services.matching.engine import single
from services.matching.engine.assignment import Graph, assign
from services.matching.engine.encode import Encoded
from services.matching.engine.kernel import best_mentors
from services.matching.engine.search import Found
from services.matching.engine.stable import blocking_pairs, mentees_propose, preferences_of
from services.matching.engine.warm import warm
from tests.bench.matching.check import violations
from tests.bench.matching.people import CONFIGURATION, Size, pool_of

MOST_DENSE: Final = 50_000_000
"""Pairs up to which the whole table of points is written down."""
_TIMES: Final = 3


@dataclass(slots=True)
class Spent:
    """Seconds on the clock and of all processors."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass(slots=True)
class Ours:
    """What the engine's process measured on one size."""

    whole: Spent = field(default_factory=Spent)
    phases: dict[str, Spent] = field(default_factory=dict)
    pool_mib: float = 0.0
    """Memory before the run: Python, the compiler and the people as objects."""
    peak_mib: float = 0.0
    value: int = 0
    matched: int = 0
    gap: float = 0.0
    rounds: int = 0
    violations: int = 0
    digest: str = ""
    pairs: int = 0
    """Candidate pairs on which the run ended."""
    solver: Spent = field(default_factory=Spent)
    """The assignment alone on these candidates, the fastest of three."""
    solver_value: int = 0
    solver_matched: int = 0
    stable: Spent = field(default_factory=Spent)
    stable_value: int = 0
    stable_matched: int = 0
    stable_blocking: int = 0


@contextmanager
def spending(spent: Spent) -> Iterator[None]:
    """Adds what its body takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    spent.wall += time.perf_counter() - wall
    spent.cpu += time.process_time() - cpu


class Watch:
    """Times the engine's phases and keeps what passes between them, without the engine's knowledge."""

    def __init__(self, measured: Ours) -> None:
        self._phases = measured.phases
        self.encoded: Encoded
        self.found: Found
        for module, name, phase in (
            (engine, "encode", "encode"),
            (single, "search", "search"),
            (single, "match_more", "exchanges"),
            (engine, "result_of", "reasons and figures"),
        ):
            setattr(module, name, self._timed(getattr(module, name), phase))

    def _timed(self, function: Callable[..., Any], phase: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            with spending(self._phases.setdefault(phase, Spent())):
                made = function(*given, **named)
            if isinstance(made, Encoded):
                self.encoded = made
            elif isinstance(made, Found):
                self.found = made
            return made

        return call


def peak_mib(*, since_now: bool = False) -> float:
    """The most memory that this process has had since it was last asked for *since_now*."""
    if since_now:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measure(size: Size, folder: Path) -> Ours:
    """Runs the engine, and writes ``candidates.npz`` and for small sizes ``dense.npz`` into the folder."""
    warm(only_rounds=True)  # what the run needs, and not the other forms' code beside it
    pool, measured = pool_of(size), Ours()
    gc.collect()
    measured.pool_mib = peak_mib(since_now=True)
    watch = Watch(measured)
    with spending(measured.whole):
        result = engine.match(pool, CONFIGURATION)
    measured.peak_mib = peak_mib()
    certificate = result.certificate
    measured.value, measured.gap, measured.rounds = certificate.value, certificate.gap, certificate.rounds
    measured.matched, measured.digest = certificate.matched, result.digest
    measured.violations = violations(
        pool, CONFIGURATION, [(pair.mentee_id, pair.mentor_id) for pair in result.pairs]
    )
    del result
    people, graph = watch.encoded.people, watch.found.graph
    measured.pairs = int(graph.count.sum())
    tries = []
    for _ in range(_TIMES):
        spent = Spent()
        with spending(spent):
            solved = assign(graph, people.capacity, people.bonus)
        tries.append(spent)
    measured.solver = min(tries, key=lambda spent: spent.wall)
    measured.solver_value, measured.solver_matched = worth(graph, solved.mentor)
    preferences = preferences_of(people, graph)
    with spending(measured.stable):
        stable = mentees_propose(graph, people.capacity, preferences)
    measured.stable_value, measured.stable_matched = worth(graph, stable)
    measured.stable_blocking = blocking_pairs(people, graph, stable)
    np.savez(
        folder / "candidates.npz",
        mentor=graph.mentor, score=graph.score, count=graph.count, capacity=people.capacity, bonus=people.bonus,
        by_mentee=preferences.by_mentee, by_mentor=preferences.by_mentor,
    )  # fmt: skip
    if size.mentees * size.mentors <= MOST_DENSE:
        np.savez(
            folder / "dense.npz", points=_all_pairs(people), capacity=people.capacity, bonus=people.bonus
        )
    return measured


def worth(graph: Graph, mentor: Any) -> tuple[int, int]:
    """(value, people matched) of an assignment on candidates."""
    within = np.arange(graph.mentor.shape[1])[None, :] < graph.count[:, None]
    hit = within & (graph.mentor == np.asarray(mentor)[:, None])
    return int(graph.score[hit].sum(dtype=np.int64)), int(hit.sum())


def _all_pairs(people: Any) -> Any:
    """[mentees, mentors] points, -1 where a rule forbids."""
    n, m = len(people.bonus), len(people.capacity)
    points = np.full((n, m), -1, np.int32)
    mentor, score = np.zeros((n, m), np.int32), np.zeros((n, m), np.int32)
    found = np.zeros(n, np.int32)
    floor = np.asarray(-people.bonus - 1, np.int32)
    best_mentors(people, 0, n, np.zeros(m, np.int32), floor, m, mentor, score, found)
    for i in range(n):
        points[i, mentor[i, : found[i]]] = score[i, : found[i]]
    return points


def main() -> None:
    mentees, mentors, kind, folder = sys.argv[1:]
    size = Size(int(mentees), int(mentors), kind == "scarce")
    measured = measure(size, Path(folder))
    Path(folder, "ours.json").write_text(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
