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
def _own_points(p: Any, graph: Any, by_mentee: Any, by_mentor: Any) -> None:
    for i in range(len(graph.count)):
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            mine = np.int64(graph.score[i, a])
            theirs = mine
            for place in range(p.special.start[i], p.special.start[i + 1]):
                if p.special.mentor[place] == j:
                    mine -= p.special.by_mentor[place]
                    theirs -= p.special.by_mentee[place]
            # The draw's upper bits decide between equal ones, on both sides alike and strictly.
            tie = (p.mentees.draw[i] ^ p.mentors.draw[j]) & 0xFFFFFFFF
            by_mentee[i, a] = (mine << 32) | tie
            by_mentor[i, a] = (theirs << 32) | tie


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
def _count_blocking(graph: Any, capacity: Any, by_mentee: Any, by_mentor: Any, assigned: Any) -> int:
    mentors = len(capacity)
    taken = np.zeros(mentors, np.int64)
    worst = np.full(mentors, np.int64(1) << 62, np.int64)
    mine = np.full(len(assigned), -1, np.int64)
    for i in range(len(assigned)):
        for a in range(graph.count[i]):
            if graph.mentor[i, a] == assigned[i]:
                j = assigned[i]
                taken[j] += 1
                worst[j] = min(worst[j], by_mentor[i, a])
                mine[i] = by_mentee[i, a]
    blocking = 0
    for i in range(len(assigned)):
        for a in range(graph.count[i]):
            j = graph.mentor[i, a]
            if j == assigned[i] or capacity[j] == 0 or by_mentee[i, a] <= mine[i]:
                continue
            if taken[j] < capacity[j] or by_mentor[i, a] > worst[j]:
                blocking += 1
    return blocking


def blocking_pairs(graph: Graph, capacity: I64, preferences: Preferences, assigned: I32) -> int:
    """Candidate pairs who would both rather have each other; none when the assignment is stable."""
    return int(_count_blocking(graph, capacity, preferences.by_mentee, preferences.by_mentor, assigned))
