"""Going on with an auction: when candidates are added, or somebody leaves, instead of beginning anew.

Whoever could gain by a new candidate gives up their place and bids again. A place that became free at a price looks for
the mentee who gains most from it, at the price that the second best would pay, and leaves a free place behind where
that one was; nobody wants a place any more only when it costs nothing (a reverse auction: Bertsekas, Castañón 1992).
At the end nobody gains more than a step by changing and free places cost nothing: the result is as good as a new one.
"""

from typing import Any, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.assignment import Assignment, Book, Graph, TooManyBids, auction, most_bids
from services.matching.engine.compiled import compiled


class Suitors(NamedTuple):
    """The candidates seen from mentors: who has each among theirs."""

    start: I64
    """[mentors + 1] into the others."""
    mentee: I32
    score: I32
    people: int
    """Mentees in them; the rows of later ones are searched."""


@compiled
def _fill_suitors(graph: Any, start: Any, mentee: Any, score: Any) -> None:
    place = start[:-1].copy()
    for i in range(len(graph.count)):
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            mentee[place[j]], score[place[j]] = i, graph.score[i, a]
            place[j] += 1


def suitors_of(graph: Graph, mentors: int, people: int) -> Suitors:
    """Everybody in the first *people* rows of the graph; the others are empty."""
    within = np.arange(graph.mentor.shape[1])[None, :] < graph.count[:, None]
    start = np.zeros(mentors + 1, np.int64)
    np.cumsum(np.bincount(graph.mentor[within], minlength=mentors), out=start[1:])
    mentee, score = np.empty(start[-1], np.int32), np.empty(start[-1], np.int32)
    _fill_suitors(graph, start, mentee, score)
    return Suitors(start, mentee, score, people)


@compiled
def _level(book: Any) -> None:
    """Everybody's bid becomes the price. Bids above it were made when other prices or candidates were other ones: who
    made them might not pay them any more."""
    for j in range(len(book.price)):
        for place in range(book.start[j], book.start[j] + book.taken[j]):
            book.bid[place] = book.price[j]


@compiled
def _give_up(book: Any, i: int) -> None:
    """A mentee's place becomes free; its price stays."""
    j = book.assigned[i]
    bid, bidder, first = book.bid, book.bidder, book.start[j]
    place = 0
    while bidder[first + place] != i:
        place += 1
    book.taken[j] -= 1
    book.assigned[i] = -1
    size = book.taken[j]
    if place == size:
        return
    moved, who = bid[first + size], bidder[first + size]
    while place > 0 and bid[first + ((place - 1) >> 1)] > moved:
        parent = (place - 1) >> 1
        bid[first + place], bidder[first + place] = bid[first + parent], bidder[first + parent]
        place = parent
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and bid[first + child + 1] < bid[first + child]:
            child += 1
        if bid[first + child] >= moved:
            break
        bid[first + place], bidder[first + place] = bid[first + child], bidder[first + child]
        place = child
    bid[first + place], bidder[first + place] = moved, who


@compiled
def _take(book: Any, i: int, j: int, offer: int) -> None:
    """A mentee takes a free place at a price that nobody there pays less than."""
    bid, bidder, first = book.bid, book.bidder, book.start[j]
    place = book.taken[j]
    while place > 0:
        parent = (place - 1) >> 1
        bid[first + place], bidder[first + place] = bid[first + parent], bidder[first + parent]
        place = parent
    bid[first], bidder[first] = offer, i
    book.taken[j] += 1
    book.assigned[i] = j


@compiled
def _worth(graph: Any, bonus: Any, scale: int, assigned: Any, i: int) -> int:
    """What somebody's mentor is worth to them, scaled."""
    for a in range(graph.count[i]):
        if graph.mentor[i, a] == assigned[i]:
            return (graph.score[i, a] + bonus[i]) * scale
    return 0


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
                _give_up(book, i)
            queue[waiting] = i
            waiting += 1
    return waiting


@compiled
def _refill(
    graph: Any,
    capacity: Any,
    bonus: Any,
    scale: int,
    step: int,
    most: int,
    book: Any,
    suitors: Any,
    free: Any,
) -> int:
    """Lets the free places of some mentors look for mentees until none has a price. Moves made, or -1 when they would
    be more than *most*."""
    start, mentee, score = suitors.start, suitors.mentee, suitors.score
    taken, price, assigned, count = book.taken, book.price, book.assigned, graph.count
    stack = np.empty(len(capacity), np.int32)
    waits = np.zeros(len(capacity), np.bool_)
    size, moves = 0, 0
    for j in free:
        stack[size] = j
        waits[j] = True
        size += 1
    while size > 0:
        j = stack[size - 1]
        if taken[j] >= capacity[j] or price[j] == 0:
            size -= 1
            waits[j] = False
            continue
        moves += 1
        if moves > most:
            return -1
        best = np.int64(0)
        second = np.int64(0)
        who = -1
        rows = start[j + 1] - start[j]
        for q in range(rows + len(count) - suitors.people):
            if q < rows:
                i, points = mentee[start[j] + q], score[start[j] + q]
                if count[i] == 0:
                    continue
            else:
                i, points = suitors.people + q - rows, -1
                for a in range(count[i]):
                    if graph.mentor[i, a] == j:
                        points = graph.score[i, a]
                if points < 0:
                    continue
            if assigned[i] == j:
                continue
            own = np.int64(0)
            if assigned[i] >= 0:
                own = _worth(graph, bonus, scale, assigned, i) - price[assigned[i]]
            gain = (points + bonus[i]) * scale - own
            if gain > best:
                best, second, who = gain, best, i
            elif gain > second:
                second = gain
        if best <= step:
            price[j] = 0
            continue
        price[j] = max(0, min(price[j], second - step))
        left = assigned[who]
        if left >= 0:
            _give_up(book, who)
            if not waits[left]:
                waits[left] = True
                stack[size] = left
                size += 1
        _take(book, who, j, price[j])
    return moves


def resumed(graph: Graph, capacity: I64, bonus: I64, before: Assignment) -> Assignment | None:
    """The best assignment on *graph*, which is that of *before* with candidates added. None when *before* is not exact,
    or going on takes too many bids: then :func:`assign` it anew."""
    if not before.exact:
        return None
    people, most, scale = len(graph.count), most_bids(len(graph.count)), before.scale
    book = Book._make(values.copy() for values in before.book)
    _level(book)
    queue = np.zeros(people + 1, np.int32)
    waiting = int(_unsettled(graph, capacity, bonus, scale, 1, book, queue))
    bids = int(auction(graph, capacity, bonus, scale, 1, most, book, queue, waiting))
    if bids < 0:
        return None
    free = np.flatnonzero((book.taken < capacity) & (book.price > 0))
    moves = int(
        _refill(graph, capacity, bonus, scale, 1, most, book, suitors_of(graph, len(capacity), people), free)
    )
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
    _give_up(assignment.book, mentee)
    most, free = most_bids(len(graph.count)), np.array([mentor])
    moves = int(_refill(graph, capacity, bonus, assignment.scale, 1, most, assignment.book, suitors, free))
    _level(assignment.book)
    if moves < 0:
        raise TooManyBids("one departure set off too many moves")
    return moves
