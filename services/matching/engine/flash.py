"""Single meetings: each mentee meets several different mentors, each mentor as many mentees as there is room.

The same auction as for one mentor each, with as many places for a mentee as there are meetings: whoever has a place
open bids for the best mentor whom they do not meet yet, as much as the best of the others allows. Given prices, a
mentee gains most by the best few mentors at these prices, so the bound is as for one-to-one with "the best few" for
"the best". With the objective ``people`` the first meeting of somebody counts before the second of another.
"""

from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Graph, most_bids, scheduled
from services.matching.engine.compiled import compiled
from services.matching.engine.configuration import Configuration, Objective
from services.matching.engine.encode import Encoded
from services.matching.engine.outcome import Outcome
from services.matching.engine.pairwise import factors_of
from services.matching.engine.reach import match_more
from services.matching.engine.result import Progress
from services.matching.engine.search import look

COVERS: Final = "All sets of meetings that the rules allow, with these capacities and scores, no pair twice."


class Wanted(NamedTuple):
    """What mentees ask for."""

    meetings: I64
    """[mentees] at most."""
    first: I64
    """[mentees] points for a first meeting beside its score."""
    further: int
    """Points for each further one; not more than for a first one."""


class Book(NamedTuple):
    """Who holds which place at which bid: each mentor's places are a heap, the lowest bid first."""

    start: I64
    bid: I64
    bidder: I32
    edge: I32
    """Where in the bidder's row of candidates the mentor stands."""
    taken: I64
    price: I64
    held: Any
    """[mentees, width] whether the candidate is met."""
    has: I64
    """[mentees] meetings held."""


@compiled
def _auction(graph: Any, capacity: Any, wanted: Any, scale: int, step: int, most: int, book: Any) -> int:
    """Everybody bids until nobody wants to. Bids made, or -1 when they would be more than *most*."""
    mentor, score, count = graph.mentor, graph.score, graph.count
    people = len(count)
    ring = np.empty(people + 1, np.int32)
    queued = np.ones(people, np.bool_)
    for i in range(people):
        ring[i] = i
    head, waiting, bids = 0, people, 0
    while waiting > 0:
        i = ring[head]
        head = head + 1 if head < people else 0
        waiting -= 1
        queued[i] = False
        while book.has[i] < wanted.meetings[i]:
            bonus = wanted.first[i] if book.has[i] == 0 else np.int64(wanted.further)
            best, second, chosen = np.int64(0), np.int64(0), -1
            for a in range(count[i]):
                j = mentor[i, a]
                if capacity[j] == 0 or book.held[i, a]:
                    continue
                gain = (score[i, a] + bonus) * scale - book.price[j]
                if gain > best:
                    second, best, chosen = best, gain, a
                elif gain > second:
                    second = gain
            if chosen < 0:
                break
            bids += 1
            if bids > most:
                return -1
            j = mentor[i, chosen]
            offer = book.price[j] + best - second + step
            outbid = _place(book, j, capacity[j], offer, i, chosen)
            book.held[i, chosen] = True
            book.has[i] += 1
            if outbid >= 0 and not queued[outbid]:
                tail = head + waiting
                ring[tail if tail <= people else tail - people - 1] = outbid
                queued[outbid] = True
                waiting += 1
    return bids


@compiled
def _place(book: Any, j: int, room: int, offer: int, i: int, a: int) -> int:
    """Give a place with mentor *j* for a bid; returns who lost it, or -1."""
    bid, bidder, edge, first = book.bid, book.bidder, book.edge, book.start[j]
    outbid = -1
    if book.taken[j] < room:
        place = book.taken[j]
        book.taken[j] += 1
        while place > 0 and bid[first + ((place - 1) >> 1)] > offer:
            above = first + ((place - 1) >> 1)
            bid[first + place], bidder[first + place], edge[first + place] = (
                bid[above],
                bidder[above],
                edge[above],
            )
            place = (place - 1) >> 1
    else:
        outbid = bidder[first]
        book.held[outbid, edge[first]] = False
        book.has[outbid] -= 1
        place = 0
        while 2 * place + 1 < room:
            child = 2 * place + 1
            if child + 1 < room and bid[first + child + 1] < bid[first + child]:
                child += 1
            below = first + child
            if bid[below] >= offer:
                break
            bid[first + place], bidder[first + place], edge[first + place] = (
                bid[below],
                bidder[below],
                edge[below],
            )
            place = child
    bid[first + place], bidder[first + place], edge[first + place] = offer, i, a
    if book.taken[j] == room:
        book.price[j] = max(book.price[j], bid[first])
    return outbid


