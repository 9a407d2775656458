"""Pairs with a word of their own: forbidden one by one, or chosen."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.matching.engine.arrays import Special, csr
from services.matching.engine.configuration import Weights
from services.matching.engine.factors import Rule
from services.matching.engine.people import Participant


class Specials:
    """Pairs forbidden one by one, and choices. A rule is never beaten by a choice: both are kept, the rule acts."""

    def __init__(
        self, mentors: Sequence[Participant], failed: Iterable[tuple[str, str]], weights: Weights
    ) -> None:
        self._weights = weights
        self._number = {person.person_id: number for number, person in enumerate(mentors)}
        self._avoided_by: dict[str, list[int]] = {}
        self._chosen_by: dict[str, dict[int, int]] = {}
        self._failed: dict[str, list[int]] = {}
        for number, mentor in enumerate(mentors):
            for person_id in mentor.avoid:
                self._avoided_by.setdefault(person_id, []).append(number)
            for person_id, points in self._points(mentor.choices).items():
                self._chosen_by.setdefault(person_id, {})[number] = points
        for mentee_id, mentor_id in failed:
            if mentor_id in self._number:
                self._failed.setdefault(mentee_id, []).append(self._number[mentor_id])

        self._named = {*self._number, *self._avoided_by, *self._chosen_by, *self._failed}
        """Whom a mentor, or an earlier pair, has something to do with."""

    def _points(self, choices: Sequence[str]) -> dict[str, int]:
        """By person; who is named twice counts where first named."""
        weights = self._weights
        ranked = enumerate(dict.fromkeys(choices))
        return {one: max(0, weights.first_choice - rank * weights.choice_fall) for rank, one in ranked}

    def of(self, mentees: Sequence[Participant]) -> Special:
        """Choices, avoid lists and failed pairs of *mentees* with the known mentors, by row."""
        rows = [self._row(person) for person in mentees]
        flat = [entry for row in rows for entry in row]
        return Special(
            start=csr(rows),
            mentor=np.array([entry[0] for entry in flat], np.int32),
            rule=np.array([entry[1] for entry in flat], np.int16),
            by_mentee=np.array([entry[2] for entry in flat], np.int32),
            by_mentor=np.array([entry[3] for entry in flat], np.int32),
        )

    def _row(self, person: Participant) -> list[tuple[int, int, int, int]]:
        number_of, person_id = self._number, person.person_id
        if not (person.avoid or person.choices or person_id in self._named):
            return []
        rule: dict[int, int] = dict.fromkeys(self._failed.get(person_id, ()), Rule.FAILED_BEFORE)
        rule |= dict.fromkeys(self._avoided_by.get(person_id, ()), Rule.AVOID)
        rule |= {number_of[other]: Rule.AVOID for other in person.avoid if other in number_of}
        if person_id in number_of:
            rule[number_of[person_id]] = Rule.SAME_PERSON
        points = self._points(person.choices)
        own = {number_of[other]: given for other, given in points.items() if other in number_of}
        theirs = self._chosen_by.get(person_id, {})
        pairs = sorted({*rule, *own, *theirs})
        return [(j, rule.get(j, 0), own.get(j, 0), theirs.get(j, 0)) for j in pairs]
