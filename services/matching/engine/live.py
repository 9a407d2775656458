"""A population that has been matched, and who comes to it afterwards: proposals at once, without a full run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, INFEASIBLE
from services.matching.engine.assignment import Assignment, Graph, TooManyBids, assign, joined
from services.matching.engine.configuration import Configuration
from services.matching.engine.encode import Encoder
from services.matching.engine.kernel import best_mentors
from services.matching.engine.people import Participant, Pool
from services.matching.engine.refill import Suitors, suitors_of
from services.matching.engine.resume import left
from services.matching.engine.search import search

_ANYBODY: Final = INFEASIBLE // 2
"""Any allowed mentor is above this, whatever the price."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A mentor for somebody who has just come."""

    mentor_id: str
    score: int
    price: int
    """What a place costs at the prices of the last run: what others would lose."""


class Live:
    """The last run's candidates, prices and places, kept in memory."""

    def __init__(
        self, pool: Pool, configuration: Configuration, *, threads: int = 2, room: int = 1_000
    ) -> None:
        """*room* is how many may come before the next full run. Raises as :class:`Encoder` does."""
        self._encoder = Encoder(pool, configuration)
        encoded = self._encoder.encode(pool.mentees)
        self._mentors = encoded.mentors
        self._capacity = encoded.people.capacity
        self._k = max(1, min(configuration.candidates, len(self._mentors)))
        found = search(encoded.people, configuration, threads=threads)
        self._people = len(encoded.mentees)
        self._ids = [person.person_id for person in encoded.mentees]
        self._places = {person_id: number for number, person_id in enumerate(self._ids)}
        self._suitors: Suitors | None = None
        self._graph = _grown(found.graph, room, self._k)
        self._bonus = np.concatenate([encoded.people.bonus, np.zeros(room, np.int64)])
        self._solved: Assignment = assign(self._graph, self._capacity, self._bonus)

    def suggest(self, person: Participant, most: int = 5) -> tuple[Suggestion, ...]:
        """The mentors from whom somebody would gain most beyond the price, best first. Nothing changes."""
        price = self._price()
        mentor, score, found, bonus = self._row(person, price)
        rows = [
            Suggestion(self._mentors[int(j)].person_id, int(s), int(price[j]))
            for j, s in zip(mentor[:found], score[:found], strict=True)
            if s + bonus >= price[j]
        ]
        rows.sort(key=lambda one: (one.price - one.score, one.mentor_id))
        return tuple(rows[:most])

    def arrive(self, person: Participant) -> str | None:
        """Somebody joins, and everybody's best assignment is found again from the last prices. The newcomer's mentor.

        :meth:`join` and :meth:`settle` in one. Raises ``RuntimeError`` when there is no room for anybody more: time
        for a full run.
        """
        return self.settle(self.join(person))

    def join(self, person: Participant) -> int:
        """Somebody's candidates are looked for; the number of their row. Nobody is assigned yet."""
        place = self._people
        if place == len(self._bonus):
            raise RuntimeError("more people have come than there was room for")
        mentor, score, found, bonus = self._row(person, self._price())
        self._graph.mentor[place, :found], self._graph.score[place, :found] = mentor[:found], score[:found]
        self._graph.count[place] = found
        self._bonus[place] = bonus
        self._ids.append(person.person_id)
        self._places[person.person_id] = place
        self._people += 1
        return place

    def settle(self, place: int) -> str | None:
        """Go on from the last prices until everybody's assignment is the best again. The newcomer's mentor."""
        try:
            joined(self._graph, self._capacity, self._bonus, self._solved, place)
        except TooManyBids:
            self._solved = assign(self._graph, self._capacity, self._bonus)
        chosen = int(self._solved.mentor[place])
        return None if chosen < 0 else self._mentors[chosen].person_id

    def leave(self, person_id: str) -> None:
        """A mentee leaves, and whoever gains from the free place has it: everybody's best assignment again.

        Raises ``KeyError`` for somebody who is not there.
        """
        place = self._places.pop(person_id)
        if self._suitors is None:
            self._suitors = suitors_of(self._graph, len(self._capacity), self._people)
        try:
            left(self._graph, self._capacity, self._bonus, self._solved, self._suitors, place)
        except TooManyBids:
            self._solved = assign(self._graph, self._capacity, self._bonus)

    def worth(self) -> tuple[int, int]:
        """(as it stands, as a new assignment would be) everybody's points, with what being matched is worth."""
        anew = assign(self._graph, self._capacity, self._bonus)
        within = np.arange(self._graph.mentor.shape[1])[None, :] < self._graph.count[:, None]
        points = self._graph.score + self._bonus[:, None]
        now, new = (
            int(points[within & (self._graph.mentor == solved.mentor[:, None])].sum())
            for solved in (self._solved, anew)
        )
        return now, new

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(mentee, mentor) as they stand."""
        for number, person_id in enumerate(self._ids):
            chosen = int(self._solved.mentor[number])
            if chosen >= 0:
                yield person_id, self._mentors[chosen].person_id

    def _price(self) -> I32:
        return np.asarray(self._solved.price // self._solved.scale, np.int32)

    def _row(self, person: Participant, price: I32) -> tuple[I32, I32, int, int]:
        encoded = self._encoder.encode((person,))
        mentor, score = np.empty((1, self._k), np.int32), np.empty((1, self._k), np.int32)
        found = np.zeros(1, np.int32)
        floor = np.full(1, _ANYBODY, np.int32)  # who is too dear now may not be so when others have left
        best_mentors(encoded.people, 0, 1, price, floor, self._k, mentor, score, found)
        return mentor[0], score[0], int(found[0]), int(encoded.people.bonus[0])


def _grown(graph: Graph, room: int, k: int) -> Graph:
    """The graph with empty rows for those who will come."""
    people, width = graph.mentor.shape
    width = max(width, k)

    def more(values: I32) -> I32:
        grown = np.zeros((people + room, width), np.int32)
        grown[:people, : values.shape[1]] = values
        return grown

    count = np.concatenate([graph.count, np.zeros(room, np.int32)])
    return Graph(more(graph.mentor), more(graph.score), count)
