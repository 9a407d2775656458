"""Pairs within one pool. That is matching in a graph without sides, where prices alone do not prove an optimum: of
three equals each pair is worth 1, prices promise 1.5, and one pair can be made.

Everybody is put on both sides, as who wants and as who gives, with the same points both ways. The best assignment of
this doubled pool is worth at least twice the best pairs: half its bound is the bound of the pairs. It consists of
pairs, chains and circles of people; each chain and circle is cut into its best pairs, who is left over is doubled
again, and at last pairs are improved by exchanges. A small pool is solved exactly instead (Edmonds 1965).
"""

from dataclasses import replace
from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, Population
from services.matching.engine.assignment import Graph
from services.matching.engine.configuration import Configuration, Objective
from services.matching.engine.encode import Encoded
from services.matching.engine.outcome import Outcome
from services.matching.engine.peering import cut, extend, improve, neighbours, table, worth
from services.matching.engine.reach import match_more
from services.matching.engine.result import Progress
from services.matching.engine.search import search

MOST_EXACT: Final = 200
"""People up to whom a pool is solved exactly: that takes three seconds for so many, and grows with the third power."""
_DOUBLINGS: Final = 30
_PASSES: Final = 20
_MOST_LOOKS: Final = 20_000_000
COVERS: Final = (
    "All pairs that the rules allow. A pool of peers has no two sides, so the best possible may lie below the bound, "
    "which is half of what the pool is worth when everybody stands on both."
)
EXACT: Final = "All pairs that the rules allow. The pool is small and was solved exactly: nothing is better."


def solve(encoded: Encoded, configuration: Configuration, threads: int, progress: Progress) -> Outcome:
    """Pairs of peers, each once, the one with the lower id as the mentee."""
    people = encoded.people
    size = len(people.bonus)
    column = {person.person_id: j for j, person in enumerate(encoded.mentors)}
    columns = np.array([column[person.person_id] for person in encoded.mentees], np.int32)
    found = search(people, configuration, threads=threads, progress=progress)
    doubled, _, proven = match_more(people, found.mentor)
    at_most = (int((doubled >= 0).sum()) if proven else size) // 2 * 2
    twice = found.bound + int(people.bonus[found.mentor >= 0].sum())
    covers, exact = COVERS, size <= MOST_EXACT
    if exact:
        progress("pairs", 0.0)
        covers, mate = EXACT, _solved_exactly(people, columns, configuration.objective)
        if configuration.objective is Objective.PEOPLE:
            at_most = int((mate >= 0).sum())
    else:
        mate = _paired(people, columns, found.mentor, found.graph, configuration, threads, progress)
    matched = np.flatnonzero(mate >= 0)
    bonus = int(people.bonus[matched].sum())
    ids = [person.person_id for person in encoded.mentees]
    first = np.array([i for i in matched.tolist() if ids[i] < ids[mate[i]]], np.int32)
    total = sum(worth(people, columns, int(i), int(mate[i])) for i in first)
    return Outcome(
        mentee=first,
        mentor=columns[mate[first]],
        bonus=0,
        # In the doubled pool a pair counts its score twice and the bonus of both.
        dual=(total - bonus) // 2 if exact else (twice - bonus) // 2,
        ceiling=_ceiling(found.graph),
        matched_at_most=at_most,
        rounds=found.rounds,
        price=found.price,
        covers=covers,
    )


def _ceiling(graph: Graph) -> int:
    """Nobody's pair is worth more than the best that they could have; each pair is the best of two at most."""
    within = np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]
    return int(np.where(within, graph.score, 0).max(axis=1, initial=0).sum(dtype=np.int64)) // 2


def _solved_exactly(people: Population, columns: I32, objective: Objective) -> I32:
    """[people] the peer or -1."""
    import networkx  # half a second, which the other forms need not wait for

    size = len(columns)
    worths = np.full((size, size), -1, np.int64)
    table(people, columns, worths)
    graph = networkx.Graph()
    graph.add_nodes_from(range(size))
    rows, others = np.nonzero(worths >= 0)
    edges = zip(rows.tolist(), others.tolist(), worths[rows, others].tolist(), strict=True)
    graph.add_weighted_edges_from(edges)
    mate = np.full(size, -1, np.int32)
    for i, j in networkx.max_weight_matching(graph, maxcardinality=objective is Objective.PEOPLE):
        mate[i], mate[j] = j, i
    return mate


def _paired(
    people: Population,
    columns: I32,
    assigned: I32,
    graph: Graph,
    configuration: Configuration,
    threads: int,
    progress: Progress,
) -> I32:
    """[people] the peer or -1, from the best assignment of the doubled pool."""
    row = np.full(len(people.capacity), -1, np.int32)
    row[columns] = np.arange(len(columns))
    mate = np.full(len(columns), -1, np.int32)
    once = replace(configuration, rounds=1)
    for number in range(_DOUBLINGS):
        progress("pairs", number / _DOUBLINGS)
        if not cut(people, columns, np.where(assigned >= 0, row[assigned], -1).astype(np.int32), mate):
            break
        free = mate[people.order] < 0
        alone = np.zeros(len(people.capacity), np.int64)
        alone[columns[mate < 0]] = 1
        left = people._replace(order=people.order[free], capacity=alone)
        assigned = search(left, once, threads=threads).mentor
    near = neighbours(graph, row)
    waiting = np.ones(len(columns), np.bool_)
    for number in range(_PASSES):
        progress("exchanges", number / _PASSES)
        if not improve(people, columns, near, mate, waiting):
            if not extend(people, columns, mate, _MOST_LOOKS):
                break
            waiting[:] = True
    return mate
