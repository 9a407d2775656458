"""What mentors have in words (skills, goals, interests, what they chose to show), and what mentees share of it.

Between peers everybody wants and gives: beside the skills wanted by one and given by the other stand those given by the
one and wanted by the other, as words of their own, and so with wishes and what is shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from services.matching.engine.arrays import Words, csr
from services.matching.engine.configuration import Weights
from services.matching.engine.factors import Factor
from services.matching.engine.people import Participant
from services.matching.engine.words import fold, rarity, stems

_COMMON_STEM: Final = 10
"""A stem that more than one in so many mentors use says nothing."""
_MOST_STEM_USERS: Final = 4_000


class _Kind:
    """The words of one factor: a number for each, and its points for whoever wants it."""

    def __init__(self, first: int, rows: Iterable[Mapping[str, int]]) -> None:
        """*rows* are the mentors' words and strengths; numbers begin with *first*."""
        self.numbers: dict[str, int] = {}
        self.first = first
        self.word: list[int] = []
        self.mentor: list[int] = []
        self.strength: list[int] = []
        number_of = self.numbers.setdefault
        for mentor, row in enumerate(rows):
            for word, strength in row.items():
                self.word.append(number_of(word, first + len(self.numbers)))
                self.mentor.append(mentor)
                self.strength.append(strength)

    @property
    def past(self) -> int:
        """The number that comes after these."""
        return self.first + len(self.numbers)


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
            ("skills", False, Factor.SKILLS, (_strongest(person.skills) for person in mentors)),
            ("skills", True, Factor.SKILLS, (_strongest(person.skills) for person in wanting)),
            ("goals", False, Factor.GOALS, _goal_words(mentors, like) if terms else ()),
            ("interests", False, Factor.INTERESTS, (_once(person.interests) for person in mentors)),
            ("preferences", False, Factor.PREFERENCES, (_once(person.preferences) for person in mentors)),
            ("preferences", True, Factor.PREFERENCES, (_once(person.preferences) for person in wanting)),
        )
        past = 0
        factors: list[int] = []
        for name, back, factor, words in rows:
            kind = self._kinds[name, back] = _Kind(past, words)
            past = kind.past
            factors += [int(factor)] * len(kind.numbers)
        kinds = self._kinds.values()
        self.names = tuple(word for kind in kinds for word in kind.numbers)
        used = np.array([word for kind in kinds for word in kind.word], np.int64)
        order = np.argsort(used, kind="stable")  # mentors rise within a word
        count = np.bincount(used, minlength=past)
        self._users = np.zeros(past + 1, np.int64)
        np.cumsum(count, out=self._users[1:])
        self._mentor = np.array([mentor for kind in kinds for mentor in kind.mentor], np.int32)[order]
        self._strength = np.array([points for kind in kinds for points in kind.strength], np.int32)[order]
        self._factors = np.array(factors, np.int32)
        goals = self._kinds["goals", False]
        self._goals: dict[str, tuple[int, int]] = {
            stem: (
                number,
                like._goals[stem][1] if like else _worth(weights, int(count[number]), len(mentors)),
            )
            for stem, number in goals.numbers.items()
        }

    def wanted_by(
        self, mentees: Sequence[Participant], giving: Mapping[str, Participant] | None = None
    ) -> Words:
        """What these mentees have in common with mentors; *giving* are peers, by id, as those who give."""
        weights = self._weights
        backs = giving or {}
        rows = [self._row(person, backs.get(person.person_id)) for person in mentees]
        most = [weights.skills_most, weights.goals_most, weights.interests_most, weights.preferences_most]
        return Words(
            start=csr(rows),
            word=np.array([word for row in rows for word, _ in row], np.int32),
            points=np.array([points for row in rows for _, points in row], np.int32),
            factor=self._factors,
            users=self._users,
            mentor=self._mentor,
            strength=self._strength,
            most=np.array(most, np.int32),
        )

    def _row(self, person: Participant, giving: Participant | None) -> list[tuple[int, int]]:
        """(word, points), the words of one factor beside each other."""
        weights, goals = self._weights, self._goals
        row = self._skills(person, back=False)
        if giving is not None:
            row += self._skills(giving, back=True)
        if goals:
            row += [goals[stem] for stem in stems(person.goals) if stem in goals]
        row += self._each("interests", person.interests, weights.interest, back=False)
        row += self._each("preferences", person.preferences, weights.preference, back=False)
        if giving is not None:
            row += self._each("preferences", giving.preferences, weights.preference, back=True)
        return [entry for entry in row if entry[1]]

    def _skills(self, person: Participant, *, back: bool) -> list[tuple[int, int]]:
        numbers, each, most = (
            self._kinds["skills", back].numbers,
            self._weights.skill,
            self._weights.skills_most,
        )
        return [
            (numbers[skill], min(points * each, most))
            for skill, points in _strongest(person.skills).items()
            if skill in numbers
        ]

    def _each(self, kind: str, words: Iterable[str], points: int, *, back: bool) -> list[tuple[int, int]]:
        numbers = self._kinds[kind, back].numbers
        return [(numbers[word], points) for word in _once(words) if word in numbers]


def _strongest(skills: Mapping[str, int]) -> dict[str, int]:
    folded: dict[str, int] = {}
    for skill, points in skills.items():
        word = fold(skill)
        folded[word] = max(points, folded[word]) if word in folded else points
    return folded


def _once(words: Iterable[str]) -> dict[str, int]:
    """Different words, each with a strength of 1."""
    folded = dict.fromkeys(map(fold, words), 1)
    folded.pop("", None)
    return folded


def _worth(weights: Weights, using: int, everybody: int) -> int:
    """Points of a stem that so many of all mentors use."""
    return weights.goal_term * rarity(using, everybody) // 64


def _goal_words(mentors: Sequence[Participant], like: Offered | None) -> list[dict[str, int]]:
    """Each mentor's stems without those that so many use that they say nothing."""
    found = [stems(person.goals) for person in mentors]
    if like is not None:
        return [dict.fromkeys((stem for stem in row if stem in like._goals), 1) for row in found]
    using = Counter(stem for row in found for stem in row)
    most = min(_MOST_STEM_USERS, max(1, len(mentors) // _COMMON_STEM))
    return [dict.fromkeys((stem for stem in row if using[stem] <= most), 1) for row in found]
