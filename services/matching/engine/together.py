"""Many pairs at once, compiled: their factors and common words, and how many mentors the rules leave to people.

What :mod:`pairwise` says of one pair, without the way in and out of compiled code for each.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64, INFEASIBLE, UNKNOWN, Population
from services.matching.engine.compiled import compiled
from services.matching.engine.factors import Factor, Rule
from services.matching.engine.pairwise import factors_of, share_bit

_FACTORS: Final = len(Factor)
_RULES: Final = len(Rule)
_BLOCK: Final = 200
_LEVEL, _OVERLAP, _LANGUAGE = int(Rule.LEVEL), int(Rule.OVERLAP), int(Rule.LANGUAGE)
_DEPARTMENT, _TEAM, _LINE = int(Rule.DEPARTMENT), int(Rule.TEAM), int(Rule.REPORTING_LINE)


class Common(NamedTuple):
    """The words that pairs have in common."""

    start: I64
    """[pairs + 1] into the others."""
    word: I32
    worth: I64
    """Points, before the factor's limit."""


@compiled
def _factors(p: Any, mentee: Any, mentor: Any, points: Any) -> None:
    for n in range(len(mentee)):
        points[n] = factors_of(p, mentee[n], mentor[n])


def factors_of_all(people: Population, mentee: I32, mentor: I32) -> I64:
    """[pairs, factors] points of these pairs."""
    points = np.zeros((len(mentee), _FACTORS), np.int64)
    _factors(people, mentee, mentor, points)
    return points


@compiled
def _strength(w: Any, word: int, mentor: int) -> int:
    """How strong a mentor is in a word; 0 without it."""
    low, past = w.users[word], w.users[word + 1]
    while low < past:
        middle = (low + past) // 2
        if w.mentor[middle] < mentor:
            low = middle + 1
        else:
            past = middle
    return w.strength[low] if low < w.users[word + 1] and w.mentor[low] == mentor else 0


@compiled
def _common(p: Any, mentee: Any, mentor: Any, start: Any, word: Any, worth: Any) -> int:
    w = p.words
    found = 0
    for n in range(len(mentee)):
        start[n] = found
        for a in range(w.start[mentee[n]], w.start[mentee[n] + 1]):
            strength = _strength(w, w.word[a], mentor[n])
            if strength != 0:
                word[found] = w.word[a]
                worth[found] = np.int64(w.points[a]) * strength
                found += 1
    start[len(mentee)] = found
    return found


def common_words(people: Population, mentee: I32, mentor: I32) -> Common:
    """What each of these pairs has in common."""
    most = int((people.words.start[mentee + 1] - people.words.start[mentee]).sum())
    start = np.zeros(len(mentee) + 1, np.int64)
    word, worth = np.empty(most, np.int32), np.empty(most, np.int64)
    found = _common(people, mentee, mentor, start, word, worth)
    return Common(start, word[:found], worth[:found])


@compiled
def _count(p: Any, mentee: Any, begin: int, end: int, counts: Any) -> None:
    """By the first rule that forbids, in the order of ``pairwise.broken_rule``."""
    levels, zones, languages = p.mentors.level, p.mentors.zone, p.mentors.languages
    departments, teams = p.mentors.department, p.mentors.team
    firsts, lasts, depths = p.mentors.first, p.mentors.last, p.mentors.depth
    my_languages, need_language, use_lines = p.mentees.languages, p.tables.language, p.tables.line
    line_levels = p.tables.line_levels if p.tables.line_levels else 1 << 30
    mentors = len(levels)
    kept = np.zeros(mentors, np.int16)
    for n in range(begin, end):
        i = mentee[n]
        by_level, by_zone = p.tables.levels[p.mentees.level[i] + 1], p.tables.zones[p.mentees.zone[i]]
        department = UNKNOWN if p.tables.same_department else p.mentees.department[i]
        team = UNKNOWN if p.tables.same_team else p.mentees.team[i]
        mine, my_last, my_depth = p.mentees.first[i], p.mentees.last[i], p.mentees.depth[i]
        for special in range(p.special.start[i], p.special.start[i + 1]):
            kept[p.special.mentor[special]] = p.special.rule[special]
        count = counts[n]
        for j in range(mentors):
            if kept[j] != 0:
                count[kept[j]] += 1
            elif by_level[levels[j] + 1] == INFEASIBLE:
                count[_LEVEL] += 1
            elif by_zone[zones[j]] == INFEASIBLE:
                count[_OVERLAP] += 1
            elif need_language and not share_bit(my_languages, languages, i, j):
                count[_LANGUAGE] += 1
            elif department != UNKNOWN and departments[j] == department:
                count[_DEPARTMENT] += 1
            elif team != UNKNOWN and teams[j] == team:
                count[_TEAM] += 1
            else:
                apart = 1 << 31
                if use_lines:
                    if firsts[j] <= mine < lasts[j]:
                        apart = my_depth - depths[j]
                    elif mine <= firsts[j] < my_last:
                        apart = depths[j] - my_depth
                count[_LINE if apart <= line_levels else 0] += 1
        for special in range(p.special.start[i], p.special.start[i + 1]):
            kept[p.special.mentor[special]] = 0


def count_rules(people: Population, mentee: I32, *, threads: int = 2) -> I64:
    """[people, rules] how many mentors, full ones included, each rule forbids to these mentees; the column of no rule
    holds how many are left."""
    counts = np.zeros((len(mentee), _RULES), np.int64)
    blocks = range(0, len(mentee), _BLOCK)
    one = partial(_count, people, mentee)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda begin: one(begin, min(len(mentee), begin + _BLOCK), counts), blocks))
    return counts
