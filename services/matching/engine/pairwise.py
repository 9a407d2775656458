"""One pair at a time, compiled: which rule forbids it, and the points of each factor."""

from typing import Any, Final

import numpy as np

from services.matching.engine.arrays import INFEASIBLE, UNKNOWN
from services.matching.engine.compiled import compiled
from services.matching.engine.factors import Factor, Rule

_FACTORS: Final = len(Factor)

# Plain numbers: the compiler takes them as constants.
_ALLOWED: Final = int(Rule.NONE)
_LEVEL, _OVERLAP, _LANGUAGE = int(Rule.LEVEL), int(Rule.OVERLAP), int(Rule.LANGUAGE)
_DEPARTMENT, _TEAM, _LINE = int(Rule.DEPARTMENT), int(Rule.TEAM), int(Rule.REPORTING_LINE)
_STYLE, _EXPERIENCE, _OFFICE = int(Factor.WORKING_STYLE), int(Factor.EXPERIENCE), int(Factor.OFFICE)
_GOALS = int(Factor.GOALS)
_HOURS, _HISTORY = int(Factor.WORKING_HOURS), int(Factor.HISTORY)
_BY_MENTEE, _BY_MENTOR = int(Factor.MENTEE_CHOICE), int(Factor.MENTOR_CHOICE)


@compiled
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


@compiled
def _in_line(p: Any, i: int, j: int) -> bool:
    """Whether one of the two is above the other in the organisation."""
    if p.mentors.first[j] <= p.mentees.first[i] < p.mentors.last[j]:
        apart = p.mentees.depth[i] - p.mentors.depth[j]
    elif p.mentees.first[i] <= p.mentors.first[j] < p.mentees.last[i]:
        apart = p.mentors.depth[j] - p.mentees.depth[i]
    else:
        return False
    return p.tables.line_levels == 0 or apart <= p.tables.line_levels


@compiled
def _broken_late(p: Any, i: int, j: int) -> int:
    """The rules that base points do not hold: languages, department, team, reporting line."""
    if p.tables.language and not share_bit(p.mentees.languages, p.mentors.languages, i, j):
        return _LANGUAGE
    same = p.mentees.department[i] == p.mentors.department[j] and p.mentees.department[i] != UNKNOWN
    if same and not p.tables.same_department:
        return _DEPARTMENT
    if p.mentees.team[i] == p.mentors.team[j] and p.mentees.team[i] != UNKNOWN and not p.tables.same_team:
        return _TEAM
    if p.tables.line and _in_line(p, i, j):
        return _LINE
    return 0


@compiled
def share_bit(one: Any, other: Any, i: int, j: int) -> bool:
    """Whether two rows of bits have one in common."""
    for word in range(one.shape[1]):  # noqa: SIM110 - compiled: a generator would be slower
        if one[i, word] & other[j, word]:
            return True
    return False


@compiled
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


@compiled
def alike(meaning: Any, i: int, j: int) -> int:
    """Points for what two goals have in common as vectors."""
    one, other = meaning.mentees, meaning.mentors
    product = np.int64(0)
    for d in range(other.shape[1]):
        product += np.int32(one[i, d]) * np.int32(other[j, d])
    if product <= meaning.floor:
        return 0
    return min(meaning.most, (product - meaning.floor) * meaning.most // meaning.span)


@compiled
def factors_of(p: Any, i: int, j: int) -> Any:
    """[factors] points of one pair, whether allowed or not; the forbidden part of a table counts 0."""
    points = np.zeros(_FACTORS, np.int64)
    w = p.words
    for a in range(w.start[i], w.start[i + 1]):
        word = w.word[a]
        low, past = w.users[word], w.users[word + 1]
        while low < past:
            middle = (low + past) // 2
            if w.mentor[middle] < j:
                low = middle + 1
            else:
                past = middle
        if low < w.users[word + 1] and w.mentor[low] == j:
            points[w.factor[word]] += w.points[a] * w.strength[low]
    points[_GOALS] += alike(p.meaning, i, j)
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


@compiled
def count_allowed(p: Any, i: int, reasons: Any) -> int:
    """How many mentors a mentee may have, full ones included; *reasons* [rules] counts what forbids the others, by
    the first rule that does, as :func:`broken_rule` has it."""
    # Arrays are taken out of the tuples once: for every pair that would count references every time.
    levels, zones = p.tables.levels[p.mentees.level[i] + 1], p.tables.zones[p.mentees.zone[i]]
    level, zone, languages = p.mentors.level, p.mentors.zone, p.mentors.languages
    departments, teams = p.mentors.department, p.mentors.team
    firsts, lasts, depths = p.mentors.first, p.mentors.last, p.mentors.depth
    mine = p.mentees.languages
    department = UNKNOWN if p.tables.same_department else p.mentees.department[i]
    team = UNKNOWN if p.tables.same_team else p.mentees.team[i]
    first, last, depth = p.mentees.first[i], p.mentees.last[i], p.mentees.depth[i]
    line_levels = p.tables.line_levels if p.tables.line_levels else 1 << 30
    special, end = p.special.start[i], p.special.start[i + 1]
    special_mentor, special_rule = p.special.mentor, p.special.rule
    allowed = 0
    for j in range(len(level)):
        rule = 0
        if special < end and special_mentor[special] == j:
            rule = special_rule[special]
            special += 1
        if rule == 0:
            apart = 1 << 31
            if p.tables.line and firsts[j] <= first < lasts[j]:
                apart = depth - depths[j]
            elif p.tables.line and first <= firsts[j] < last:
                apart = depths[j] - depth
            if levels[level[j] + 1] == INFEASIBLE:
                rule = _LEVEL
            elif zones[zone[j]] == INFEASIBLE:
                rule = _OVERLAP
            elif p.tables.language and not share_bit(mine, languages, i, j):
                rule = _LANGUAGE
            elif department != UNKNOWN and departments[j] == department:
                rule = _DEPARTMENT
            elif team != UNKNOWN and teams[j] == team:
                rule = _TEAM
            elif apart <= line_levels:
                rule = _LINE
        reasons[rule] += 1
        if rule == _ALLOWED:
            allowed += 1
    return allowed
