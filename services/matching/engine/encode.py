"""From people to arrays. The order in which people come leaves no trace: they are taken by a seeded draw."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.matching.engine.arrays import (
    I64,
    INFEASIBLE,
    UNKNOWN,
    Factor,
    Population,
    Rule,
    Side,
    Special,
    Tables,
    Words,
    csr,
)
from services.matching.engine.configuration import Configuration, Objective, Rules, Weights
from services.matching.engine.people import InvalidPool, Participant, Pool, check
from services.matching.engine.tree import Line, place_of, tree_of
from services.matching.engine.words import WORKING_DAY, draw, fold, offset, overlap, primary, rarity, stems

_HIGHEST_LEVEL: Final = 100
_COMMON_STEM: Final = 10
"""A stem that more than one in so many mentors use says nothing."""
_MOST_STEM_USERS: Final = 4_000

Row = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Arrays and what gives them back their names."""

    people: Population
    mentees: tuple[Participant, ...]
    mentors: tuple[Participant, ...]
    words: tuple[str, ...]
    """Each word as its first user wrote it, for explanations."""
    circles: tuple[tuple[str, ...], ...]
    """People who, by HR's data, report to each other in a circle."""
    highest: int
    """No pair can score more."""


class Encoder:
    """Mentors as arrays, and what is needed to put mentees beside them, now or later."""

    def __init__(self, pool: Pool, configuration: Configuration) -> None:
        """Raises :class:`InvalidPool` and :class:`InvalidConfiguration`."""
        configuration.check()
        check(pool)
        self.pool, self.configuration = pool, configuration
        weights = configuration.weights
        self._zones = _Zones(pool)
        self.mentors, draws = self._beside(*_in_order(pool.mentors, configuration.seed))
        self.tree = tree_of(pool.managers, (p.person_id for p in (*pool.mentees, *pool.mentors)))
        self.highest = _highest(weights)
        self._numbers = _Numbers()
        constants = [min(weights.history_most, weights.history * m.completed) for m in self.mentors]
        self._side = self._side_of(self.mentors, draws, constants)
        self._offered = _Offered(self.mentors, weights)
        self._tables = _tables(configuration.rules, weights, self._zones.offsets)
        self._special = _Specials(self.mentors, pool.failed, weights)
        self._capacity = np.array([person.free for person in self.mentors], np.int64)

    def encode(self, people: Iterable[Participant]) -> Encoded:
        """These people as the mentees of the pool's mentors."""
        mentees, draws = _in_order(people, self.configuration.seed)
        side = self._side_of(mentees, draws, [0] * len(mentees))
        kind = _kinds(side)
        population = Population(
            mentees=side,
            mentors=self._side,
            words=self._offered.wanted_by(mentees),
            special=self._special.of(mentees),
            tables=self._tables,
            capacity=self._capacity,
            bonus=_bonus(mentees, self.configuration.objective, self.highest),
            order=np.lexsort((draws, kind)).astype(np.int64),
            kind=kind,
        )
        return Encoded(
            population, mentees, self.mentors, self._offered.names, self.tree.circles, self.highest
        )

    def _beside(self, mentors: tuple[Participant, ...], draws: I64) -> tuple[tuple[Participant, ...], I64]:
        """Mentors of one level and zone beside each other, so that rules pass over many at once."""
        order = sorted(
            range(len(mentors)),
            key=lambda n: (mentors[n].level or 0, self._zones.of(mentors[n].time_zone), n),
        )
        return tuple(mentors[n] for n in order), draws[order]

    def _side_of(self, people: Sequence[Participant], draws: I64, constants: Sequence[int]) -> Side:
        places = [place_of(self.tree, person.person_id, self.pool.managers) for person in people]
        return _side(people, draws, self._numbers, self._zones, places, constants)


def encode(pool: Pool, configuration: Configuration) -> Encoded:
    """The whole pool. Raises :class:`InvalidPool` and :class:`InvalidConfiguration`."""
    return Encoder(pool, configuration).encode(pool.mentees)


def _in_order(people: Iterable[Participant], seed: str) -> tuple[tuple[Participant, ...], I64]:
    drawn = sorted((draw(seed, person.person_id), person.person_id, person) for person in people)
    return tuple(entry[2] for entry in drawn), np.array([entry[0] for entry in drawn], np.int64)