def assign(graph: Graph, capacity: I64, wanted: Wanted) -> tuple[Book, int]:
    """The best meetings on *graph* (as in :mod:`assignment`) and the scale of their prices."""
    people = len(graph.count)
    scale = int(wanted.meetings.sum()) + 1
    most = most_bids(scale)
    start = np.zeros(len(capacity) + 1, np.int64)
    np.cumsum(capacity, out=start[1:])

    def run(step: int, price: I64) -> tuple[Book, int] | None:
        book = Book(
            start=start,
            bid=np.zeros(int(start[-1]), np.int64),
            bidder=np.zeros(int(start[-1]), np.int32),
            edge=np.zeros(int(start[-1]), np.int32),
            taken=np.zeros(len(capacity), np.int64),
            price=price,
            held=np.zeros(graph.mentor.shape, np.bool_),
            has=np.zeros(people, np.int64),
        )
        bids = int(_auction(graph, capacity, wanted, scale, step, most, book))
        return None if bids < 0 else (book, bids)

    highest = int(graph.score.max() + wanted.first.max()) * scale
    return scheduled(run, capacity, highest, most)[0], scale


@compiled
def _price(graph: Any, wanted: Any, price: Any, floor: Any) -> int:
    """The sum of what mentees gain at most by their candidates at these prices; *floor* [mentees] is what another
    mentor's score less price must be above to add to it."""
    total = 0
    for i in range(len(graph.count)):
        values = np.empty(graph.count[i], np.int64)
        for a in range(graph.count[i]):
            values[a] = graph.score[i, a] - price[graph.mentor[i, a]]
        values.sort()
        used = 0
        floor[i] = -wanted.first[i]
        while used < min(wanted.meetings[i], len(values)):
            value = values[len(values) - 1 - used]
            bonus = wanted.first[i] if used == 0 else np.int64(wanted.further)
            if value + bonus <= 0:
                break
            total += value + bonus
            used += 1
            floor[i] = value if used == wanted.meetings[i] else -np.int64(wanted.further)
    return total


@compiled
def _join(graph: Any, found: Any, mentor: Any, score: Any, count: Any) -> int:
    """Both graphs' candidates, none twice; returns how many are new."""
    new = 0
    for i in range(len(count)):
        n = graph.count[i]
        for a in range(n):
            mentor[i, a], score[i, a] = graph.mentor[i, a], graph.score[i, a]
        for b in range(found.count[i]):
            known = False
            for a in range(graph.count[i]):
                if graph.mentor[i, a] == found.mentor[i, b]:
                    known = True
                    break
            if not known:
                mentor[i, n], score[i, n] = found.mentor[i, b], found.score[i, b]
                n += 1
                new += 1
        count[i] = n
    return new


def _joined(graph: Graph, found: Graph) -> tuple[Graph, int]:
    width = int((graph.count + found.count).max())
    none = np.zeros((len(graph.count), width), np.int32)
    joined = Graph(none, none.copy(), np.zeros(len(graph.count), np.int32))
    new = int(_join(graph, found, joined.mentor, joined.score, joined.count))
    return joined, new


