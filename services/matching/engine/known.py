"""All mentors of a programme as a run left them: whoever comes next finds their best candidates in a millisecond.

After a run a place that is left costs nothing at its prices (complementary slackness: prices above nothing belong to
full mentors), so the best candidates at the last prices are the best by score among those with room. What is
known here may be old: it chooses whom to look at, and :meth:`Known.match` decides with people as they are told now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from services.matching.engine.arrays import INFEASIBLE
from services.matching.engine.configuration import Configuration
from services.matching.engine.encode import Encoder
from services.matching.engine.kernel import best_mentors
from services.matching.engine.match import Result, match
from services.matching.engine.people import Participant, Pool

_ANYBODY: Final = INFEASIBLE // 2


class Known:
    """Mentors in memory, with the room that they have."""

    def __init__(self, pool: Pool, configuration: Configuration) -> None:
        """*pool* as a run saw it. Raises as :class:`Encoder` does."""
        self._encoder = Encoder(replace(pool, mentees=()), configuration)
        self._number = {mentor.person_id: number for number, mentor in enumerate(self._encoder.mentors)}
        self._room = np.array([mentor.room for mentor in self._encoder.mentors], np.int64)

    def has_now(self, rooms: Mapping[str, int]) -> None:
        """How much room these mentors have by now; whoever is not known is passed over."""
        for mentor_id, room in rooms.items():
            number = self._number.get(mentor_id)
            if number is not None:
                self._room[number] = room

    def gives(self, mentor_ids: Iterable[str]) -> None:
        """Each of them has given a place."""
        for mentor_id in mentor_ids:
            number = self._number.get(mentor_id)
            if number is not None:
                self._room[number] = max(0, int(self._room[number]) - 1)

    def best(self, people: Iterable[Participant], most: int) -> frozenset[str]:
        """Up to *most* mentors for each of these people who have room, are allowed and score highest."""
        encoded = self._encoder.encode(people)
        many, k = len(encoded.mentees), min(most, len(self._number))
        if not many or not k:
            return frozenset()
        mentor, score = np.empty((many, k), np.int32), np.empty((many, k), np.int32)
        found, free = np.zeros(many, np.int32), np.zeros(len(self._number), np.int32)
        floor = np.full(many, _ANYBODY, np.int32)
        there = encoded.people._replace(capacity=self._room)
        best_mentors(there, 0, many, free, floor, k, mentor, score, found)
        chosen = {int(j) for row, count in zip(mentor, found, strict=True) for j in row[:count]}
        return frozenset(self._encoder.mentors[j].person_id for j in chosen)

    def match(self, pool: Pool) -> Result:
        """The best pairs of a few people, each worth as much as among all mentors."""
        return match(pool, self._encoder.configuration, threads=1, like=self._encoder)
