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
_RANKS: Final = 256
_SPARSE: Final = SPARSE
_GOALS: Final = int(Factor.GOALS)


@compiled
def _base_points(
    levels: Any, zones: Any, level: Any, zone: Any, constant: Any, capacity: Any, price: Any, base: Any
) -> None:
    """Base points less prices of everybody with room, but for office and style."""
    for j in range(len(level)):
        points, hours = levels[level[j] + 1], zones[zone[j]]
        if points == INFEASIBLE or hours == INFEASIBLE or capacity[j] == 0:
            base[j] = INFEASIBLE
        else:
            base[j] = points + hours + constant[j] - price[j]


@compiled
def _same(column: Any, own: int, points: int, base: Any) -> None:
    """Points for having the same office or style."""
    for j in range(len(column)):
        if column[j] == own and base[j] != INFEASIBLE:
            base[j] += points


@inlined
def _base_row(p: Any, i: int, price: Any, base: Any) -> None:
    """Base points less prices of everybody with room."""
    levels = p.tables.levels[p.mentees.level[i] + 1]
    zones = p.tables.zones[p.mentees.zone[i]]
    _base_points(levels, zones, p.mentors.level, p.mentors.zone, p.mentors.constant, p.capacity, price, base)
    if p.mentees.office[i] != UNKNOWN:
        _same(p.mentors.office, p.mentees.office[i], p.tables.same_office, base)
    if p.mentees.style[i] != UNKNOWN:
        _same(p.mentors.style, p.mentees.style[i], p.tables.working_style, base)


@compiled
def _feasible(base: Any) -> Any:
    """(first, past): outside them nobody is allowed; whole chunks."""
    first, past = 0, len(base)
    while first < past and base[first] == INFEASIBLE:
        first += 1
    while past > first and base[past - 1] == INFEASIBLE:
        past -= 1
    return first // _CHUNK * _CHUNK, (past + _CHUNK - 1) // _CHUNK * _CHUNK


@compiled
def _lower(values: Any, first: int, past: int, value: int) -> int:
    """The first place from *first* on at which rising values are not below one."""
    while first < past:
        middle = (first + past) // 2
        if values[middle] < value:
            first = middle + 1
        else:
            past = middle
    return first


@compiled
def _gather_meaning(meaning: Any, i: int, first: int, past: int, row: Any) -> None:
    """What ``pairwise.alike`` says, for some mentors."""
    one, others = meaning.mentees, meaning.mentors
    mine = one[i].astype(np.int32)
    for j in range(first, min(past, len(others))):
        product = np.int32(0)
        for d in range(len(mine)):
            product += mine[d] * np.int32(others[j, d])
        if product > meaning.floor:
            points = np.int64(product - meaning.floor) * meaning.most // meaning.span
            row[j] += min(points, meaning.most)


@inlined
def _gather(p: Any, i: int, first: int, past: int, sums: Any) -> None:
    """[factors, mentors] points of the words that the mentee shares with some mentors, before their limits."""
    word, points, factors, users = p.words.word, p.words.points, p.words.factor, p.words.users
    mentor, strength = p.words.mentor, p.words.strength
    for a in range(p.words.start[i], p.words.start[i + 1]):
        worth = points[a]
        row = sums[factors[word[a]]]
        begin, end = users[word[a]], users[word[a] + 1]
        for q in range(
            _lower(mentor, begin, end, first) if first > 0 else begin,
            _lower(mentor, begin, end, past) if past < len(row) else end,
        ):
            row[mentor[q]] += worth * strength[q]
    if p.meaning.mentors.shape[1]:
        _gather_meaning(p.meaning, i, first, past, sums[_GOALS])


@compiled
def _add_up(base: Any, one: Any, two: Any, three: Any, four: Any, most: Any, values: Any) -> None:
    """Points of some mentors from base points and the sums of the four factors over words, each up to its limit.

    Indices count from 0: the compiler cannot know of other beginnings that they are not negative, which mean places
    from the end, and then uses no vector instructions. So here and below parts of arrays are passed.
    """
    a, b, c, d = most[0], most[1], most[2], most[3]
    for j in range(len(values)):
        values[j] = base[j] + min(one[j], a) + min(two[j], b) + min(three[j], c) + min(four[j], d)


