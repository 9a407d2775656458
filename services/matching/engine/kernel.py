"""The compiled inner loops: which pairs are allowed, what they score, and each mentee's best mentors.

A mentee's points with all mentors are a row: base points that depend on the mentee's class only (level, zone,
office, style), made once for a class, and what their words add, reached through the mentors who share a word. The
row is searched in chunks of mentors; a chunk whose highest points do not reach what is asked is passed over, so
hard rules are looked at only for pairs that score high enough to matter. Whole numbers only: the result is the
same on every machine and with every number of threads.
"""

from typing import Any, Final

import numpy as np
from numba import njit

from services.matching.engine.arrays import INFEASIBLE, UNKNOWN, Factor, Rule

_CHUNK: Final = 128
_FACTORS: Final = len(Factor)

# Plain numbers: the compiler takes them as constants.
_AVOID_NONE: Final = int(Rule.NONE)
_LEVEL, _OVERLAP, _LANGUAGE = int(Rule.LEVEL), int(Rule.OVERLAP), int(Rule.LANGUAGE)
_DEPARTMENT, _TEAM, _LINE = int(Rule.DEPARTMENT), int(Rule.TEAM), int(Rule.REPORTING_LINE)
_STYLE, _EXPERIENCE, _OFFICE = int(Factor.WORKING_STYLE), int(Factor.EXPERIENCE), int(Factor.OFFICE)
_HOURS, _HISTORY = int(Factor.WORKING_HOURS), int(Factor.HISTORY)
_BY_MENTEE, _BY_MENTOR = int(Factor.MENTEE_CHOICE), int(Factor.MENTOR_CHOICE)

_fast = njit(cache=True, nogil=True)
_inlined = njit(cache=True, nogil=True, inline="always")


@_fast
def _special_of(p: Any, i: int, j: int) -> int:
    """Where the pair is among the special ones, or -1."""
    low, high = p.special.start[i], p.special.start[i + 1]
    while low < high:
        middle = (low + high) // 2
        if p.special.mentor[middle] < j:
            low = middle + 1
        else:
            high = middle
    if low < p.special.start[i + 1] and p.special.mentor[low] == j:
        return low
    return -1


@_fast
def _in_line(p: Any, i: int, j: int) -> bool:
    """Whether one of the two is above the other in the organisation."""
    if p.mentors.first[j] <= p.mentees.first[i] < p.mentors.last[j]:
        apart = p.mentees.depth[i] - p.mentors.depth[j]
    elif p.mentees.first[i] <= p.mentors.first[j] < p.mentees.last[i]:
        apart = p.mentors.depth[j] - p.mentees.depth[i]
    else:
        return False
    return p.tables.line_levels == 0 or apart <= p.tables.line_levels


@_fast
def _broken_late(p: Any, i: int, j: int) -> int:
    """The rules that base points do not hold: languages, department, team, reporting line."""
    if p.tables.language and not _share(p.mentees.languages, p.mentors.languages, i, j):
        return _LANGUAGE
    same = p.mentees.department[i] == p.mentors.department[j] and p.mentees.department[i] != UNKNOWN
    if same and not p.tables.same_department:
        return _DEPARTMENT
    if p.mentees.team[i] == p.mentors.team[j] and p.mentees.team[i] != UNKNOWN and not p.tables.same_team:
        return _TEAM
    if p.tables.line and _in_line(p, i, j):
        return _LINE
    return 0


@_fast
def _share(one: Any, other: Any, i: int, j: int) -> bool:
    """Whether two rows of bits have one in common."""
    for word in range(one.shape[1]):  # noqa: SIM110 - compiled: a generator would be slower
        if one[i, word] & other[j, word]:
            return True
    return False


@_fast
def broken_rule(p: Any, i: int, j: int) -> int:
    """The first rule that forbids the pair, as a number of :class:`Rule`; 0 when it is allowed."""
    place = _special_of(p, i, j)
    if place >= 0 and p.special.rule[place] != 0:
        return p.special.rule[place]
    if p.tables.levels[p.mentees.level[i] + 1, p.mentors.level[j] + 1] == INFEASIBLE:
        return _LEVEL
    if p.tables.zones[p.mentees.zone[i], p.mentors.zone[j]] == INFEASIBLE:
        return _OVERLAP
    return _broken_late(p, i, j)


