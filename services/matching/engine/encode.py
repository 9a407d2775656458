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
from services.matching.engine.tree import Tree, tree_of
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


def encode(pool: Pool, configuration: Configuration) -> Encoded:
    """Raises :class:`InvalidPool` and :class:`InvalidConfiguration`."""
    configuration.check()
    check(pool)
    weights, seed = configuration.weights, configuration.seed
    numbers = _Numbers()
    mentees, mentee_draws = _in_order(pool.mentees, seed)
    mentors, mentor_draws = _in_order(pool.mentors, seed)
    zones = _Zones(pool)
    tree = tree_of(pool.managers, (person.person_id for person in (*mentees, *mentors)))
    mentee_side = _side(mentees, mentee_draws, numbers, zones, tree, [0] * len(mentees))
    constants = [min(weights.history_most, weights.history * m.completed) for m in mentors]
    mentor_side = _side(mentors, mentor_draws, numbers, zones, tree, constants)
    words, names = _words(mentees, mentors, weights)
    tables = _tables(configuration.rules, weights, zones.offsets)
    highest = _highest(weights)
    kind = _kinds(mentee_side)
    people = Population(
        mentees=mentee_side,
        mentors=mentor_side,
        words=words,
        special=_special(mentees, mentors, pool, weights),
        tables=tables,
        capacity=np.array([person.free for person in mentors], np.int64),
        bonus=_bonus(mentees, configuration.objective, highest),
        order=np.lexsort((mentee_draws, kind)).astype(np.int64),
        kind=kind,
    )
    return Encoded(people, mentees, mentors, names, tree.circles, highest)


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
        return self._number[offset(zone, self._as_of)]


def _side(
    people: Sequence[Participant],
    draws: I64,
    numbers: _Numbers,
    zones: _Zones,
    tree: Tree,
    constants: Sequence[int],
) -> Side:
    places = [tree.places[person.person_id] for person in people]
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


def _words(
    mentees: Sequence[Participant], mentors: Sequence[Participant], weights: Weights
) -> tuple[Words, tuple[str, ...]]:
    numbers: dict[tuple[int, str], int] = {}
    names: list[str] = []
    factor: list[int] = []
    offered: list[list[tuple[int, int]]] = []

    def users(kind: Factor, word: str, shown: str) -> list[tuple[int, int]]:
        number = numbers.get((kind, word))
        if number is None:
            number = numbers[kind, word] = len(names)
            names.append(shown)
            factor.append(kind)
            offered.append([])
        return offered[number]

    for number, person in enumerate(mentors):
        for skill, strength in _strongest(person.skills).items():
            users(Factor.SKILLS, skill, skill).append((number, strength))
    goal_words = _goal_words(mentors)
    for number, found in enumerate(goal_words):
        for stem in found:
            users(Factor.GOALS, stem, stem).append((number, 1))
    for kind in (Factor.INTERESTS, Factor.PREFERENCES):
        for number, person in enumerate(mentors):
            for word in _folded(person.interests if kind is Factor.INTERESTS else person.preferences):
                users(kind, word, word).append((number, 1))
    goal_points = {
        word: weights.goal_term * rarity(len(offered[number]), len(mentors)) // 64
        for (kind, word), number in numbers.items()
        if kind == Factor.GOALS
    }
    rows: list[list[tuple[int, int]]] = []
    for person in mentees:
        row = [(Factor.SKILLS, w, points * weights.skill) for w, points in _strongest(person.skills).items()]
        row += [(Factor.GOALS, w, goal_points.get(w, 0)) for w in stems(person.goals)]
        row += [(Factor.INTERESTS, w, weights.interest) for w in _folded(person.interests)]
        row += [(Factor.PREFERENCES, w, weights.preference) for w in _folded(person.preferences)]
        rows.append([(numbers[k, w], p) for k, w, p in row if p and (k, w) in numbers])
    most = [weights.skills_most, weights.goals_most, weights.interests_most, weights.preferences_most]
    flat = [entry for row in rows for entry in row]
    used = [entry for row in offered for entry in row]
    words = Words(
        start=csr(rows),
        word=np.array([word for word, _ in flat], np.int32),
        points=np.array([points for _, points in flat], np.int32),
        factor=np.array(factor, np.int32),
        users=csr(offered),
        mentor=np.array([mentor for mentor, _ in used], np.int32),
        strength=np.array([strength for _, strength in used], np.int32),
        most=np.array(most, np.int32),
    )
    return words, tuple(names)


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


def _special(
    mentees: Sequence[Participant], mentors: Sequence[Participant], pool: Pool, weights: Weights
) -> Special:
    """Pairs forbidden one by one, and choices. A rule is never beaten by a choice: both are kept, the rule acts."""
    number_of = {person.person_id: number for number, person in enumerate(mentors)}
    avoided_by: dict[str, list[int]] = {}
    chosen_by: dict[str, list[tuple[int, int]]] = {}
    for number, mentor in enumerate(mentors):
        for person_id in mentor.avoid:
            avoided_by.setdefault(person_id, []).append(number)
        for rank, person_id in enumerate(mentor.choices):
            chosen_by.setdefault(person_id, []).append((number, _choice(rank, weights)))
    failed: dict[str, list[int]] = {}
    for mentee_id, mentor_id in pool.failed:
        if mentor_id in number_of:
            failed.setdefault(mentee_id, []).append(number_of[mentor_id])
    rows: list[list[tuple[int, int, int, int]]] = []
    for person in mentees:
        rule: dict[int, int] = dict.fromkeys(failed.get(person.person_id, ()), Rule.FAILED_BEFORE)
        rule |= dict.fromkeys(avoided_by.get(person.person_id, ()), Rule.AVOID)
        rule |= {number_of[other]: Rule.AVOID for other in person.avoid if other in number_of}
        if person.person_id in number_of:
            rule[number_of[person.person_id]] = Rule.SAME_PERSON
        own = {
            number_of[other]: _choice(rank, weights)
            for rank, other in reversed(list(enumerate(person.choices)))
            if other in number_of
        }
        theirs: dict[int, int] = {}
        for number, points in chosen_by.get(person.person_id, ()):
            theirs[number] = max(points, theirs.get(number, 0))
        rows.append(
            [(j, rule.get(j, 0), own.get(j, 0), theirs.get(j, 0)) for j in sorted({*rule, *own, *theirs})]
        )
    flat = [entry for row in rows for entry in row]
    return Special(
        start=csr(rows),
        mentor=np.array([entry[0] for entry in flat], np.int32),
        rule=np.array([entry[1] for entry in flat], np.int16),
        by_mentee=np.array([entry[2] for entry in flat], np.int32),
        by_mentor=np.array([entry[3] for entry in flat], np.int32),
    )


def _choice(rank: int, weights: Weights) -> int:
    return max(0, weights.first_choice - rank * weights.choice_fall)


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