class _Numbers:
    """Small numbers for words; 0 and up, UNKNOWN for none."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}
        self._count: Counter[str] = Counter()

    def of(self, kind: str, word: str) -> int:
        if not word:
            return UNKNOWN
        key = (kind, word)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._count[kind]
            self._count[kind] += 1
        return number


class _Zones:
    """Different offsets from UTC, in rising order; the last number is "not known"."""

    def __init__(self, pool: Pool) -> None:
        self._as_of = pool.as_of
        everybody = (*pool.mentees, *pool.mentors)
        known = {offset(zone, pool.as_of) for zone in {person.time_zone for person in everybody}}
        self.offsets: list[int | None] = [*sorted(one for one in known if one is not None), None]
        self._number = {value: number for number, value in enumerate(self.offsets)}

    def of(self, zone: str) -> int:
        """A zone that nobody had when the mentors were encoded counts as not known."""
        return self._number.get(offset(zone, self._as_of), len(self.offsets) - 1)


def _side(
    people: Sequence[Participant],
    draws: I64,
    numbers: _Numbers,
    zones: _Zones,
    places: Sequence[Line],
    constants: Sequence[int],
) -> Side:
    spoken = [[numbers.of("language", primary(tag)) for tag in person.languages] for person in people]
    level = [UNKNOWN if p.level is None else max(0, min(p.level, _HIGHEST_LEVEL)) for p in people]
    department = [numbers.of("department", person.department) for person in people]
    team = [
        numbers.of("team", f"{person.department}\x1f{person.team}" if person.team else "")
        for person in people
    ]
    return Side(
        draw=draws,
        level=np.array(level, np.int16),
        office=np.array([numbers.of("office", p.office) for p in people], np.int32),
        zone=np.array([zones.of(p.time_zone) for p in people], np.int32),
        style=np.array([numbers.of("style", fold(p.working_style or "")) for p in people], np.int32),
        department=np.array(department, np.int32),
        team=np.array(team, np.int32),
        languages=_bits(spoken),
        first=np.array([place.first for place in places], np.int32),
        last=np.array([place.last for place in places], np.int32),
        depth=np.array([place.depth for place in places], np.int32),
        constant=np.array(constants, np.int32),
    )


_LANGUAGE_WORDS: Final = 4


def _bits(rows: Sequence[Sequence[int]]) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    bits = np.zeros((len(rows), _LANGUAGE_WORDS), np.uint64)
    for number, row in enumerate(rows):
        for bit in row:
            if bit >= 64 * _LANGUAGE_WORDS:
                raise InvalidPool(f"There are more than {64 * _LANGUAGE_WORDS} languages.")
            if bit >= 0:
                bits[number, bit // 64] |= np.uint64(1 << (bit % 64))
    return bits


def _kinds(side: Side) -> I64:
    """Mentees who differ in nothing that a mentor's base points look at are of one class."""
    if not len(side.level):
        return np.zeros(0, np.int64)
    columns = np.stack([side.level, side.zone, side.office, side.style], axis=1).astype(np.int64)
    return np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


