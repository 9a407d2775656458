"""The compiled inner loops: each mentee's best mentors.

A mentee's points with all mentors are a row: base points that depend on the mentee's class only (level, zone,
office, style), made once for a class, and what their words add, reached through the mentors who share a word. The
row is searched in chunks of mentors; a chunk whose highest points do not reach what is asked is passed over, so
hard rules are looked at only for pairs that score high enough to matter. Whole numbers only: the result is the
same on every machine and with every number of threads.
"""

from typing import Any, Final

import numpy as np

from services.matching.engine.arrays import INFEASIBLE, SPARSE, UNKNOWN
from services.matching.engine.compiled import compiled, inlined
from services.matching.engine.factors import Factor
from services.matching.engine.pairwise import share_bit

_CHUNK: Final = 64
_SPARSE: Final = SPARSE
_GOALS: Final = int(Factor.GOALS)


@inlined
def _base_row(p: Any, i: int, price: Any, base: Any, top: Any) -> None:
    """Base points less prices of everybody with room; ``top`` tells the chunks in which nobody is allowed."""
    levels = p.tables.levels[p.mentees.level[i] + 1]
    zones = p.tables.zones[p.mentees.zone[i]]
    office, style = p.mentees.office[i], p.mentees.style[i]
    mentors = len(p.mentors.level)
    for chunk in range(len(top)):
        highest = np.int32(INFEASIBLE)
        for j in range(chunk * _CHUNK, min(mentors, (chunk + 1) * _CHUNK)):
            points = levels[p.mentors.level[j] + 1]
            hours = zones[p.mentors.zone[j]]
            if points == INFEASIBLE or hours == INFEASIBLE or p.capacity[j] == 0:
                base[j] = INFEASIBLE
                continue
            points += hours + p.mentors.constant[j] - price[j]
            if office == p.mentors.office[j] and office != UNKNOWN:
                points += p.tables.same_office
            if style == p.mentors.style[j] and style != UNKNOWN:
                points += p.tables.working_style
            base[j] = points
            highest = max(highest, points)
        top[chunk] = highest


@compiled
def _gather_meaning(meaning: Any, i: int, row: Any) -> None:
    """What ``pairwise.alike`` says, for all mentors."""
    one, others = meaning.mentees, meaning.mentors
    mine = one[i].astype(np.int32)
    for j in range(len(others)):
        product = np.int32(0)
        for d in range(len(mine)):
            product += mine[d] * np.int32(others[j, d])
        if product > meaning.floor:
            points = np.int64(product - meaning.floor) * meaning.most // meaning.span
            row[j] += min(points, meaning.most)


@inlined
def _gather(p: Any, i: int, sums: Any) -> None:
    """[factors, mentors] points of the words that the mentee shares with each mentor, before their limits."""
    word, points, factors, users = p.words.word, p.words.points, p.words.factor, p.words.users
    mentor, strength = p.words.mentor, p.words.strength
    for a in range(p.words.start[i], p.words.start[i + 1]):
        worth = points[a]
        row = sums[factors[word[a]]]
        for q in range(users[word[a]], users[word[a] + 1]):
            row[mentor[q]] += worth * strength[q]
    if p.meaning.mentors.shape[1]:
        _gather_meaning(p.meaning, i, sums[_GOALS])


@compiled
def _add_up(
    base: Any, one: Any, two: Any, three: Any, four: Any, most: Any, first: int, past: int, values: Any
) -> None:
    """Points of some mentors from base points and the sums of the four factors over words, each up to its limit."""
    a, b, c, d = most[0], most[1], most[2], most[3]
    for j in range(first, past):
        values[j] = base[j] + min(one[j], a) + min(two[j], b) + min(three[j], c) + min(four[j], d)


@compiled
def _heights(values: Any, first: int, past: int, height: Any) -> None:
    """The highest of each chunk from one chunk to another."""
    for chunk in range(first, past):
        start, end = chunk * _CHUNK, min(len(values), (chunk + 1) * _CHUNK)
        highest = values[start]
        for j in range(start, end):
            highest = max(highest, values[j])
        height[chunk] = highest


@compiled
def _keep(values: Any, mentors: Any, kept: int, k: int, value: int, j: int) -> int:
    """Into a heap of at most k, the lowest first; returns how many it holds."""
    if kept < k:
        place = kept
        while place > 0 and values[(place - 1) >> 1] > value:
            values[place], mentors[place] = values[(place - 1) >> 1], mentors[(place - 1) >> 1]
            place = (place - 1) >> 1
        values[place], mentors[place] = value, j
        return kept + 1
    place = 0
    while 2 * place + 1 < k:
        child = 2 * place + 1
        if child + 1 < k and values[child + 1] < values[child]:
            child += 1
        if values[child] >= value:
            break
        values[place], mentors[place] = values[child], mentors[child]
        place = child
    values[place], mentors[place] = value, j
    return k


