"""What mentors have in words (skills, goals, interests, what they chose to show), and what mentees share of it.

Between peers everybody wants and gives: beside the skills wanted by one and given by the other stand those given by the
one and wanted by the other, as words of their own, and so with wishes and what is shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Final

import numpy as np

from services.matching.engine.arrays import Words
from services.matching.engine.configuration import Weights
from services.matching.engine.factors import Factor
from services.matching.engine.people import Participant
from services.matching.engine.words import fold, rarity, stems

_COMMON_STEM: Final = 10
"""A stem that more than one in so many mentors use says nothing."""
_MOST_STEM_USERS: Final = 4_000
_SKILLS: Final = ("skills", False)
_SKILLS_BACK: Final = ("skills", True)
_GOALS: Final = ("goals", False)
_INTERESTS: Final = ("interests", False)
_PREFERENCES: Final = ("preferences", False)
_PREFERENCES_BACK: Final = ("preferences", True)
_NOBODYS: Final = repeat(-1)
"""The number of a word that no mentor has."""


class _Numbers(dict[str, int]):
    """A number for each word that is asked for, from *first* on."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __missing__(self, word: str) -> int:
        number = self[word] = self._first + len(self)
        return number


class _Kind:
    """The words of one factor: a number for each, and how strong mentors are in it."""

    def __init__(self, first: int, rows: Iterable[Mapping[str, int]]) -> None:
        """*rows* are the mentors' words and strengths; numbers begin with *first*."""
        self.numbers = _Numbers(first)
        word: list[int] = []
        strength: list[int] = []
        count: list[int] = []
        for row in rows:
            word += map(self.numbers.__getitem__, row)
            strength += row.values()
            count.append(len(row))
        self.word, self.strength = np.array(word, np.int64), np.array(strength, np.int32)
        self.mentor = np.repeat(np.arange(len(count), dtype=np.int32), count)
        self.past = first + len(self.numbers)
        """The number that comes after these."""


