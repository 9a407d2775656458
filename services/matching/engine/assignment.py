"""Assigning mentees to mentors with room on a graph of candidates: an auction (Bertsekas 1979, with capacities).

Mentees without a mentor bid for the one who gives them most beyond the price, as much as the second best allows, plus
a small step. A mentor keeps as many of the highest bids as there is room; the price is the lowest of them, and nothing
while there is room left. At the end nobody gains more than a step by changing, so the sum of scores is at most
(people times step) below the optimum. Scores are scaled so that the smallest step makes this less than one point:
then the assignment is optimal on the graph.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from services.matching.engine.arrays import I32, I64

_BIDS_EACH: Final = 400
"""Bids per mentee after which a step is given up as too small: many alike people outbid each other for ever."""
_COARSER: Final = 16


class Graph(NamedTuple):
    """Candidates: [mentees, width] mentors and scores, and how many of each row count."""

    mentor: I32
    score: I32
    count: I32


@dataclass(frozen=True, slots=True)
class Assignment:
    """``mentor`` is [mentees], -1 for nobody. Prices [mentors] are points times ``scale``, 0 while there is room."""

    mentor: I32
    price: I64
    scale: int
    bids: int
    exact: bool
    """Whether it is optimal on the graph."""


@njit(cache=True, nogil=True)
def _auction(
    graph: Any, capacity: Any, bonus: Any, scale: int, step: int, most_bids: int, price: Any, assigned: Any
) -> int:
    """Bids made, or -1 when they were too many. *price* holds where prices begin, and then where they end."""
    people, mentors = len(graph.count), len(capacity)
    start = np.zeros(mentors + 1, np.int64)
    for j in range(mentors):
        start[j + 1] = start[j] + capacity[j]
    bid = np.empty(start[mentors], np.int64)
    bidder = np.empty(start[mentors], np.int32)
    taken = np.zeros(mentors, np.int64)
    queue = np.empty(people + 1, np.int32)
    for i in range(people):
        queue[i] = i
        assigned[i] = -1
    head, waiting, bids = 0, people, 0
    while waiting > 0:
        i = queue[head]
        head = 0 if head == people else head + 1
        waiting -= 1
        best = np.int64(0)
        second = np.int64(0)
        chosen = -1
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            if capacity[j] == 0:
                continue
            gain = (graph.score[i, a] + bonus[i]) * scale - price[j]
            if gain > best:
                second, best, chosen = best, gain, j
            elif gain > second:
                second = gain
        if chosen < 0:
            continue  # nobody is worth the price any more, and prices only rise
        bids += 1
        if bids > most_bids:
            return -1
        offer = price[chosen] + best - second + step
        first, room = start[chosen], capacity[chosen]
        if taken[chosen] < room:
            place = taken[chosen]
            taken[chosen] += 1
            while place > 0 and bid[first + ((place - 1) >> 1)] > offer:
                parent = (place - 1) >> 1
                bid[first + place], bidder[first + place] = bid[first + parent], bidder[first + parent]
                place = parent
        else:
            outbid = bidder[first]
            assigned[outbid] = -1
            tail = head + waiting
            queue[tail - people - 1 if tail > people else tail] = outbid
            waiting += 1
            place = 0
            while 2 * place + 1 < room:
                child = 2 * place + 1
                if child + 1 < room and bid[first + child + 1] < bid[first + child]:
                    child += 1
                if bid[first + child] >= offer:
                    break
                bid[first + place], bidder[first + place] = bid[first + child], bidder[first + child]
                place = child
        bid[first + place], bidder[first + place] = offer, i
        assigned[i] = chosen
        if taken[chosen] == room:
            price[chosen] = max(price[chosen], bid[first])
    for j in range(mentors):
        if taken[j] < capacity[j] and price[j] > 0:
            price[j] = -price[j]  # begun above nothing and never full: for the caller to lower
    return bids


def assign(graph: Graph, capacity: I64, bonus: I64) -> Assignment:
    """The best assignment on *graph*: exact unless people are so alike that its bids would be too many.

    *capacity* [mentors]; *bonus* [mentees] is added to a mentee's scores.
    """
    people, mentors = len(graph.count), len(capacity)
    scale = people + 1
    most = _BIDS_EACH * people + 10_000
    assigned = np.empty(people, np.int32)
    price = np.zeros(mentors, np.int64)
    total, step = 0, 1
    while True:
        bids = _auction(graph, capacity, bonus, scale, step, most, price, assigned)
        if bids >= 0:
            break
        total += most
        step *= _COARSER
        price[:] = 0
    total += bids
    # A coarse step has shown about where prices end. Finer ones begin a little below.
    while step > 1:
        finer = step // _COARSER
        begin = np.maximum(0, price - 2 * step)
        better, bids = _settle(graph, capacity, bonus, scale, finer, most, begin)
        total += bids
        if better is None:
            break
        assigned, price, step = *better, finer
    return Assignment(assigned, price, scale, total, step == 1)


_LOWERINGS: Final = 20


def _settle(
    graph: Graph, capacity: I64, bonus: I64, scale: int, step: int, most: int, price: I64
) -> tuple[tuple[I32, I64] | None, int]:
    """An auction that begins with prices: whoever ends with room and a price begins the next one at nothing."""
    total = 0
    for _ in range(_LOWERINGS):
        assigned = np.empty(len(graph.count), np.int32)
        begin = price.copy()
        bids = _auction(graph, capacity, bonus, scale, step, most, price, assigned)
        if bids < 0:
            return None, total + most
        total += bids
        unsold = price < 0
        if not unsold.any():
            return (assigned, price), total
        price = np.where(unsold, 0, begin)
    return None, total