@compiled
def best_mentors(
    p: Any, begin: int, end: int, price: Any, floor: Any, k: int, mentors: Any, scores: Any, found: Any
) -> None:
    """The up to *k* allowed mentors with the highest score less price above a floor, for some mentees.

    *begin* to *end* are places in ``p.order``. *price* [mentors] and *floor* [mentees] are points. Results go
    into *mentors* and *scores* [mentees, k] and *found* [mentees], in no order. Among equal ones whoever comes
    first in an order of the mentee's own is kept.
    """
    count = len(p.mentors.level)
    chunks = (count + _CHUNK - 1) // _CHUNK
    base = np.empty(count, np.int32)
    top = np.empty(chunks, np.int32)
    sums = np.zeros((_SPARSE, count), np.int32)
    one, two, three, four = sums[0], sums[1], sums[2], sums[3]
    values = np.full(count, INFEASIBLE, np.int32)
    limits = p.words.most
    kept_base = np.empty(count, np.int32)
    height = np.empty(chunks, np.int32)
    turn = np.empty(chunks, np.int32)
    asked = np.empty(chunks, np.int32)
    best = np.empty(k, np.int32)
    who = np.empty(k, np.int32)
    # Arrays are taken out of the tuples once: doing it for every pair would count references every time.
    my_languages, languages, need_language = p.mentees.languages, p.mentors.languages, p.tables.language
    departments, teams, firsts = p.mentors.department, p.mentors.team, p.mentors.first
    lasts, depths, use_lines = p.mentors.last, p.mentors.depth, p.tables.line
    line_levels = p.tables.line_levels if p.tables.line_levels else 1 << 30
    last = -1
    for place in range(begin, end):
        i = p.order[place]
        department = UNKNOWN if p.tables.same_department else p.mentees.department[i]
        team = UNKNOWN if p.tables.same_team else p.mentees.team[i]
        mine, my_last, my_depth = p.mentees.first[i], p.mentees.last[i], p.mentees.depth[i]
        if p.kind[i] != last:
            last = p.kind[i]
            _base_row(p, i, price, base, top)
        _gather(p, i, sums)
        for special in range(p.special.start[i], p.special.start[i + 1]):
            j = p.special.mentor[special]
            kept_base[special - p.special.start[i]] = base[j]
            if p.special.rule[special] != 0:
                base[j] = INFEASIBLE
            elif base[j] != INFEASIBLE:
                base[j] += p.special.by_mentee[special] + p.special.by_mentor[special]
        kept = 0
        needed = floor[i]
        start = p.mentees.draw[i] % max(1, chunks)
        # Chunks in which somebody is allowed lie beside each other: few and long stretches, gone through at once.
        chunk = 0
        while chunk < chunks:
            stretch = chunk
            while chunk < chunks and top[chunk] != INFEASIBLE:
                chunk += 1
            if chunk > stretch:
                first, past = stretch * _CHUNK, min(count, chunk * _CHUNK)
                _add_up(base, one, two, three, four, limits, first, past, values)
                _heights(values, stretch, chunk, height)
            chunk += 1
        sums[:] = 0
        worth = 0
        for step in range(chunks):
            chunk = start + step if start + step < chunks else start + step - chunks
            if top[chunk] != INFEASIBLE and height[chunk] > needed:
                turn[worth], asked[worth] = chunk, -height[chunk]
                worth += 1
        # The highest chunks first, so that what is asked rises early.
        for number in np.argsort(asked[:worth], kind="mergesort"):
            if -asked[number] <= needed:
                break
            chunk = turn[number]
            first, past = chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)
            for j in range(first, past):
                value = values[j]
                if value <= needed or base[j] == INFEASIBLE:
                    continue
                # What ``pairwise`` says, without its way through the tuples.
                if need_language and not share_bit(my_languages, languages, i, j):
                    continue
                if department != UNKNOWN and departments[j] == department:
                    continue
                if team != UNKNOWN and teams[j] == team:
                    continue
                if use_lines:
                    apart = 1 << 31
                    if firsts[j] <= mine < lasts[j]:
                        apart = my_depth - depths[j]
                    elif mine <= firsts[j] < my_last:
                        apart = depths[j] - my_depth
                    if apart <= line_levels:
                        continue
                kept = _keep(best, who, kept, k, value, j)
                if kept == k:
                    needed = max(needed, best[0])
        for number in range(kept):
            mentors[i, number] = who[number]
            scores[i, number] = best[number] + price[who[number]]
        found[i] = kept
        for special in range(p.special.start[i], p.special.start[i + 1]):
            base[p.special.mentor[special]] = kept_base[special - p.special.start[i]]
