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


class Offered:
    """The words that mentors have, by factor, and who has them."""

    def __init__(
        self,
        mentors: Sequence[Participant],
        weights: Weights,
        *,
        terms: bool = True,
        wanting: Sequence[Participant] = (),
    ) -> None:
        """*terms*: whether goals are compared by their words. *wanting* are peers: the mentors as those who want."""
        self._weights = weights
        self._numbers: dict[tuple[int, str, bool], int] = {}
        self._factor: list[int] = []
        self._users: list[list[tuple[int, int]]] = []
        for number, person in enumerate(mentors):
            for skill, strength in _strongest(person.skills).items():
                self._add(Factor.SKILLS, skill, number, strength)
        for number, person in enumerate(wanting):
            for skill, strength in _strongest(person.skills).items():
                self._add(Factor.SKILLS, skill, number, strength, back=True)
        for number, found in enumerate(_goal_words(mentors) if terms else ()):
            for stem in found:
                self._add(Factor.GOALS, stem, number, 1)
        for number, person in enumerate(mentors):
            for word in _folded(person.interests):
                self._add(Factor.INTERESTS, word, number, 1)
            for word in _folded(person.preferences):
                self._add(Factor.PREFERENCES, word, number, 1)
        for number, person in enumerate(wanting):
            for word in _folded(person.preferences):
                self._add(Factor.PREFERENCES, word, number, 1, back=True)
        self.names = tuple(word for _, word, _ in self._numbers)
        self._rarity = [rarity(len(users), len(mentors)) for users in self._users]
        used = [entry for row in self._users for entry in row]
        self._start = csr(self._users)
        self._mentor = np.array([mentor for mentor, _ in used], np.int32)
        self._strength = np.array([strength for _, strength in used], np.int32)
        self._factors = np.array(self._factor, np.int32)

    def _add(self, factor: Factor, word: str, mentor: int, strength: int, *, back: bool = False) -> None:
        number = self._numbers.get((factor, word, back))
        if number is None:
            number = self._numbers[factor, word, back] = len(self._factor)
            self._factor.append(factor)
            self._users.append([])
        self._users[number].append((mentor, strength))

    def wanted_by(
        self, mentees: Sequence[Participant], giving: Mapping[str, Participant] | None = None
    ) -> Words:
        """What these mentees have in common with mentors; *giving* are peers, by id, as those who give."""
        weights = self._weights
        backs = giving or {}
        rows = [self._row(person, backs.get(person.person_id)) for person in mentees]
        flat = [entry for row in rows for entry in row]
        most = [weights.skills_most, weights.goals_most, weights.interests_most, weights.preferences_most]
        return Words(
            start=csr(rows),
            word=np.array([word for word, _ in flat], np.int32),
            points=np.array([points for _, points in flat], np.int32),
            factor=self._factors,
            users=self._start,
            mentor=self._mentor,
            strength=self._strength,
            most=np.array(most, np.int32),
        )

    def _row(self, person: Participant, giving: Participant | None) -> list[tuple[int, int]]:
        """(word, points), the words of one factor beside each other."""
        weights = self._weights
        row = self._skills(person, back=False)
        if giving is not None:
            row += self._skills(giving, back=True)
        for stem in stems(person.goals):
            number = self._numbers.get((Factor.GOALS, stem, False))
            if number is not None:
                row.append((number, weights.goal_term * self._rarity[number] // 64))
        row += self._each(Factor.INTERESTS, person.interests, weights.interest, back=False)
        row += self._each(Factor.PREFERENCES, person.preferences, weights.preference, back=False)
        if giving is not None:
            row += self._each(Factor.PREFERENCES, giving.preferences, weights.preference, back=True)
        return [entry for entry in row if entry[1]]

    def _skills(self, person: Participant, *, back: bool) -> list[tuple[int, int]]:
        weights = self._weights
        found = (
            (self._numbers.get((Factor.SKILLS, skill, back)), points)
            for skill, points in _strongest(person.skills).items()
        )
        most = weights.skills_most
        return [(number, min(points * weights.skill, most)) for number, points in found if number is not None]

    def _each(
        self, factor: Factor, words: Iterable[str], points: int, *, back: bool
    ) -> list[tuple[int, int]]:
        found = (self._numbers.get((factor, word, back)) for word in _folded(words))
        return [(number, points) for number in found if number is not None]


def _strongest(skills: Mapping[str, int]) -> dict[str, int]:
    folded: dict[str, int] = {}
    for skill, points in sorted(skills.items()):
        word = fold(skill)
        folded[word] = max(points, folded.get(word, 0))
    return folded


def _folded(words: Iterable[str]) -> list[str]:
    return sorted({fold(word) for word in words} - {""})


def _goal_words(mentors: Sequence[Participant]) -> list[list[str]]:
    """Each mentor's stems without those that so many use that they say nothing."""
    found = [sorted(stems(person.goals)) for person in mentors]
    using = Counter(stem for row in found for stem in row)
    most = min(_MOST_STEM_USERS, max(1, len(mentors) // _COMMON_STEM))
    return [[stem for stem in row if using[stem] <= most] for row in found]
