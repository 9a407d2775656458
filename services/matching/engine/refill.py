"""Places that are free at a price: a reverse auction (Bertsekas, Castañón 1992).

A free place looks for the mentee who gains most from it, at the price that the second best would pay, and leaves a free
place behind where that one was; nobody wants a place any more only when it costs nothing. So an auction need not begin
with prices of nothing, nor when somebody leaves: whatever was too dear becomes cheaper here.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.compiled import compiled
from services.matching.engine.heap import rise, sink

if TYPE_CHECKING:
    from services.matching.engine.assignment import Book, Graph


class Suitors(NamedTuple):
    """The candidates seen from mentors: who has each among theirs."""

    start: I64
    """[mentors + 1] into the others."""
    mentee: I32
    score: I32
    people: int
    """Mentees in them; the rows of later ones are searched."""


@compiled
def _count_suitors(graph: Any, start: Any) -> None:
    for i in range(len(graph.count)):
        for a in range(graph.count[i]):
            start[graph.mentor[i, a] + 1] += 1
    for j in range(1, len(start)):
        start[j] += start[j - 1]


@compiled
def _fill_suitors(graph: Any, start: Any, mentee: Any, score: Any) -> None:
    place = start[:-1].copy()
    for i in range(len(graph.count)):
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            mentee[place[j]], score[place[j]] = i, graph.score[i, a]
            place[j] += 1


def suitors_of(graph: "Graph", mentors: int, people: int) -> Suitors:
    """Everybody in the first *people* rows of the graph; the others are empty."""
    start = np.zeros(mentors + 1, np.int64)
    _count_suitors(graph, start)
    mentee, score = np.empty(start[-1], np.int32), np.empty(start[-1], np.int32)
    _fill_suitors(graph, start, mentee, score)
    return Suitors(start, mentee, score, people)


@compiled
def level(book: Any) -> None:
    """Everybody's bid becomes the price. Bids above it were made when other prices or candidates were other ones: who
    made them might not pay them any more."""
    for j in range(len(book.price)):
        for place in range(book.start[j], book.start[j] + book.taken[j]):
            book.bid[place] = book.price[j]


@compiled
def give_up(book: Any, i: int) -> None:
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
    place = sink(bid, bidder, first, rise(bid, bidder, first, place, moved), size, moved)
    bid[first + place], bidder[first + place] = moved, who


@compiled
def _take(book: Any, i: int, j: int, offer: int) -> None:
    """A mentee takes a free place at a price that nobody there pays less than."""
    bid, bidder, first = book.bid, book.bidder, book.start[j]
    place = rise(bid, bidder, first, book.taken[j], offer)
    bid[first + place], bidder[first + place] = offer, i
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
            give_up(book, who)
            if not waits[left]:
                waits[left] = True
                stack[size] = left
                size += 1
        _take(book, who, j, price[j])
    return moves


def refill(
    graph: "Graph",
    capacity: I64,
    bonus: I64,
    scale: int,
    most: int,
    book: "Book",
    suitors: Suitors,
    free: I64,
) -> int:
    """:func:`_refill` with the smallest step; whoever has a place has it at its price afterwards."""
    moves = int(_refill(graph, capacity, bonus, scale, 1, most, book, suitors, free))
    level(book)
    return moves
