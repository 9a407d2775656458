"""Groups: one mentor, several mentees, and points for what the mentees have in common.

Those points depend on who else is in the group, so the worth of a set of groups is no sum over pairs, and prices
prove no optimum. The bound gives each mentee the most that any group could give them: with that as a bonus the best
assignment is found and certified as for one-to-one, and no groups are worth more. Groups begin from this assignment
and are improved by moving and exchanging mentees. The bound knows nothing of who may not sit together, nor of the
smallest group.
"""

from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Graph
from services.matching.engine.cohesion import Ties, most_and_nearest, ties_of
from services.matching.engine.configuration import Configuration
from services.matching.engine.encode import Encoded
from services.matching.engine.grouping import Groups, has_room, improve, seat, settle, shares
from services.matching.engine.outcome import Outcome
from services.matching.engine.reach import match_more
from services.matching.engine.result import Progress
from services.matching.engine.search import search

COVERS: Final = (
    "All groups that the rules allow. What mentees have in common is bounded for each alone, so the best possible may "
    "lie below the bound."
)
_PASSES: Final = 10
_NEAREST: Final = 8
_MENTORS: Final = 16
"""Whose groups a mentee may move to: of the best mentors, and of those with whom they have most in common."""


def solve(encoded: Encoded, configuration: Configuration, threads: int, progress: Progress) -> Outcome:
    """Groups, and the bound."""
    people, mentees = encoded.people, len(encoded.people.bonus)
    capacity = np.minimum(people.capacity, configuration.group_size)
    capacity[capacity < configuration.smallest_group] = 0
    ties = ties_of(encoded.mentees, configuration)
    most = np.zeros(mentees, np.int64)
    nearest = np.full((mentees, _NEAREST), -1, np.int32)
    places = max(0, int(capacity.max(initial=0)) - 1)
    most_and_nearest(ties, places, most, nearest)
    eager = people._replace(capacity=capacity, bonus=people.bonus + most)
    found = search(eager, configuration, threads=threads, progress=progress)
    start, _, proven = match_more(eager, found.mentor)
    groups = _groups(people, ties, found.mentor, capacity, configuration)
    near = _near(found.graph)
    for strict in (False, True):
        for number in range(_PASSES):
            progress("exchanges", (strict + number / _PASSES) / 2)
            if not improve(people, ties, groups, near, nearest, strict):
                break
        if not strict and not settle(people, ties, groups):
            break
    rows = np.flatnonzero(groups.mentor >= 0).astype(np.int32)
    coherence = np.zeros(mentees, np.int64)
    shares(ties, groups, coherence)
    return Outcome(
        mentee=rows,
        mentor=groups.mentor[rows],
        bonus=int(people.bonus[rows].sum()),
        dual=found.bound + int(eager.bonus[found.mentor >= 0].sum()),
        matched_at_most=int((start >= 0).sum()) if proven or not capacity.any() else mentees,
        rounds=found.rounds,
        price=found.price,
        covers=COVERS,
        coherence=coherence[rows],
        without_group=_without_group(people, groups),
    )


def _groups(
    people: Population, ties: Ties, assigned: I32, capacity: I64, configuration: Configuration
) -> Groups:
    """The groups of an assignment; who does not fit to those already there stays without."""
    groups = Groups(
        capacity=capacity,
        members=np.full((len(capacity), configuration.group_size), -1, np.int32),
        size=np.zeros(len(capacity), np.int64),
        points=np.zeros(len(capacity), np.int64),
        mentor=np.full(len(assigned), -1, np.int32),
        worth=np.zeros(len(assigned), np.int64),
        smallest=configuration.smallest_group,
        trial=np.zeros(configuration.group_size + 1, np.int32),
    )
    seat(people, ties, groups, assigned)
    return groups


def _near(graph: Graph) -> I32:
    """[mentees, width] the best mentors, the best first; -1 after the last."""
    within = np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]
    order = np.argsort(np.where(within, -graph.score.astype(np.int64), 1 << 40), axis=1, kind="stable")
    best = np.take_along_axis(np.where(within, graph.mentor, -1), order, 1)[:, :_MENTORS]
    return np.ascontiguousarray(best, np.int32)


def _without_group(people: Population, groups: Groups) -> frozenset[int]:
    alone = np.flatnonzero(groups.mentor < 0)
    found = np.zeros(len(alone), np.bool_)
    has_room(people, groups, alone, found)
    return frozenset(alone[found].tolist())
