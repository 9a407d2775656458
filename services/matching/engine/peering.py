"""Pairs of peers cut from circles and improved by exchanges, compiled.

People's numbers are widened where they are read from an array: a function is compiled once for each kind of number.
"""

from typing import Any, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.assignment import Graph
from services.matching.engine.compiled import compiled, wide
from services.matching.engine.pairwise import broken_rule, factors_of


@compiled
def worth(p: Any, columns: Any, i: Any, j: Any) -> int:
    """Twice the score of the pair and the bonus of both; -1 when a rule forbids it."""
    column = wide(columns[j])
    if broken_rule(p, i, column) != 0:
        return -1
    return 2 * factors_of(p, i, column).sum() + p.bonus[i] + p.bonus[j]


@compiled
def table(p: Any, columns: Any, out: Any) -> None:
    """Write into *out* [people, people] what each two are worth to each other, below the diagonal."""
    for i in range(len(columns)):
        for j in range(i):
            out[i, j] = worth(p, columns, i, j)


@compiled
def cut(p: Any, columns: Any, following: Any, mate: Any) -> int:
    """Cuts chains and circles of who follows whom into their best pairs; returns how many pairs were made."""
    size = len(following)
    led = np.zeros(size, np.bool_)
    for i in range(size):
        if following[i] >= 0:
            led[following[i]] = True
    seen = np.zeros(size, np.bool_)
    line = np.empty(size, np.int64)
    gains = np.empty(size, np.int64)
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
                gains[k] = worth(p, columns, line[k], other)
            if turn == 0 or length == 2:
                made += _best_pairs(line[:length], gains, mate)
                continue
            # A circle either leaves out the pair that closes it or has it and leaves out its neighbours.
            best = 0
            most = -1
            for opening in range(2):
                total = (
                    _most(gains[: length - 1])
                    if opening == 0
                    else (gains[length - 1] + _most(gains[1 : length - 2]))
                )
                if total > most:
                    best, most = opening, total
            if best == 0:
                made += _best_pairs(line[:length], gains, mate)
            else:
                mate[line[length - 1]], mate[line[0]] = line[0], line[length - 1]
                made += 1 + _best_pairs(line[1 : length - 1], gains[1:], mate)
    return made


@compiled
def _most(gains: Any) -> int:
    """The most that pairs of neighbours in a line are worth; *gains* of each with the next."""
    before, now = 0, 0
    for k in range(len(gains)):
        before, now = now, max(now, before + gains[k])
    return now


@compiled
def _best_pairs(line: Any, gains: Any, mate: Any) -> int:
    """Pairs neighbours in a line so that they are worth the most; *gains* of each with the next."""
    length = len(line)
    best = np.zeros(length + 1, np.int64)  # of the first so many
    for k in range(2, length + 1):
        best[k] = max(best[k - 1], best[k - 2] + gains[k - 2])
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
def extend(p: Any, columns: Any, mate: Any, looks: int) -> int:
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
            c = wide(mate[j])
            mine = worth(p, columns, i, j) if c >= 0 else -1
            if mine < 0:
                continue
            gain = mine - worth(p, columns, j, c)
            for place in range(min(each, len(free))):
                f = free[place]
                if f == i or mate[f] >= 0:
                    continue
                theirs = worth(p, columns, c, f)
                if theirs >= 0 and gain + theirs > best:
                    best, chosen, partner = gain + theirs, j, f
        if chosen >= 0:
            c = mate[chosen]
            mate[i], mate[chosen] = chosen, i
            mate[c], mate[partner] = partner, c
            made += 1
    return made


class Neighbours(NamedTuple):
    """Who is a candidate of somebody or has them as one."""

    start: I64
    """[people + 1] into ``partner`` and ``score``."""
    partner: I32
    score: I64
    most: I64
    """[people] the highest score that anybody gives them."""


def neighbours(graph: Graph, row: I32) -> Neighbours:
    """The candidates as pairs of equals, seen from both; *row* [mentors] is each mentor's row as a mentee."""
    size = len(graph.count)
    within = np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]
    one = np.repeat(np.arange(size, dtype=np.int64), graph.count)
    other = row[graph.mentor[within]].astype(np.int64)
    keys, first = np.unique(np.concatenate([one * size + other, other * size + one]), return_index=True)
    score = graph.score[within].astype(np.int64)
    return Neighbours(
        start=np.searchsorted(keys // size, np.arange(size + 1)).astype(np.int64),
        partner=(keys % size).astype(np.int32),
        score=np.concatenate([score, score])[first],
        most=np.where(within, graph.score, 0).max(axis=1).astype(np.int64),
    )


@compiled
def improve(p: Any, columns: Any, near: Any, mate: Any, waiting: Any) -> int:
    """One look at everybody *waiting*: the exchange that gains most, if any does. Returns how many were made."""
    made = 0
    bonus, most = p.bonus, near.most
    now = np.zeros(len(mate), np.int64)
    for i in range(len(mate)):
        if mate[i] >= 0:
            now[i] = worth(p, columns, i, wide(mate[i]))
    for i in range(len(mate)):
        if not waiting[i]:
            continue
        waiting[i] = False
        a = wide(mate[i])
        best, chosen, left = 0, wide(-1), 0
        for place in range(near.start[i], near.start[i + 1]):
            j = wide(near.partner[place])
            c = wide(mate[j])
            gain = 2 * near.score[place] + bonus[i] + bonus[j] - now[i] - now[j]
            others = 0
            if j == a:
                continue
            if a >= 0 and c >= 0:
                if gain + 2 * min(most[a], most[c]) + bonus[a] + bonus[c] <= best:
                    continue
                others = max(0, worth(p, columns, a, c))
            if gain + others > best:
                best, chosen, left = gain + others, j, others
        if chosen < 0:
            continue
        made += 1
        c = wide(mate[chosen])
        _part(mate, now, i)
        _part(mate, now, chosen)
        mate[i], mate[chosen] = chosen, i
        now[i] = now[chosen] = worth(p, columns, i, chosen)
        if left > 0:
            mate[a], mate[c] = c, a
            now[a] = now[c] = left
        _wake(near, waiting, i)
        _wake(near, waiting, chosen)
        _wake(near, waiting, a)
        _wake(near, waiting, c)
    return made


@compiled
def _part(mate: Any, now: Any, i: int) -> None:
    j = mate[i]
    if j >= 0:
        mate[i] = mate[j] = -1
        now[i] = now[j] = 0


@compiled
def _wake(near: Any, waiting: Any, one: int) -> None:
    """What somebody and their neighbours can gain has changed."""
    if one >= 0:
        waiting[one] = True
        for place in range(near.start[one], near.start[one + 1]):
            waiting[near.partner[place]] = True
