"""Going on with an auction: when candidates are added, or somebody leaves, instead of beginning anew.

Whoever could gain by a new candidate gives up their place and bids again. A place that became free at a price looks for
somebody (:mod:`refill`). At the end nobody gains more than a step by changing and free places cost nothing: the
result is as good as a new one.
"""

from typing import Any

import numpy as np

from services.matching.engine.arrays import I64
from services.matching.engine.assignment import Assignment, Book, Graph, TooManyBids, auction, most_bids
from services.matching.engine.compiled import compiled
from services.matching.engine.refill import Suitors, give_up, level, refill, suitors_of


@compiled
def _unsettled(graph: Any, capacity: Any, bonus: Any, scale: int, step: int, book: Any, queue: Any) -> int:
    """Puts into *queue* everybody who has nobody and could gain, or could gain more than a step by changing (and gives
    up their place). How many."""
    waiting = 0
    for i in range(len(graph.count)):
        own = book.assigned[i]
        best = np.int64(0)
        mine = np.int64(0)
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            if capacity[j] == 0:
                continue
            gain = (graph.score[i, a] + bonus[i]) * scale - book.price[j]
            best = max(best, gain)
            if j == own:
                mine = gain
        if best - mine > (step if own >= 0 else 0):
            if own >= 0:
                give_up(book, i)
            queue[waiting] = i
            waiting += 1
    return waiting


def resumed(graph: Graph, capacity: I64, bonus: I64, before: Assignment) -> Assignment | None:
    """The best assignment on *graph*, which is that of *before* with candidates added. None when *before* is not exact,
    or going on takes too many bids: then :func:`assign` it anew."""
    if not before.exact:
        return None
    people, most, scale = len(graph.count), most_bids(len(graph.count)), before.scale
    book = Book._make(values.copy() for values in before.book)
    level(book)
    queue = np.zeros(people + 1, np.int32)
    waiting = int(_unsettled(graph, capacity, bonus, scale, 1, book, queue))
    bids = int(auction(graph, capacity, bonus, scale, 1, most, book, queue, waiting))
    if bids < 0:
        return None
    free = np.flatnonzero((book.taken < capacity) & (book.price > 0))
    moves = refill(graph, capacity, bonus, scale, most, book, suitors_of(graph, len(capacity), people), free)
    return None if moves < 0 else Assignment(book, scale, bids + moves, exact=True)


def left(
    graph: Graph, capacity: I64, bonus: I64, assignment: Assignment, suitors: Suitors, mentee: int
) -> int:
    """Somebody leaves, their row of *graph* becomes empty, and whoever gains from the free place moves up. The book is
    changed in place. Moves made; raises :class:`TooManyBids` when they were too many and the book must be made anew."""
    mentor = int(assignment.mentor[mentee])
    graph.count[mentee] = 0
    if mentor < 0:
        return 0
    give_up(assignment.book, mentee)
    most, free = most_bids(len(graph.count)), np.array([mentor])
    moves = refill(graph, capacity, bonus, assignment.scale, most, assignment.book, suitors, free)
    if moves < 0:
        raise TooManyBids("one departure set off too many moves")
    return moves