class Offered:
    """The words that mentors have, by factor, and who has them."""

    def __init__(
        self,
        mentors: Sequence[Participant],
        weights: Weights,
        *,
        terms: bool = True,
        wanting: Sequence[Participant] = (),
        like: "Offered | None" = None,
    ) -> None:
        """*terms*: whether goals are compared by their words. *wanting* are peers: the mentors as those who want.
        *like*: words of goals are worth what they are worth there, among all mentors, of whom these are a few.
        """
        self._weights = weights
        self._kinds: dict[tuple[str, bool], _Kind] = {}
        rows: tuple[tuple[str, bool, Factor, Iterable[Mapping[str, int]]], ...] = (
            (*_SKILLS, Factor.SKILLS, (_strongest(person.skills) for person in mentors)),
            (*_SKILLS_BACK, Factor.SKILLS, (_strongest(person.skills) for person in wanting)),
            (*_GOALS, Factor.GOALS, _goal_words(mentors, like) if terms else ()),
            (*_INTERESTS, Factor.INTERESTS, (_once(person.interests) for person in mentors)),
            (*_PREFERENCES, Factor.PREFERENCES, (_once(person.preferences) for person in mentors)),
            (*_PREFERENCES_BACK, Factor.PREFERENCES, (_once(person.preferences) for person in wanting)),
        )
        past = 0
        factors: list[int] = []
        for name, back, factor, words in rows:
            kind = self._kinds[name, back] = _Kind(past, words)
            past = kind.past
            factors += [int(factor)] * len(kind.numbers)
        kinds = self._kinds.values()
        self.names = tuple(word for kind in kinds for word in kind.numbers)
        used = np.concatenate([kind.word for kind in kinds])
        order = np.argsort(used, kind="stable")  # mentors rise within a word
        count = np.bincount(used, minlength=past)
        self._users = np.zeros(past + 1, np.int64)
        np.cumsum(count, out=self._users[1:])
        self._mentor = np.concatenate([kind.mentor for kind in kinds])[order]
        self._strength = np.concatenate([kind.strength for kind in kinds])[order]
        self._factors = np.array(factors, np.int32)
        each = {
            Factor.SKILLS: weights.skill,
            Factor.INTERESTS: weights.interest,
            Factor.PREFERENCES: weights.preference,
        }
        self._worth = np.array([each.get(Factor(factor), 0) for factor in factors], np.int64)
        goals = self._kinds[_GOALS]
        for stem, number in goals.numbers.items():
            self._worth[number] = (
                like._worth[like._kinds[_GOALS].numbers[stem]]
                if like
                else weights.goal_term * rarity(int(count[number]), len(mentors)) // 64
            )

    def wanted_by(
        self, mentees: Sequence[Participant], giving: Mapping[str, Participant] | None = None
    ) -> Words:
        """What these mentees have in common with mentors; *giving* are peers, by id, as those who give."""
        weights = self._weights
        word: list[int] = []
        weight: list[int] = []
        count = []
        number = {kind: made.numbers.get for kind, made in self._kinds.items()}
        for person in mentees:
            back = giving.get(person.person_id) if giving else None
            parts: list[tuple[tuple[str, bool], Mapping[str, int]]] = [
                (_SKILLS, _strongest(person.skills)),
                (_SKILLS_BACK, _strongest(back.skills) if back else {}),
                (_GOALS, dict.fromkeys(stems(person.goals), 1) if self._kinds[_GOALS].numbers else {}),
                (_INTERESTS, _once(person.interests)),
                (_PREFERENCES, _once(person.preferences)),
                (_PREFERENCES_BACK, _once(back.preferences) if back else {}),
            ]
            before = len(word)
            for kind, row in parts:
                word += map(number[kind], row, _NOBODYS)
                weight += row.values()
            count.append(len(word) - before)
        numbers, points = np.array(word, np.int32), np.array(weight, np.int64)
        kept = numbers >= 0
        points[kept] *= self._worth[numbers[kept]]
        skills = kept & (self._factors[numbers] == Factor.SKILLS) if len(self._factors) else kept
        points[skills] = np.minimum(points[skills], weights.skills_most)
        kept &= points != 0
        before_each = np.zeros(len(word) + 1, np.int64)
        np.cumsum(kept, out=before_each[1:])
        ends = np.zeros(len(count) + 1, np.int64)
        np.cumsum(count, out=ends[1:])
        most = [weights.skills_most, weights.goals_most, weights.interests_most, weights.preferences_most]
        return Words(
            start=before_each[ends],
            word=numbers[kept],
            points=points[kept].astype(np.int32),
            factor=self._factors,
            users=self._users,
            mentor=self._mentor,
            strength=self._strength,
            most=np.array(most, np.int32),
        )


def _strongest(skills: Mapping[str, int]) -> Mapping[str, int]:
    folded = dict(zip(map(fold, skills), skills.values(), strict=True))
    if len(folded) < len(skills):
        for skill, points in skills.items():
            folded[fold(skill)] = max(points, folded[fold(skill)])
    return folded


def _once(words: Iterable[str]) -> dict[str, int]:
    """Different words, each with a strength of 1."""
    folded = dict.fromkeys(map(fold, words), 1)
    folded.pop("", None)
    return folded


def _goal_words(mentors: Sequence[Participant], like: Offered | None) -> list[dict[str, int]]:
    """Each mentor's stems without those that so many use that they say nothing."""
    found = [stems(person.goals) for person in mentors]
    if like is not None:
        return [dict.fromkeys(filter(like._kinds[_GOALS].numbers.__contains__, row), 1) for row in found]
    using = Counter(chain.from_iterable(found))
    most = min(_MOST_STEM_USERS, max(1, len(mentors) // _COMMON_STEM))
    telling = {stem for stem, count in using.items() if count <= most}
    return [dict.fromkeys(filter(telling.__contains__, row), 1) for row in found]
