"""The stable variant: deferred acceptance (Gale and Shapley 1962) with capacities, on a graph of candidates.

A set of pairs is stable when no mentee and mentor would both rather have each other than what they have. Each side
ranks by the score without what only the other side chose; ties are broken by the seeded draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Graph
from services.matching.engine.compiled import compiled


@dataclass(frozen=True, slots=True)
class Preferences:
    """What both sides think of each candidate pair: [mentees, width], higher is better, no two equal in a row."""

    by_mentee: I64
    by_mentor: I64


@compiled
def _likes(special: Any, draw: int, other_draw: int, i: int, j: int, score: int) -> Any:
    """What mentee *i* and mentor *j* think of each other."""
    mine = np.int64(score)
    theirs = mine
    for place in range(special.start[i], special.start[i + 1]):
        if special.mentor[place] == j:
            mine -= special.by_mentor[place]
            theirs -= special.by_mentee[place]
    # The draw's upper bits decide between equal ones, on both sides alike and strictly.
    tie = (draw ^ other_draw) & 0xFFFFFFFF
    return (mine << 32) | tie, (theirs << 32) | tie


@compiled
def _own_points(p: Any, graph: Any, by_mentee: Any, by_mentor: Any) -> None:
    special, draw, draws = p.special, p.mentees.draw, p.mentors.draw
    for i in range(len(graph.count)):
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            by_mentee[i, a], by_mentor[i, a] = _likes(special, draw[i], draws[j], i, j, graph.score[i, a])


def preferences_of(people: Population, graph: Graph) -> Preferences:
    """Both sides' rankings of the candidates."""
    one = np.zeros(graph.score.shape, np.int64)
    other = np.zeros(graph.score.shape, np.int64)
    _own_points(people, graph, one, other)
    return Preferences(one, other)


@compiled
def _mentees_propose(
    graph: Any, capacity: Any, by_mentee: Any, by_mentor: Any, order: Any, assigned: Any
) -> None:
    """*order* [mentees, width] are each mentee's candidates from best to worst."""
    people, mentors = len(graph.count), len(capacity)
    start = np.zeros(mentors + 1, np.int64)
    for j in range(mentors):
        start[j + 1] = start[j] + capacity[j]
    held = np.empty(start[mentors], np.int32)
    liked = np.empty(start[mentors], np.int64)
    taken = np.zeros(mentors, np.int64)
    upcoming = np.zeros(people, np.int64)
    for first in range(people):
        i = first
        while i >= 0 and upcoming[i] < graph.count[i]:
            a = order[i, upcoming[i]]
            upcoming[i] += 1
            j = graph.mentor[i, a]
            if capacity[j] == 0:
                continue
            if taken[j] < capacity[j]:
                held[start[j] + taken[j]], liked[start[j] + taken[j]] = i, by_mentor[i, a]
                taken[j] += 1
                assigned[i] = j
                i = -1
                continue
            worst = start[j]
            for place in range(start[j], start[j + 1]):
                if liked[place] < liked[worst]:
                    worst = place
            if liked[worst] < by_mentor[i, a]:
                refused = held[worst]
                held[worst], liked[worst] = i, by_mentor[i, a]
                assigned[i] = j
                assigned[refused] = -1
                i = refused


def mentees_propose(graph: Graph, capacity: I64, preferences: Preferences) -> I32:
    """The stable assignment that no mentee would change for another stable one. [mentees] or -1."""
    assigned = np.full(len(graph.count), -1, np.int32)
    width = graph.score.shape[1]
    beyond = np.arange(width)[None, :] >= graph.count[:, None]
    order = np.argsort(
        np.where(beyond, np.iinfo(np.int64).max, -preferences.by_mentee), axis=1, kind="stable"
    )
    _mentees_propose(graph, capacity, preferences.by_mentee, preferences.by_mentor, order, assigned)
    return assigned


def mentors_propose(graph: Graph, capacity: I64, preferences: Preferences) -> I32:
    """The stable assignment that no mentor would change for another stable one. [mentees] or -1."""
    rows = np.repeat(np.arange(len(graph.count)), graph.count)
    within = np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]
    mentor, mine, theirs = graph.mentor[within], preferences.by_mentee[within], preferences.by_mentor[within]
    order = np.lexsort((-theirs, mentor))
    start = np.searchsorted(mentor[order], np.arange(len(capacity) + 1)).astype(np.int64)
    assigned = np.full(len(graph.count), -1, np.int32)
    _mentors_propose(start, rows[order].astype(np.int32), mine[order], capacity, assigned)
    return assigned


@compiled
def _mentors_propose(start: Any, mentee: Any, liked: Any, capacity: Any, assigned: Any) -> None:
    mentors = len(capacity)
    upcoming = start[:mentors].copy()
    room = capacity.copy()
    best = np.full(len(assigned), -(1 << 62), np.int64)
    stack = np.empty(mentors * 2 + int(capacity.sum()) + len(assigned), np.int32)
    size = 0
    for j in range(mentors):
        stack[size] = j
        size += 1
    while size > 0:
        size -= 1
        j = stack[size]
        while room[j] > 0 and upcoming[j] < start[j + 1]:
            place = upcoming[j]
            upcoming[j] += 1
            i = mentee[place]
            if liked[place] <= best[i]:
                continue
            left = assigned[i]
            assigned[i], best[i] = j, liked[place]
            room[j] -= 1
            if left >= 0:
                room[left] += 1
                if room[left] == 1:
                    stack[size] = left
                    size += 1


@compiled
def _count_blocking(p: Any, graph: Any, assigned: Any) -> int:
    special, draw, draws, capacity = p.special, p.mentees.draw, p.mentors.draw, p.capacity
    mentor, score, count = graph.mentor, graph.score, graph.count
    mentors = len(capacity)
    taken = np.zeros(mentors, np.int64)
    worst = np.full(mentors, np.int64(1) << 62, np.int64)
    held = np.full(len(assigned), -1, np.int64)
    for i in range(len(assigned)):
        for a in range(count[i]):
            j = mentor[i, a]
            if j == assigned[i]:
                mine, theirs = _likes(special, draw[i], draws[j], i, j, score[i, a])
                taken[j] += 1
                worst[j] = min(worst[j], theirs)
                held[i] = mine
    blocking = 0
    for i in range(len(assigned)):
        for a in range(count[i]):
            j = mentor[i, a]
            if j == assigned[i] or capacity[j] == 0:
                continue
            mine, theirs = _likes(special, draw[i], draws[j], i, j, score[i, a])
            if mine > held[i] and (taken[j] < capacity[j] or theirs > worst[j]):
                blocking += 1
    return blocking


def blocking_pairs(people: Population, graph: Graph, assigned: I32) -> int:
    """Candidate pairs who would both rather have each other; none when the assignment is stable. Ranks them as
    :func:`preferences_of` does, without writing that down: a run whose pairs are the most valuable needs it for nothing
    else."""
    return int(_count_blocking(people, graph, assigned))
