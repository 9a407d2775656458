"""Pairs within one pool. That is matching in a graph without sides, where prices alone do not prove an optimum: of
three equals each pair is worth 1, prices promise 1.5, and one pair can be made.

Everybody is put on both sides, as who wants and as who gives, with the same points both ways. The best assignment of
this doubled pool is worth at least twice the best pairs: half its bound is the bound of the pairs. It consists of
pairs, chains and circles of people; each chain and circle is cut into its best pairs, who is left over is doubled
again, and at last pairs are improved by exchanges. A small pool is solved exactly instead (Edmonds 1965).
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Graph
from services.matching.engine.compiled import compiled
from services.matching.engine.configuration import Configuration, Objective
from services.matching.engine.encode import Encoded
from services.matching.engine.outcome import Outcome
from services.matching.engine.pairwise import broken_rule, factors_of
from services.matching.engine.reach import match_more
from services.matching.engine.result import Progress
from services.matching.engine.search import search

MOST_EXACT: Final = 200
"""People up to whom a pool is solved exactly: that takes three seconds for so many, and grows with the third power."""
_DOUBLINGS: Final = 30
_PASSES: Final = 20
_MOST_LOOKS: Final = 20_000_000
COVERS: Final = (
    "All pairs that the rules allow. A pool of peers has no two sides, so the best possible may lie below the bound, "
    "which is half of what the pool is worth when everybody stands on both."
)
EXACT: Final = "All pairs that the rules allow. The pool is small and was solved exactly: nothing is better."


def solve(encoded: Encoded, configuration: Configuration, threads: int, progress: Progress) -> Outcome:
    """Pairs of peers, each once, the one with the lower id as the mentee."""
    people = encoded.people
    size = len(people.bonus)
    column = {person.person_id: j for j, person in enumerate(encoded.mentors)}
    columns = np.array([column[person.person_id] for person in encoded.mentees], np.int32)
    found = search(people, configuration, threads=threads, progress=progress)
    doubled, _, proven = match_more(people, found.mentor)
    at_most = (int((doubled >= 0).sum()) if proven else size) // 2 * 2
    twice = found.bound + int(people.bonus[found.mentor >= 0].sum())
    covers, exact = COVERS, size <= MOST_EXACT
    if exact:
        progress("pairs", 0.0)
        covers, mate = EXACT, _solved_exactly(people, columns, configuration.objective)
        if configuration.objective is Objective.PEOPLE:
            at_most = int((mate >= 0).sum())
    else:
        mate = _paired(people, columns, found.mentor, found.graph, configuration, threads, progress)
    matched = np.flatnonzero(mate >= 0)
    bonus = int(people.bonus[matched].sum())
    ids = [person.person_id for person in encoded.mentees]
    first = np.array([i for i in matched.tolist() if ids[i] < ids[mate[i]]], np.int32)
    worth = sum(_worth(people, columns, int(i), int(mate[i])) for i in first)
    return Outcome(
        mentee=first,
        mentor=columns[mate[first]],
        bonus=0,
        # In the doubled pool a pair counts its score twice and the bonus of both.
        dual=(worth - bonus) // 2 if exact else (twice - bonus) // 2,
        matched_at_most=at_most,
        rounds=found.rounds,
        price=found.price,
        covers=covers,
    )


@compiled
def _worth(p: Any, columns: Any, i: Any, j: Any) -> int:
    """Twice the score of the pair and the bonus of both; -1 when a rule forbids it."""
    if broken_rule(p, i, columns[j]) != 0:
        return -1
    return 2 * factors_of(p, i, columns[j]).sum() + p.bonus[i] + p.bonus[j]


@compiled
def _table(p: Any, columns: Any, table: Any) -> None:
    for i in range(len(columns)):
        for j in range(i):
            table[i, j] = _worth(p, columns, i, j)


def _solved_exactly(people: Population, columns: I32, objective: Objective) -> I32:
    """[people] the peer or -1."""
    import networkx  # half a second, which the other forms need not wait for

    size = len(columns)
    table = np.full((size, size), -1, np.int64)
    _table(people, columns, table)
    graph = networkx.Graph()
    graph.add_nodes_from(range(size))
    rows, others = np.nonzero(table >= 0)
    edges = zip(rows.tolist(), others.tolist(), table[rows, others].tolist(), strict=True)
    graph.add_weighted_edges_from(edges)
    mate = np.full(size, -1, np.int32)
    for i, j in networkx.max_weight_matching(graph, maxcardinality=objective is Objective.PEOPLE):
        mate[i], mate[j] = j, i
    return mate


def _paired(
    people: Population,
    columns: I32,
    assigned: I32,
    graph: Graph,
    configuration: Configuration,
    threads: int,
    progress: Progress,
) -> I32:
    """[people] the peer or -1, from the best assignment of the doubled pool."""
    row = np.full(len(people.capacity), -1, np.int32)
    row[columns] = np.arange(len(columns))
    mate = np.full(len(columns), -1, np.int32)
    once = replace(configuration, rounds=1)
    for number in range(_DOUBLINGS):
        progress("pairs", number / _DOUBLINGS)
        if not _cut(people, columns, np.where(assigned >= 0, row[assigned], -1).astype(np.int32), mate):
            break
        free = mate[people.order] < 0
        alone = np.zeros(len(people.capacity), np.int64)
        alone[columns[mate < 0]] = 1
        left = people._replace(order=people.order[free], capacity=alone)
        assigned = search(left, once, threads=threads).mentor
    start, partner = _neighbours(graph, row)
    waiting = np.ones(len(columns), np.bool_)
    for number in range(_PASSES):
        progress("exchanges", number / _PASSES)
        if not _improve(people, columns, start, partner, mate, waiting):
            if not _extend(people, columns, mate, _MOST_LOOKS):
                break
            waiting[:] = True
    return mate


@compiled
def _cut(p: Any, columns: Any, following: Any, mate: Any) -> int:
    """Cuts chains and circles of who follows whom into their best pairs; returns how many pairs were made."""
    size = len(following)
    led = np.zeros(size, np.bool_)
    for i in range(size):
        if following[i] >= 0:
            led[following[i]] = True
    seen = np.zeros(size, np.bool_)
    line = np.empty(size, np.int32)
    worth = np.empty(size, np.int64)
    made = 0
    for turn in range(2):  # chains from their beginnings, then circles
        for begin in range(size):
            if seen[begin] or following[begin] < 0 or (turn == 0 and led[begin]):
                continue
            length, i = 0, begin
            while i >= 0 and not seen[i]:
                seen[i] = True
                line[length] = i
                length += 1
                i = following[i]
            for k in range(length):
                other = line[k + 1] if k + 1 < length else line[0]
                worth[k] = _worth(p, columns, line[k], other)
            if turn == 0 or length == 2:
                made += _best_pairs(line[:length], worth, mate)
                continue
            # A circle either leaves out the pair that closes it or has it and leaves out its neighbours.
            best = 0
            best_worth = -1
            for opening in range(2):
                total = (
                    _most(worth[: length - 1])
                    if opening == 0
                    else (worth[length - 1] + _most(worth[1 : length - 2]))
                )
                if total > best_worth:
                    best, best_worth = opening, total
            if best == 0:
                made += _best_pairs(line[:length], worth, mate)
            else:
                mate[line[length - 1]], mate[line[0]] = line[0], line[length - 1]
                made += 1 + _best_pairs(line[1 : length - 1], worth[1:], mate)
    return made


@compiled
def _most(worth: Any) -> int:
    """The most that pairs of neighbours in a line are worth; *worth* of each with the next."""
    before, now = 0, 0
    for k in range(len(worth)):
        before, now = now, max(now, before + worth[k])
    return now


@compiled
def _best_pairs(line: Any, worth: Any, mate: Any) -> int:
    """Pairs neighbours in a line so that they are worth the most; *worth* of each with the next."""
    length = len(line)
    best = np.zeros(length + 1, np.int64)  # of the first so many
    for k in range(2, length + 1):
        best[k] = max(best[k - 1], best[k - 2] + worth[k - 2])
    made = 0
    k = length
    while k >= 2:
        if best[k] == best[k - 1]:
            k -= 1
        else:
            mate[line[k - 1]], mate[line[k - 2]] = line[k - 2], line[k - 1]
            made += 1
            k -= 2
    return made


@compiled
def _extend(p: Any, columns: Any, mate: Any, looks: int) -> int:
    """Two who are left over take the two of a pair, if that gains: the pair that gains most, among all and not only
    among candidates. Returns how many pairs were parted."""
    free = np.flatnonzero(mate < 0)
    each = looks // max(1, len(free) * len(mate))
    made = 0
    for i in free:
        best, chosen, partner = 0, -1, -1
        if mate[i] >= 0:
            continue
        for j in range(len(mate)):
            c = mate[j]
            mine = _worth(p, columns, i, j) if c >= 0 else -1
            if mine < 0:
                continue
            gain = mine - _worth(p, columns, j, c)
            for place in range(min(each, len(free))):
                f = free[place]
                if f == i or mate[f] >= 0:
                    continue
                theirs = _worth(p, columns, c, f)
                if theirs >= 0 and gain + theirs > best:
                    best, chosen, partner = gain + theirs, j, f
        if chosen >= 0:
            c = mate[chosen]
            mate[i], mate[chosen] = chosen, i
            mate[c], mate[partner] = partner, c
            made += 1
    return made


def _neighbours(graph: Graph, row: I32) -> tuple[I64, I32]:
    """[people + 1] into the people who are a candidate of somebody or whose candidate they are."""
    size = len(graph.count)
    within = np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]
    one = np.repeat(np.arange(size, dtype=np.int64), graph.count)
    other = row[graph.mentor[within]].astype(np.int64)
    keys = np.unique(np.concatenate([one * size + other, other * size + one]))
    return np.searchsorted(keys // size, np.arange(size + 1)).astype(np.int64), (keys % size).astype(np.int32)


@compiled
def _improve(p: Any, columns: Any, start: Any, partner: Any, mate: Any, waiting: Any) -> int:
    """One look at everybody *waiting*: the exchange that gains most, if any does. Returns how many were made."""
    made = 0
    for i in range(len(mate)):
        if not waiting[i]:
            continue
        waiting[i] = False
        a = mate[i]
        mine = _worth(p, columns, i, a) if a >= 0 else 0
        best, chosen = 0, -1
        for place in range(start[i], start[i + 1]):
            j = partner[place]
            if j == a:
                continue
            gain = _worth(p, columns, i, j) - mine
            c = mate[j]
            if c >= 0:
                gain -= _worth(p, columns, j, c)
                if a >= 0:
                    gain += max(0, _worth(p, columns, a, c))
            if gain > best:
                best, chosen = gain, j
        if chosen < 0:
            continue
        made += 1
        c = mate[chosen]
        mate[i], mate[chosen] = chosen, i
        if a >= 0:
            mate[a] = -1
        if c >= 0:
            mate[c] = -1
        if a >= 0 and c >= 0 and _worth(p, columns, a, c) > 0:
            mate[a], mate[c] = c, a
        _wake(start, partner, waiting, i)
        _wake(start, partner, waiting, chosen)
        _wake(start, partner, waiting, a)
        _wake(start, partner, waiting, c)
    return made


@compiled
def _wake(start: Any, partner: Any, waiting: Any, one: int) -> None:
    """What somebody and their neighbours can gain has changed."""
    if one >= 0:
        waiting[one] = True
        for place in range(start[one], start[one + 1]):
            waiting[partner[place]] = True