def solve(encoded: Encoded, configuration: Configuration, threads: int, progress: Progress) -> Outcome:
    """Meetings whose value is proven to be within the tolerance of the best, if the rounds suffice."""
    people = encoded.people
    mentees, mentors = len(people.bonus), len(people.capacity)
    if mentees == 0 or not people.capacity.any():
        none = np.zeros(0, np.int32)
        return Outcome(none, none, 0, 0, 0, 0, np.zeros(mentors, np.int32), COVERS)
    further = encoded.highest + 1 if configuration.objective is Objective.PEOPLE else 0
    totals = [configuration.meetings if one.total is None else one.total for one in encoded.mentees]
    wanted = Wanted(
        meetings=np.minimum(np.array(totals, np.int64), configuration.meetings),
        first=people.bonus + further,
        further=further,
    )
    k = min(max(configuration.candidates, configuration.meetings), mentors)
    price, floor = np.zeros(mentors, np.int32), np.asarray(-wanted.first - 1, np.int64)
    seen = partial(look, people, k=k, threads=threads, order=people.order)
    graph = seen(price, floor.astype(np.int32), tell=partial(progress, "candidates"))
    best: tuple[int, Outcome] | None = None
    for number in range(1, configuration.rounds + 1):
        progress(f"round {number}: assigning", 0.0)
        book, scale = assign(graph, people.capacity, wanted)
        price = np.asarray((book.price + scale // 2) // scale, np.int32)
        _price(graph, wanted, price, floor)
        found = seen(price, floor.astype(np.int32), tell=partial(progress, f"round {number}: proving"))
        graph, new = _joined(graph, found)
        gains = int(_price(graph, wanted, price, floor))
        dual = gains + int((price.astype(np.int64) * people.capacity).sum())
        held = np.zeros(graph.mentor.shape, np.bool_)
        width = min(book.held.shape[1], graph.mentor.shape[1])
        held[:, :width] = book.held[:, :width]
        rows, places = np.nonzero(held)
        now = _outcome(wanted, rows, graph.mentor[rows, places], dual, number, price)
        value = int(graph.score[rows, places].sum(dtype=np.int64))
        if best is None or dual - now.bonus - value <= best[0]:
            best = (dual - now.bonus - value, now)
        if dual - now.bonus - value <= configuration.tolerance * value or not new:
            break
    assert best is not None
    return _with_everybody(people, configuration, wanted, best[1])


def _outcome(wanted: Wanted, rows: Any, mentors: Any, dual: int, rounds: int, price: I32) -> Outcome:
    met = np.bincount(rows, minlength=len(wanted.meetings))
    bonus = int(wanted.first[met > 0].sum()) + wanted.further * int(np.maximum(0, met - 1).sum())
    return Outcome(
        mentee=rows.astype(np.int32),
        mentor=mentors.astype(np.int32),
        bonus=bonus,
        dual=dual,
        matched_at_most=int((met > 0).sum()),
        rounds=rounds,
        price=price,
        covers=COVERS,
    )


def _with_everybody(
    people: Population, configuration: Configuration, wanted: Wanted, outcome: Outcome
) -> Outcome:
    """The number of people who meet anybody, proven; with the objective ``people`` it is reached, if need be by giving
    up second meetings."""
    one = np.full(len(people.bonus), -1, np.int32)
    one[outcome.mentee] = outcome.mentor  # the last of several
    more, added, proven = match_more(people, one)
    at_most = int((more >= 0).sum()) if proven else len(one)
    if not added or configuration.objective is Objective.VALUE:
        return replace(outcome, matched_at_most=at_most)
    taken = np.bincount(more[more >= 0], minlength=len(people.capacity))
    pairs = {(i, int(more[i])) for i in np.flatnonzero(more >= 0).tolist()}
    count = (more >= 0).astype(np.int64)
    old = zip(outcome.mentee.tolist(), outcome.mentor.tolist(), strict=True)
    for i, j in sorted(old, key=lambda pair: (-int(factors_of(people, *pair).sum()), pair)):
        if (i, j) not in pairs and count[i] < wanted.meetings[i] and taken[j] < people.capacity[j]:
            pairs.add((i, j))
            count[i] += 1
            taken[j] += 1
    rows, mentors = np.array(sorted(pairs), np.int32).T
    changed = _outcome(wanted, rows, mentors, outcome.dual, outcome.rounds, outcome.price)
    return replace(changed, matched_at_most=at_most)
