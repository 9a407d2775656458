"""The matching engine: a pure function from a frozen pool to pairs. Standard library only.

The result depends on nothing but the pool's contents: people are taken in the order of their ids, and
ties are broken by a hash of seed and ids, so neither the order of arrival nor that of rows matters.

How: for each mentee a few hundred candidates at most come from an index by language, skill and
strength; the best of them are kept, and the globally best pair is taken again and again while its
mentor has room. Whoever is left over is offered every mentor who still has room, best first.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from services.matching.index import Index
from services.matching.scoring import reasons_for, score_of, tie_of, traits_of

LEVEL_UNKNOWN: Final = 99
"""Where a mentor without a known level stands in the index: above every demand."""

LINE_LENGTH: Final = 20
"""How far up a reporting line is followed."""

_SKILLS_LOOKED_UP: Final = 6
_PER_SKILL: Final = 60
_COMPARED: Final = 60
_FALLBACKS: Final = 100


@dataclass(frozen=True, slots=True)
class Participant:
    """What the engine knows of somebody. ``skills`` are wanted by a mentee and offered by a mentor."""

    person_id: str
    department: str = ""
    level: int | None = None
    languages: tuple[str, ...] = ("en",)
    time_zone: str = "UTC"
    interests: tuple[str, ...] = ()
    working_style: str | None = None
    skills: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    """Mentees only: whoever has a higher one chooses first, among all mentors."""
    free: int = 0
    """Mentors only: how many more mentees they take."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The hard rules that a programme sets."""

    minimum_level_gap: int = 1
    same_department_allowed: bool = True


@dataclass(frozen=True, slots=True)
class Pool:
    """Everything that a round depends on."""

    seed: str
    as_of: date
    """The day whose UTC offsets count."""
    rules: Rules
    mentees: tuple[Participant, ...]
    mentors: tuple[Participant, ...]
    """All mentors of the programme, those without room included: they tell "full" from "nobody"."""
    managers: Mapping[str, str] = field(default_factory=dict)
    """Person to direct manager, for everybody in the reporting lines of the pool."""
    excluded: frozenset[tuple[str, str]] = frozenset()
    """(mentee, mentor) that must not be proposed."""


@dataclass(frozen=True, slots=True)
class Pair:
    mentee_id: str
    mentor_id: str
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Pairs by mentee, and who found nobody: those whom only full mentors fit, and those whom none does."""

    pairs: tuple[Pair, ...]
    all_full: tuple[str, ...]
    no_candidate: tuple[str, ...]


def match(pool: Pool) -> Result:
    """Pairs for as many mentees as the rules and the mentors' room allow (greedy, hence not optimal)."""
    round_ = _Round(pool)
    for priority in sorted({person.priority for person in pool.mentees}, reverse=True):
        mentees = [number for number, person in enumerate(round_.mentees) if person.priority == priority]
        round_.take_best_pairs(mentees)
        round_.serve_the_rest(mentees)
    return round_.result()


