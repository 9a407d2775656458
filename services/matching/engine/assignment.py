"""Assigning mentees to mentors with room on a graph of candidates: an auction (Bertsekas 1979, with capacities).

Mentees without a mentor bid for the one who gives them most beyond the price, as much as the second best allows, plus
a small step. A mentor keeps as many of the highest bids as there is room; the price is the lowest of them, and nothing
while there is room left. At the end nobody gains more than a step by changing, so the sum of scores is at most
(people times step) below the optimum. Scores are scaled so that the smallest step makes this less than one point:
then the assignment is optimal on the graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.compiled import compiled
from services.matching.engine.heap import rise, sink
from services.matching.engine.refill import refill, suitors_of

_BIDS_EACH: Final = 100
"""Bids per mentee after which a step is given up as too small: many alike people outbid each other for ever."""
_COARSEST: Final = 64
_FINER: Final = 16
_LOWERINGS: Final = 20
_BLOCK: Final = 10_000


class TooManyBids(RuntimeError):
    """People are so alike that they outbid each other by a step at a time."""


class Graph(NamedTuple):
    """Candidates: [mentees, width] mentors and scores, and how many of each row count."""

    mentor: I32
    score: I32
    count: I32  # type: ignore[assignment]


class Book(NamedTuple):
    """Who holds which place at which bid: each mentor's places are a heap, the lowest bid first."""

    start: I64
    """[mentors + 1] into ``bid`` and ``bidder``."""
    bid: I64
    bidder: I32
    taken: I64
    """[mentors] places held."""
    price: I64
    """[mentors] points times scale; 0 while there is room."""
    assigned: I32
    """[mentees] mentor, or -1."""


class Priced(Protocol):
    """What the schedule of steps looks at in a book."""

    @property
    def taken(self) -> I64: ...
    @property
    def price(self) -> I64: ...