class _Offered:
    """The words that mentors have, by factor, and who has them."""

    def __init__(self, mentors: Sequence[Participant], weights: Weights) -> None:
        self._weights = weights
        self._numbers: dict[tuple[int, str], int] = {}
        self._factor: list[int] = []
        self._users: list[list[tuple[int, int]]] = []
        for number, person in enumerate(mentors):
            for skill, strength in _strongest(person.skills).items():
                self._add(Factor.SKILLS, skill, number, strength)
        for number, found in enumerate(_goal_words(mentors)):
            for stem in found:
                self._add(Factor.GOALS, stem, number, 1)
        for number, person in enumerate(mentors):
            for word in _folded(person.interests):
                self._add(Factor.INTERESTS, word, number, 1)
            for word in _folded(person.preferences):
                self._add(Factor.PREFERENCES, word, number, 1)
        self.names = tuple(word for _, word in self._numbers)
        self._rarity = [rarity(len(users), len(mentors)) for users in self._users]
        used = [entry for row in self._users for entry in row]
        self._start = csr(self._users)
        self._mentor = np.array([mentor for mentor, _ in used], np.int32)
        self._strength = np.array([strength for _, strength in used], np.int32)
        self._factors = np.array(self._factor, np.int32)

    def _add(self, factor: Factor, word: str, mentor: int, strength: int) -> None:
        number = self._numbers.get((factor, word))
        if number is None:
            number = self._numbers[factor, word] = len(self._factor)
            self._factor.append(factor)
            self._users.append([])
        self._users[number].append((mentor, strength))

    def wanted_by(self, mentees: Sequence[Participant]) -> Words:
        """What these mentees have in common with mentors."""
        weights = self._weights
        rows = [self._row(person) for person in mentees]
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

    def _row(self, person: Participant) -> list[tuple[int, int]]:
        """(word, points), the words of one factor beside each other."""
        weights, numbers = self._weights, self._numbers
        row: list[tuple[int, int]] = []
        for skill, points in _strongest(person.skills).items():
            number = numbers.get((Factor.SKILLS, skill))
            if number is not None:
                row.append((number, points * weights.skill))
        for stem in stems(person.goals):
            number = numbers.get((Factor.GOALS, stem))
            if number is not None:
                row.append((number, weights.goal_term * self._rarity[number] // 64))
        for factor, words, points in (
            (Factor.INTERESTS, person.interests, weights.interest),
            (Factor.PREFERENCES, person.preferences, weights.preference),
        ):
            found = (numbers.get((factor, word)) for word in _folded(words))
            row += [(number, points) for number in found if number is not None]
        return [entry for entry in row if entry[1]]


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


class _Specials:
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

    def _points(self, choices: Sequence[str]) -> dict[str, int]:
        """By person; who is named twice counts where first named."""
        weights = self._weights
        ranked = enumerate(dict.fromkeys(choices))
        return {one: max(0, weights.first_choice - rank * weights.choice_fall) for rank, one in ranked}

    def of(self, mentees: Sequence[Participant]) -> Special:
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


def _tables(rules: Rules, weights: Weights, offsets: Sequence[int | None]) -> Tables:
    size = _HIGHEST_LEVEL + 2
    levels = np.zeros((size, size), np.int32)
    low, high = weights.experience_best
    for mentee in range(size - 1):
        for mentor in range(size - 1):
            gap = mentor - mentee
            away = max(0, low - gap, gap - high)
            points = max(0, weights.experience - away * weights.experience_fall)
            if (rules.minimum_level_gap is not None and gap < rules.minimum_level_gap) or (
                rules.maximum_level_gap is not None and gap > rules.maximum_level_gap
            ):
                points = INFEASIBLE
            levels[mentee + 1, mentor + 1] = points
    zones = np.zeros((len(offsets), len(offsets)), np.int32)
    for i, one in enumerate(offsets):
        for j, other in enumerate(offsets):
            minutes = overlap(one, other)
            known = one is not None and other is not None
            zones[i, j] = weights.overlap * minutes // WORKING_DAY
            if known and minutes < rules.minimum_overlap_minutes:
                zones[i, j] = INFEASIBLE
    return Tables(
        levels=levels,
        zones=zones,
        same_office=weights.same_office,
        working_style=weights.working_style,
        same_department=int(rules.same_department_allowed),
        same_team=int(rules.same_team_allowed),
        line=int(rules.reporting_line),
        line_levels=rules.reporting_line_levels or 0,
        language=int(rules.common_language),
    )


def _highest(weights: Weights) -> int:
    return (
        weights.skills_most
        + weights.goals_most
        + weights.interests_most
        + weights.preferences_most
        + weights.working_style
        + weights.experience
        + weights.same_office
        + weights.overlap
        + weights.history_most
        + 2 * weights.first_choice
    )


def _bonus(mentees: Sequence[Participant], objective: Objective, highest: int) -> I64:
    """What being matched is worth beside the score: somebody with priority is worth more than any score."""
    each = highest + 1
    base = each if objective is Objective.PEOPLE else 0
    return np.array([base + each * person.priority for person in mentees], np.int64)