class _Round:
    """One run: people by number (their place in the order of ids) and how much room is left."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.mentees = sorted(pool.mentees, key=lambda person: person.person_id)
        self.mentors = sorted(pool.mentors, key=lambda person: person.person_id)
        self.mentee_traits = [traits_of(person, pool.seed, pool.as_of) for person in self.mentees]
        self.mentor_traits = [traits_of(person, pool.seed, pool.as_of) for person in self.mentors]
        self.free = [person.free for person in self.mentors]
        self.chosen: dict[int, tuple[int, int]] = {}
        self._mentee_lines = [self._line(person.person_id) for person in self.mentees]
        self._mentor_lines = [self._line(person.person_id) for person in self.mentors]

    def _line(self, person_id: str) -> frozenset[str]:
        """The managers above somebody. A line that bites its own tail ends there."""
        above: list[str] = []
        manager = self.pool.managers.get(person_id)
        while manager is not None and manager != person_id and manager not in above:
            above.append(manager)
            if len(above) == LINE_LENGTH:
                break
            manager = self.pool.managers.get(manager)
        return frozenset(above)

    def _rank(self, mentor: int) -> tuple[int, int]:
        """Order within an index: level first, then by hash, so that nobody is always first."""
        level = self.mentors[mentor].level
        return (LEVEL_UNKNOWN if level is None else level, self.mentor_traits[mentor].hash)

    def _index(self, mentors: Iterable[int]) -> Index:
        return Index((mentor, self._rank(mentor)) for mentor in mentors)

    def _level_needed(self, mentee: int) -> int:
        level = self.mentees[mentee].level
        return 0 if level is None else level + self.pool.rules.minimum_level_gap

    def _allowed(self, mentee: int, mentor: int) -> bool:
        """The hard rules that the index does not keep; language and level it does."""
        one, other = self.mentees[mentee], self.mentors[mentor]
        return (
            one.person_id != other.person_id
            and (self.pool.rules.same_department_allowed or one.department != other.department)
            and other.person_id not in self._mentee_lines[mentee]
            and one.person_id not in self._mentor_lines[mentor]
            and (one.person_id, other.person_id) not in self.pool.excluded
        )

    def _packed(self, mentee: int, mentor: int) -> int:
        """Score, tie-break and mentor in one number: a higher one is better."""
        one, other = self.mentee_traits[mentee], self.mentor_traits[mentor]
        return (score_of(one, other) << 44) | (tie_of(one, other) << 20) | mentor

    # best pairs first

    def take_best_pairs(self, mentees: Iterable[int]) -> None:
        """The best remaining pair of all, again and again, while its mentor has room."""
        index = self._skill_index()
        waiting: list[tuple[int, int]] = []
        candidates: dict[int, list[int]] = {}
        for mentee in mentees:
            candidates[mentee] = packed = self._candidates(mentee, index)
            if packed:
                waiting.append((-packed.pop(), mentee))
        heapq.heapify(waiting)
        while waiting:
            best, mentee = waiting[0]
            if self.free[-best & 0xFFFFF] > 0:
                self._choose(mentee, -best)
            elif candidates[mentee]:
                heapq.heapreplace(waiting, (-candidates[mentee].pop(), mentee))
                continue
            heapq.heappop(waiting)

    def _skill_index(self) -> Mapping[tuple[str, str], list[tuple[int, Index]]]:
        """(language, skill) to the mentors with room who offer it, by strength, the strongest first."""
        lists: dict[tuple[str, str], dict[int, list[int]]] = {}
        for mentor, traits in enumerate(self.mentor_traits):
            if self.free[mentor] > 0:
                for language in traits.languages:
                    for skill, strength in traits.skills.items():
                        lists.setdefault((language, skill), {}).setdefault(strength, []).append(mentor)
        return {
            key: [
                (strength, self._index(strengths[strength])) for strength in sorted(strengths, reverse=True)
            ]
            for key, strengths in lists.items()
        }

    def _candidates(self, mentee: int, index: Mapping[tuple[str, str], list[tuple[int, Index]]]) -> list[int]:
        """The best candidates, packed, the very best last.

        What the index tells of their skills chooses whom to compare in full.
        """
        traits, level = self.mentee_traits[mentee], self._level_needed(mentee)
        share = _PER_SKILL // (len(traits.languages) or 1) + 1
        points: dict[int, int] = {}
        for skill in traits.skills_by_weight[:_SKILLS_LOOKED_UP]:
            weight = traits.skills[skill]
            offering: dict[int, int] = {}
            for language in traits.languages:
                room = share
                for strength, mentors in index.get((language, skill), ()):
                    some = mentors.from_level(level, traits.hash, room)
                    offering.update(dict.fromkeys(some, weight * strength))
                    room -= len(some)
                    if room <= 0:
                        break
            for mentor, worth in offering.items():
                points[mentor] = points.get(mentor, 0) + worth
        promising = sorted(points, key=points.__getitem__, reverse=True)[:_COMPARED]
        packed = [self._packed(mentee, mentor) for mentor in promising if self._allowed(mentee, mentor)]
        packed.sort()
        return packed

    # then whoever is left

    def serve_the_rest(self, mentees: Iterable[int]) -> None:
        """Whoever is left over gets the best of the mentors who still have room, whatever they offer."""
        rest = [mentee for mentee in mentees if mentee not in self.chosen]
        rest.sort(key=lambda mentee: (self.mentee_traits[mentee].hash, mentee))
        index = self._language_index(with_room=True)
        used_up = 0
        for mentee in rest:
            best = max(
                (self._packed(mentee, mentor) for mentor in self._fallbacks(mentee, index)), default=None
            )
            if best is None:
                continue
            self._choose(mentee, best)
            if self.free[best & 0xFFFFF] == 0:
                used_up += 1
                if used_up * 4 > len(self.mentors):
                    index, used_up = self._language_index(with_room=True), 0

    def _fallbacks(self, mentee: int, index: Mapping[str, Index]) -> list[int]:
        found: list[int] = []
        for mentor in self._fitting(mentee, index):
            if self.free[mentor] > 0:
                found.append(mentor)
                if len(found) == _FALLBACKS:
                    break
        return found

    def _language_index(self, *, with_room: bool) -> Mapping[str, Index]:
        lists: dict[str, list[int]] = {}
        for mentor, traits in enumerate(self.mentor_traits):
            if self.free[mentor] > 0 or not with_room:
                for language in traits.languages:
                    lists.setdefault(language, []).append(mentor)
        return {language: self._index(mentors) for language, mentors in lists.items()}

    def _fitting(self, mentee: int, index: Mapping[str, Index]) -> Iterator[int]:
        """All mentors of *index* who fit by the hard rules, in an order of the mentee's own."""
        traits, level = self.mentee_traits[mentee], self._level_needed(mentee)
        for language in traits.languages:
            mentors = index.get(language)
            if mentors is None:
                continue
            numbers, start = mentors.numbers, mentors.slice_at(level)
            count = len(numbers) - start
            for step in range(count):
                mentor = numbers[start + (traits.hash + step) % count]
                if self._allowed(mentee, mentor):
                    yield mentor

    # the result

    def _choose(self, mentee: int, packed: int) -> None:
        mentor = packed & 0xFFFFF
        self.free[mentor] -= 1
        self.chosen[mentee] = mentor, packed >> 44

    def result(self) -> Result:
        everybody = self._language_index(with_room=False)
        all_full: list[str] = []
        no_candidate: list[str] = []
        pairs: list[Pair] = []
        for mentee, person in enumerate(self.mentees):
            choice = self.chosen.get(mentee)
            if choice is None:
                fits = next(self._fitting(mentee, everybody), None)
                (no_candidate if fits is None else all_full).append(person.person_id)
                continue
            mentor, score = choice
            one, other = self.mentee_traits[mentee], self.mentor_traits[mentor]
            pairs.append(
                Pair(person.person_id, self.mentors[mentor].person_id, score, reasons_for(one, other))
            )
        return Result(tuple(pairs), tuple(all_full), tuple(no_candidate))


__all__ = ["Pair", "Participant", "Pool", "Result", "Rules", "match"]
