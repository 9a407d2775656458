"""Many pairs at once, compiled: their factors and common words, and how many mentors the rules leave to people.

What :mod:`pairwise` says of one pair, without the way in and out of compiled code for each.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.compiled import compiled, wide
from services.matching.engine.factors import Factor, Rule
from services.matching.engine.pairwise import count_allowed, factors_of

_FACTORS: Final = len(Factor)
_RULES: Final = len(Rule)
_BLOCK: Final = 200


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
        points[n] = factors_of(p, wide(mentee[n]), wide(mentor[n]))


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
    for n in range(begin, end):
        count_allowed(p, wide(mentee[n]), counts[n])


def count_rules(people: Population, mentee: I32, *, threads: int = 2) -> I64:
    """[people, rules] how many mentors, full ones included, each rule forbids to these mentees; the column of no rule
    holds how many are left."""
    counts = np.zeros((len(mentee), _RULES), np.int64)
    blocks = range(0, len(mentee), _BLOCK)
    one = partial(_count, people, mentee)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda begin: one(begin, min(len(mentee), begin + _BLOCK), counts), blocks))
    return counts