B = TypeVar("B", bound=Priced)


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment, and the state of the auction from which later ones can go on."""

    book: Book
    scale: int
    bids: int
    exact: bool
    """Whether it is optimal on the graph."""

    @property
    def mentor(self) -> I32:
        """[mentees] or -1."""
        return self.book.assigned

    @property
    def price(self) -> I64:
        """[mentors] points times ``scale``."""
        return self.book.price


def _book(people: int, capacity: I64, price: I64) -> Book:
    start = np.zeros(len(capacity) + 1, np.int64)
    np.cumsum(capacity, out=start[1:])
    places = int(start[-1])
    return Book(
        start=start,
        bid=np.zeros(places, np.int64),
        bidder=np.zeros(places, np.int32),
        taken=np.zeros(len(capacity), np.int64),
        price=price,
        assigned=np.full(people, -1, np.int32),
    )


@compiled
def auction(
    graph: Any,
    capacity: Any,
    bonus: Any,
    scale: int,
    step: int,
    most: int,
    book: Any,
    queue: Any,
    waiting: int,
) -> int:
    """Let those in *queue* (a ring with room for everybody and one more; the first *waiting* of it) bid until nobody
    waits. Bids made, or -1 when they would be more than *most*."""
    mentor, score, count = graph.mentor, graph.score, graph.count
    start, bid, bidder, taken = book.start, book.bid, book.bidder, book.taken
    price, assigned = book.price, book.assigned
    ring = len(queue)
    head, bids = 0, 0
    while waiting > 0:
        i = queue[head]
        head = head + 1 if head + 1 < ring else 0
        waiting -= 1
        best = np.int64(0)
        second = np.int64(0)
        chosen = -1
        for a in range(count[i]):
            j = mentor[i, a]
            if capacity[j] == 0:
                continue
            gain = (score[i, a] + bonus[i]) * scale - price[j]
            if gain > best:
                second, best, chosen = best, gain, j
            elif gain > second:
                second = gain
        if chosen < 0:
            continue  # nobody is worth the price any more, and prices only rise
        bids += 1
        if bids > most:
            return -1
        offer = price[chosen] + best - second + step
        first, room = start[chosen], capacity[chosen]
        if taken[chosen] < room:
            place = rise(bid, bidder, first, taken[chosen], offer)
            taken[chosen] += 1
        else:
            outbid = bidder[first]
            assigned[outbid] = -1
            tail = head + waiting
            queue[tail if tail < ring else tail - ring] = outbid
            waiting += 1
            place = sink(bid, bidder, first, 0, room, offer)
        bid[first + place], bidder[first + place] = offer, i
        assigned[i] = chosen
        if taken[chosen] == room:
            price[chosen] = max(price[chosen], bid[first])
    return bids


def assign(graph: Graph, capacity: I64, bonus: I64, *, room_to_grow: int = 0) -> Assignment:
    """The best assignment on *graph*: exact unless people are so alike that its bids would be too many.

    *capacity* [mentors]; *bonus* [mentees] is added to a mentee's scores. With *room_to_grow* so many more mentees may
    :func:`join <joined>` later and the assignment stays exact.
    """
    people = len(graph.count)
    scale = people + room_to_grow + 1
    if price := _first_price(graph, capacity, bonus):
        contended = _begun_at(graph, capacity, bonus, scale, price)
        if contended is not None:
            return contended
    highest = int(graph.score.max() + bonus.max()) * scale
    book, bids, exact = scheduled(
        lambda step, price: _run(graph, capacity, bonus, scale, step, price),
        capacity,
        highest,
        most_bids(people),
    )
    return Assignment(book, scale, bids, exact)


def _first_price(graph: Graph, capacity: I64, bonus: I64) -> int:
    """About what the cheapest places will cost where there are fewer places than people, else nothing. With as many
    people as there are places in the order of what their best candidate is worth to them, the last one of these would
    pay all of that at most; a third of it less is what the cheapest places cost in pools of every size."""
    people, places = np.flatnonzero(graph.count > 0), int(capacity.sum())
    if len(people) <= places or not places:
        return 0
    width = graph.score.shape[1]
    worth = np.full(len(people), np.iinfo(np.int64).min)
    for begin in range(0, len(people), _BLOCK):
        rows = people[begin : begin + _BLOCK]
        within = np.arange(width)[None, :] < graph.count[rows, None]
        worth[begin : begin + _BLOCK] = np.where(within, graph.score[rows], 0).max(axis=1) + bonus[rows]
    last, least = int(np.partition(worth, -places)[-places]), int(bonus[people].min())
    return max(0, last - (last - least) // 3)


def _begun_at(graph: Graph, capacity: I64, bonus: I64, scale: int, first: int) -> Assignment | None:
    """An auction in which every place costs something from the beginning, and the places that nobody took at that
    price become cheaper. None when that is not quick."""
    people = len(graph.count)
    done = _run(graph, capacity, bonus, scale, 1, np.full(len(capacity), first * scale, np.int64))
    if done is None:
        return None
    book, bids = done
    free = np.flatnonzero((book.taken < capacity) & (book.price > 0))
    suitors = suitors_of(graph, len(capacity), people)
    moves = refill(graph, capacity, bonus, scale, people, book, suitors, free)
    return None if moves < 0 else Assignment(book, scale, bids + moves, exact=True)


def scheduled(
    run: Callable[[int, I64], tuple[B, int] | None], capacity: I64, highest: int, most: int
) -> tuple[B, int, bool]:
    """The book of an auction with the smallest step if *run* (a step and the prices at its beginning) can make it
    within its *most* bids; the bids made; whether the step is the smallest. *highest* is the highest gain, scaled."""
    step, total = 1, 0
    nothing = np.zeros(len(capacity), np.int64)
    done = run(step, nothing.copy())
    if done is None:
        # People are so alike that they outbid each other by a step at a time: begin with great steps, which show
        # about where prices end, and let finer ones begin a little below.
        total += most
        step = max(1, highest // _COARSEST)
        while (done := run(step, nothing.copy())) is None:
            total += most
            step *= _FINER
    book, bids = done
    while step > 1:
        begin = np.maximum(0, book.price - 2 * step)
        step = max(1, step // _FINER)
        finer = _settle(run, capacity, step, begin)
        total += bids
        if finer is None:
            return book, total, False
        book, bids = finer
    return book, total + bids, True


def most_bids(people: int) -> int:
    """After so many bids of *people* mentees a step is given up as too small."""
    return _BIDS_EACH * people + 10_000


def _run(
    graph: Graph, capacity: I64, bonus: I64, scale: int, step: int, price: I64
) -> tuple[Book, int] | None:
    """An auction that begins with *price*, and its bids; None when they would be too many."""
    people = len(graph.count)
    book = _book(people, capacity, price)
    queue = np.zeros(people + 1, np.int32)
    queue[:people] = np.arange(people)
    bids = int(auction(graph, capacity, bonus, scale, step, most_bids(people), book, queue, people))
    return None if bids < 0 else (book, bids)


def _settle(
    run: Callable[[int, I64], tuple[B, int] | None], capacity: I64, step: int, price: I64
) -> tuple[B, int] | None:
    """An auction that begins with prices: whoever ends with room and a price begins the next one at nothing."""
    total = 0
    for _ in range(_LOWERINGS):
        done = run(step, price.copy())
        if done is None:
            return None
        book, bids = done
        total += bids
        unsold = (book.taken < capacity) & (book.price > 0)
        if not unsold.any():
            return book, total
        price = np.where(unsold, 0, price)
    return None


def joined(graph: Graph, capacity: I64, bonus: I64, assignment: Assignment, mentee: int) -> int:
    """Go on with the auction for a mentee whose row of *graph* was just filled in. The book is changed in place; the
    result is as good as a new assignment of everybody. Returns the bids made; raises :class:`TooManyBids` when the
    book must be made anew."""
    queue = np.zeros(len(graph.count) + 1, np.int32)
    queue[0] = mentee
    most = most_bids(len(graph.count))
    bids = int(auction(graph, capacity, bonus, assignment.scale, 1, most, assignment.book, queue, 1))
    if bids < 0:
        raise TooManyBids("one arrival set off too many bids")
    return bids