@compiled
def _heights(values: Any, height: Any) -> None:
    """The highest of each chunk. The inner loop is of one length, for vector instructions; so all arrays over mentors
    are filled up to whole chunks."""
    for chunk in range(len(height)):
        start = chunk * _CHUNK
        highest = values[start]
        for offset in range(_CHUNK):
            highest = max(highest, values[start + offset])
        height[chunk] = highest


@compiled
def _highest_first(height: Any, first: int, past: int, draw: int, needed: int, rank: Any, turn: Any) -> int:
    """Puts the chunks that reach more than *needed* into *turn*, about the highest first and among alike ones in an
    order that begins where *draw* says; how many."""
    reaching = 0
    top = np.int32(INFEASIBLE)
    low = np.int32(1 << 30)
    for chunk in range(first, past):
        if height[chunk] > needed:
            reaching += 1
            top = max(top, height[chunk])
            low = min(low, height[chunk])
    if reaching == 0:
        return 0
    width = (np.int64(top) - low) // _RANKS + 1
    rank[:] = 0
    for chunk in range(first, past):
        if height[chunk] > needed:
            rank[(top - height[chunk]) // width + 1] += 1
    for place in range(_RANKS + 1):
        rank[place + 1] += rank[place]
    start = first + draw % (past - first)
    for step in range(past - first):
        chunk = start + step if start + step < past else start + step - past + first
        if height[chunk] > needed:
            place = (top - height[chunk]) // width
            turn[rank[place]] = chunk
            rank[place] += 1
    return reaching


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
    base = np.full(chunks * _CHUNK, INFEASIBLE, np.int32)
    sums = np.zeros((_SPARSE, chunks * _CHUNK), np.int32)
    one, two, three, four = sums[0], sums[1], sums[2], sums[3]
    values = np.empty(chunks * _CHUNK, np.int32)
    limits = p.words.most
    kept_base = np.empty(count, np.int32)
    height = np.empty(chunks, np.int32)
    turn = np.empty(chunks, np.int32)
    rank = np.empty(_RANKS + 2, np.int32)
    best = np.empty(k, np.int32)
    who = np.empty(k, np.int32)
    # Arrays are taken out of the tuples once: doing it for every pair would count references every time.
    my_languages, languages, need_language = p.mentees.languages, p.mentors.languages, p.tables.language
    departments, teams, firsts = p.mentors.department, p.mentors.team, p.mentors.first
    lasts, depths, use_lines = p.mentors.last, p.mentors.depth, p.tables.line
    line_levels = p.tables.line_levels if p.tables.line_levels else 1 << 30
    last, first, past = -1, 0, 0
    for place in range(begin, end):
        i = p.order[place]
        department = UNKNOWN if p.tables.same_department else p.mentees.department[i]
        team = UNKNOWN if p.tables.same_team else p.mentees.team[i]
        mine, my_last, my_depth = p.mentees.first[i], p.mentees.last[i], p.mentees.depth[i]
        if p.kind[i] != last:
            last = p.kind[i]
            _base_row(p, i, price, base)
            first, past = _feasible(base)
        _gather(p, i, first, past, sums)
        for special in range(p.special.start[i], p.special.start[i + 1]):
            j = p.special.mentor[special]
            kept_base[special - p.special.start[i]] = base[j]
            if p.special.rule[special] != 0:
                base[j] = INFEASIBLE
            elif base[j] != INFEASIBLE:
                base[j] += p.special.by_mentee[special] + p.special.by_mentor[special]
        kept = 0
        needed = floor[i]
        shift = p.mentees.draw[i] >> 32
        _add_up(
            base[first:past],
            one[first:past],
            two[first:past],
            three[first:past],
            four[first:past],
            limits,
            values[first:past],
        )
        for factor in range(_SPARSE):
            sums[factor, first:past] = 0
        _heights(values[first:past], height[first // _CHUNK : past // _CHUNK])
        worth = _highest_first(
            height,
            first // _CHUNK,
            past // _CHUNK,
            p.mentees.draw[i],
            needed,
            rank,
            turn,
        )
        # The highest chunks first, so that what is asked rises early.
        for number in range(worth):
            chunk = turn[number]
            if height[chunk] <= needed:
                continue
            for step in range(_CHUNK):
                j = chunk * _CHUNK + ((step + shift) & (_CHUNK - 1))
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