@_fast
def factors_of(p: Any, i: int, j: int) -> Any:
    """[factors] points of one pair, whether allowed or not; the forbidden part of a table counts 0."""
    points = np.zeros(_FACTORS, np.int64)
    w = p.words
    for a in range(w.start[i], w.start[i + 1]):
        word = w.word[a]
        for q in range(w.users[word], w.users[word + 1]):
            if w.mentor[q] == j:
                points[w.factor[word]] += w.points[a] * w.strength[q]
    for factor in range(len(w.most)):
        points[factor] = min(points[factor], w.most[factor])
    if p.mentees.style[i] == p.mentors.style[j] and p.mentees.style[i] != UNKNOWN:
        points[_STYLE] = p.tables.working_style
    points[_EXPERIENCE] = max(0, p.tables.levels[p.mentees.level[i] + 1, p.mentors.level[j] + 1])
    if p.mentees.office[i] == p.mentors.office[j] and p.mentees.office[i] != UNKNOWN:
        points[_OFFICE] = p.tables.same_office
    points[_HOURS] = max(0, p.tables.zones[p.mentees.zone[i], p.mentors.zone[j]])
    points[_HISTORY] = p.mentors.constant[j]
    place = _special_of(p, i, j)
    if place >= 0:
        points[_BY_MENTEE] = p.special.by_mentee[place]
        points[_BY_MENTOR] = p.special.by_mentor[place]
    return points


@_inlined
def _base_row(p: Any, i: int, price: Any, base: Any, top: Any) -> None:
    """Base points less prices of everybody with room, and each chunk's highest."""
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


@_inlined
def _add_words(p: Any, i: int, sum_: Any, add: Any, most: Any) -> None:
    """What the mentee's words and choices add, by mentor; ``most`` is at least the highest of each chunk."""
    w = p.words
    a, end = w.start[i], w.start[i + 1]
    while a < end:
        factor = w.factor[w.word[a]]
        z = a
        while z < end and w.factor[w.word[z]] == factor:
            points = w.points[z]
            for q in range(w.users[w.word[z]], w.users[w.word[z] + 1]):
                sum_[w.mentor[q]] += points * w.strength[q]
            z += 1
        limit = w.most[factor]
        for b in range(a, z):
            for q in range(w.users[w.word[b]], w.users[w.word[b] + 1]):
                j = w.mentor[q]
                points = sum_[j]
                if points:
                    sum_[j] = 0
                    add[j] += min(points, limit)
                    most[j // _CHUNK] = max(most[j // _CHUNK], add[j])
        a = z
    for place in range(p.special.start[i], p.special.start[i + 1]):
        j = p.special.mentor[place]
        if p.special.rule[place] != 0:
            add[j] = INFEASIBLE  # with base points it stays far below everything
        else:
            add[j] += p.special.by_mentee[place] + p.special.by_mentor[place]
            most[j // _CHUNK] = max(most[j // _CHUNK], add[j])


@_inlined
def _clear_words(p: Any, i: int, add: Any, most: Any) -> None:
    w = p.words
    for a in range(w.start[i], w.start[i + 1]):
        for q in range(w.users[w.word[a]], w.users[w.word[a] + 1]):
            add[w.mentor[q]] = 0
    for place in range(p.special.start[i], p.special.start[i + 1]):
        add[p.special.mentor[place]] = 0
    most[:] = 0


@_fast
def _highest(base: Any, add: Any, start: int, end: int) -> int:
    highest = np.int32(-2147483648)
    for j in range(start, end):
        highest = max(highest, base[j] + add[j])
    return highest


@_fast
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


@_fast
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
    sum_ = np.zeros(count, np.int32)
    add = np.zeros(count, np.int32)
    most = np.zeros(chunks, np.int32)
    values = np.empty(k, np.int32)
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
        _add_words(p, i, sum_, add, most)
        kept = 0
        needed = floor[i]
        start = p.mentees.draw[i] % max(1, chunks)
        for step in range(chunks):
            chunk = start + step
            if chunk >= chunks:
                chunk -= chunks
            if top[chunk] == INFEASIBLE or top[chunk] + most[chunk] <= needed:
                continue
            first, past = chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)
            if _highest(base, add, first, past) <= needed:
                continue
            for j in range(first, past):
                value = base[j] + add[j]
                if value <= needed or base[j] == INFEASIBLE:
                    continue
                # What _broken_late says, without its way through the tuples.
                if need_language and not _share(my_languages, languages, i, j):
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
                kept = _keep(values, who, kept, k, value, j)
                if kept == k:
                    needed = max(needed, values[0])
        for number in range(kept):
            mentors[i, number] = who[number]
            scores[i, number] = values[number] + price[who[number]]
        found[i] = kept
        _clear_words(p, i, add, most)


@_fast
def count_allowed(p: Any, i: int, reasons: Any) -> int:
    """How many mentors a mentee may have, full ones included; *reasons* [rules] counts what forbids the others."""
    allowed = 0
    for j in range(len(p.mentors.level)):
        rule = broken_rule(p, i, j)
        reasons[rule] += 1
        if rule == _AVOID_NONE:
            allowed += 1
    return allowed
