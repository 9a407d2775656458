"""One peer on one prepared problem, in a process and a virtual environment of its own.

``python peers.py NAME PROBLEM.npz RESULT.npz``. Needs numpy and that peer, nothing of ours. A problem holds the
candidates (``mentor``, ``score``: [mentees, width]; ``count``: [mentees]), ``capacity`` [mentors] and ``bonus``
[mentees], points for being matched at all. A dense one holds ``points`` [mentees, mentors], -1 where a rule forbids.
The result is each mentee's mentor or -1, the seconds and processor seconds that solving took, with building the
peer's own data structures and without reading the file, and the most memory that the process had in MiB.
"""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

Problem = Any


def edges(problem: Problem) -> tuple[Any, Any, Any]:
    """(mentee, mentor, points with bonus) of every candidate pair."""
    mentor, score, count = problem["mentor"], problem["score"], problem["count"]
    within = np.arange(mentor.shape[1])[None, :] < count[:, None]
    mentees = np.repeat(np.arange(len(count)), count)
    return (
        mentees,
        mentor[within].astype(np.int64),
        score[within].astype(np.int64) + problem["bonus"][mentees],
    )


def ortools(problem: Problem) -> Any:
    """Minimum-cost flow (cost scaling): every mentee sends one unit, past a mentor or straight to the sink."""
    from ortools.graph.python import min_cost_flow

    mentees, mentors, points = edges(problem)
    capacity = problem["capacity"]
    n, m = len(problem["count"]), len(capacity)
    sink = n + m
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(mentees, n + mentors, np.ones(len(points), np.int64), -points)
    flow.add_arcs_with_capacity_and_unit_cost(
        n + np.arange(m), np.full(m, sink), capacity, np.zeros(m, np.int64)
    )
    alone = np.arange(n)
    flow.add_arcs_with_capacity_and_unit_cost(
        alone, np.full(n, sink), np.ones(n, np.int64), np.zeros(n, np.int64)
    )
    flow.set_nodes_supplies(np.append(alone, sink), np.append(np.ones(n, np.int64), -n))
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("no optimum")
    chosen = np.full(n, -1)
    used = flow.flows(np.arange(len(points))) > 0
    chosen[mentees[used]] = mentors[used]
    return chosen


def _places(capacity: Any) -> tuple[Any, Any]:
    """Each place's mentor, and where each mentor's places begin."""
    return np.repeat(np.arange(len(capacity)), capacity), np.append(0, np.cumsum(capacity))


def sparse(problem: Problem) -> Any:
    """Every place is a column, and every mentee has a column of their own that stands for nobody."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    mentees, mentors, points = edges(problem)
    whose, begins = _places(problem["capacity"])
    n, room = len(problem["count"]), problem["capacity"][mentors]
    copies = np.repeat(np.arange(len(mentors)), room)
    within = np.arange(len(copies)) - np.repeat(np.cumsum(room) - room, room)
    rows = np.concatenate([mentees[copies], np.arange(n)])
    columns = np.concatenate([begins[mentors[copies]] + within, len(whose) + np.arange(n)])
    # The matcher takes a weight of 0 for no edge: everybody's weights are one higher.
    weights = np.concatenate([points[copies] + 1, np.ones(n, np.int64)]).astype(np.float64)
    graph = csr_array((weights, (rows, columns)), shape=(n, len(whose) + n))
    row, column = min_weight_full_bipartite_matching(graph, maximize=True)
    return _mentors_of(row, column, whose, n)


def dense(problem: Problem) -> Any:
    """Every pair and every place: a matrix of mentees by places. Who is best off with nobody gets a forbidden
    place, which counts as nobody."""
    from scipy.optimize import linear_sum_assignment

    points, bonus = problem["points"], problem["bonus"]
    whose, _ = _places(problem["capacity"])
    worth = np.where(points >= 0, points + bonus[:, None], 0)[:, whose].astype(np.float64)
    row, column = linear_sum_assignment(worth, maximize=True)
    chosen = _mentors_of(row, column, whose, len(points))
    forbidden = (chosen >= 0) & (points[np.arange(len(points)), chosen] < 0)
    chosen[forbidden] = -1
    return chosen


def _mentors_of(row: Any, column: Any, whose: Any, n: int) -> Any:
    chosen = np.full(n, -1)
    real = column < len(whose)
    chosen[row[real]] = whose[column[real]]
    return chosen


def matching(problem: Problem) -> Any:
    """Deferred acceptance of the ``matching`` package, mentees as residents: stable, not of the most value."""
    from matching.games import HospitalResident

    mentees, mentors, _ = edges(problem)
    first, second = problem["by_mentee"], problem["by_mentor"]
    count = problem["count"]
    within = np.arange(first.shape[1])[None, :] < count[:, None]
    mine, theirs = first[within], second[within]
    wanted = _ranked(mentees, mentors, mine)
    liked = _ranked(mentors, mentees, theirs)
    room = {mentor: int(problem["capacity"][mentor]) for mentor in liked}
    sys.setrecursionlimit(1_000_000)
    game = HospitalResident.create_from_dictionaries(
        {f"e{one}": [f"m{other}" for other in row] for one, row in wanted.items()},
        {f"m{one}": [f"e{other}" for other in row] for one, row in liked.items()},
        {f"m{one}": number for one, number in room.items()},
    )
    chosen = np.full(len(count), -1)
    for mentor, residents in game.solve(optimal="resident").items():
        for resident in residents:
            chosen[int(resident.name[1:])] = int(mentor.name[1:])
    return chosen


def _ranked(one: Any, other: Any, liked: Any) -> dict[int, list[int]]:
    """Who each of *one* has among *other*, the most liked first."""
    order = np.lexsort((-liked, one))
    begins = np.flatnonzero(np.diff(one[order], prepend=-1))
    return {
        int(one[order[first]]): other[order[first:past]].tolist()
        for first, past in pairwise([*begins.tolist(), len(order)])
    }


def greedy(problem: Problem) -> Any:
    """The highest pair that is still possible, again and again: what most programmes do by hand."""
    mentees, mentors, points = edges(problem)
    room = problem["capacity"].tolist()
    chosen = [-1] * len(problem["count"])
    order = np.argsort(-points, kind="stable")
    for i, j in zip(mentees[order].tolist(), mentors[order].tolist(), strict=True):
        if chosen[i] < 0 and room[j] > 0:
            chosen[i] = j
            room[j] -= 1
    return np.array(chosen)


PEERS: Final[dict[str, Callable[[Problem], Any]]] = {
    "ortools": ortools,
    "scipy sparse": sparse,
    "scipy dense": dense,
    "matching": matching,
    "greedy": greedy,
}

_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "ortools": ("ortools.graph.python.min_cost_flow",),
    "scipy sparse": ("scipy.sparse.csgraph",),
    "scipy dense": ("scipy.optimize",),
    "matching": ("matching.games",),
}
"""Loaded before the clock starts."""


def main() -> None:
    name, source, target = sys.argv[1:]
    with np.load(Path(source)) as stored:
        problem = {key: stored[key] for key in stored.files}
    for module in _MODULES.get(name, ()):
        import_module(module)
    wall, cpu = time.perf_counter(), time.process_time()
    chosen = PEERS[name](problem)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    # Of this program alone: what the system counts for a process begins with whoever started it.
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    np.savez(Path(target), mentor=np.asarray(chosen, np.int32), spent=np.array(spent), peak=np.array(peak))


if __name__ == "__main__":
    main()
