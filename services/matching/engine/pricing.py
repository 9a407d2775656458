"""Who can gain from a mentor who is not a candidate of theirs, at given prices: few must be looked at in full.

Each mentee's candidates are their best by score, so whoever is no candidate scores at most as much as the last
of them did. Less the lowest price that is asked for, this often cannot reach what a candidate gives, and then no
look is needed to know it. Only few mentors are cheap (those with room cost nothing), so everybody is looked at with
the cheap ones alone, and with all mentors only those whom the price of the others does not rule out.
"""

from typing import Final, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64, Population, Side
from services.matching.engine.assignment import Graph

NOBODY: Final = -(1 << 30)
"""Of a mentee whose candidates are all mentors there are."""
_SHARES: Final = (0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
_ANY: Final = 0.03
"""What a look at few mentors costs at least, as a share of a look at all."""


class Plan(NamedTuple):
    """Who is looked at with whom."""

    full: I64
    """Mentees, with all mentors."""
    part: I64
    """Mentees, with ``cheap`` mentors only."""
    cheap: I64
    """Mentors, rising."""


def reach_of(graph: Graph, k: int) -> I32:
    """[mentees] the highest score that somebody can have who is not among the best *k*."""
    lowest = graph.score[:, :k].min(axis=1) if k else np.zeros(len(graph.count), np.int32)
    return np.where(graph.count == k, lowest, NOBODY).astype(np.int32)


def plan(people: Population, reach: I32, price: I32, floor: I32) -> Plan:
    """The cheapest way to find every pair that is no candidate and whose score less price is above *floor*."""
    with_room = np.flatnonzero(people.capacity > 0)
    by_price = with_room[np.argsort(price[with_room], kind="stable")]
    asked = price[by_price]
    needed = reach.astype(np.int64) - floor  # somebody who costs as much or more is of no use
    best: tuple[float, int] | None = None
    for share in _SHARES:
        number = int(len(by_price) * share)
        full = int((needed > asked[number]).sum())
        part = int((needed > asked[0]).sum()) - full if number else 0
        cost = full + part * (share + _ANY)
        if best is None or cost < best[0]:
            best = cost, number
    assert best is not None
    number = best[1]
    order = people.order
    wants_full = needed > asked[number]
    wants_part = ~wants_full & (needed > asked[0]) if number else np.zeros(len(needed), np.bool_)
    return Plan(order[wants_full[order]], order[wants_part[order]], np.sort(by_price[:number]))


def only(people: Population, chosen: I64) -> Population:
    """The same mentees with some of the mentors (numbers, rising), who are numbered anew."""
    number = np.full(len(people.capacity), -1, np.int32)
    number[chosen] = np.arange(len(chosen), dtype=np.int32)
    words, special = people.words, people.special
    used, paired = number[words.mentor], number[special.mentor]
    return people._replace(
        mentors=Side._make(column[chosen] for column in people.mentors),
        capacity=people.capacity[chosen],
        meaning=people.meaning._replace(mentors=people.meaning.mentors[chosen]),
        words=words._replace(
            users=_starts(words.users, used >= 0),
            mentor=used[used >= 0],
            strength=words.strength[used >= 0],
        ),
        special=special._replace(
            start=_starts(special.start, paired >= 0),
            mentor=paired[paired >= 0],
            rule=special.rule[paired >= 0],
            by_mentee=special.by_mentee[paired >= 0],
            by_mentor=special.by_mentor[paired >= 0],
        ),
    )


def _starts(start: I64, kept: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> I64:
    """Where rows start when only some of their entries are kept."""
    before = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=before[1:])
    return before[start]
