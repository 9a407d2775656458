"""Random pools of every kind, and the rules and factors written a second time, plainly, to compare with."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.engine.configuration import Configuration, Rules
from services.matching.engine.match import Result, match
from services.matching.engine.people import Participant, Pool
from services.matching.engine.words import WORKING_DAY, fold, offset, overlap, primary, rarity, stems

DAY = date(2026, 3, 2)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Nowhere/Atlantis", "UTC")
WORDS = [
    "learn",
    "lead",
    "people",
    "python",
    "data",
    "sales",
    "design",
    "finance",
    "public",
    "speaking",
    "strategy",
    "career",
    "change",
]


def random_pool(seed: int, mentees: int = 12, mentors: int = 8) -> Pool:
    """A pool in which every rule forbids something now and then; sides may share people."""
    r = random.Random(seed)
    shared = r.randrange(0, 3)
    ids = [f"p{number}" for number in range(mentees + mentors - shared)]
    mentee_ids, mentor_ids = ids[:mentees], ids[mentees - shared :]
    managers = {ids[n]: ids[r.randrange(0, n)] for n in range(1, len(ids)) if r.random() < 0.7}
    if r.random() < 0.2 and len(ids) > 3:
        managers |= {ids[0]: ids[1], ids[1]: ids[0]}
    failed = {(r.choice(mentee_ids), r.choice(mentor_ids)) for _ in range(r.randrange(0, 4))}
    return Pool(
        as_of=DAY,
        mentees=tuple(_person(r, one, ids, mentor=False) for one in mentee_ids),
        mentors=tuple(_person(r, one, ids, mentor=True) for one in mentor_ids),
        managers=managers,
        failed=frozenset(failed),
    )


def _person(r: random.Random, person_id: str, ids: list[str], *, mentor: bool) -> Participant:
    return Participant(
        person_id=person_id,
        department=r.choice(["sales", "it", "hr", ""]),
        team=r.choice(["a", "b", ""]),
        office=r.choice(["berlin", "tokyo", ""]),
        level=r.choice([None, 1, 2, 3, 4, 5, 6]) if not mentor else r.choice([None, 3, 4, 5, 6, 7, 8]),
        languages=tuple(r.sample(["en", "de", "fr", "pt-BR", "pt-PT"], r.randrange(1, 3))),
        time_zone=r.choice(ZONES),
        interests=tuple(r.sample(["chess", "Running", "music"], r.randrange(0, 3))),
        working_style=r.choice(["direct", "calm", None]),
        goals=" ".join(r.choices(WORDS, k=r.randrange(0, 12))),
        skills={
            skill: r.randrange(1, 6)
            for skill in r.sample(["python", "sql", "talks", "law"], r.randrange(0, 4))
        },
        preferences=tuple(r.sample(["parent", "first in family"], r.randrange(0, 2))),
        choices=tuple(r.sample(ids, r.randrange(0, 3))),
        avoid=frozenset(r.sample(ids, r.randrange(0, 2))),
        priority=r.choice([0, 0, 0, 1]),
        free=r.randrange(0, 4) if mentor else 0,
        completed=r.randrange(0, 5) if mentor else 0,
    )


def random_rules(seed: int) -> Rules:
    r = random.Random(seed)
    return Rules(
        minimum_level_gap=r.choice([None, 0, 1, 2]),
        maximum_level_gap=r.choice([None, 4]),
        same_department_allowed=r.random() < 0.5,
        same_team_allowed=r.random() < 0.5,
        reporting_line=r.random() < 0.8,
        reporting_line_levels=r.choice([None, 1, 2]),
        common_language=r.random() < 0.8,
        minimum_overlap_minutes=r.choice([0, 60, 240]),
    )


def is_allowed(pool: Pool, rules: Rules, mentee: Participant, mentor: Participant) -> bool:
    """The rules in plain Python."""
    if mentee.person_id == mentor.person_id or (mentee.person_id, mentor.person_id) in pool.failed:
        return False
    if mentor.person_id in mentee.avoid or mentee.person_id in mentor.avoid:
        return False
    if mentee.level is not None and mentor.level is not None:
        gap = mentor.level - mentee.level
        if rules.minimum_level_gap is not None and gap < rules.minimum_level_gap:
            return False
        if rules.maximum_level_gap is not None and gap > rules.maximum_level_gap:
            return False
    one, other = offset(mentee.time_zone, pool.as_of), offset(mentor.time_zone, pool.as_of)
    if one is not None and other is not None and overlap(one, other) < rules.minimum_overlap_minutes:
        return False
    if rules.common_language and not {primary(t) for t in mentee.languages} & {
        primary(t) for t in mentor.languages
    }:
        return False
    same_department = mentee.department == mentor.department and mentee.department != ""
    if same_department and not rules.same_department_allowed:
        return False
    same_team = (mentee.department, mentee.team) == (mentor.department, mentor.team) and mentee.team != ""
    if same_team and not rules.same_team_allowed:
        return False
    if rules.reporting_line:
        most = rules.reporting_line_levels or 1_000
        if _is_above(pool, mentor.person_id, mentee.person_id, most) or _is_above(
            pool, mentee.person_id, mentor.person_id, most
        ):
            return False
    return True


def _is_above(pool: Pool, above: str, below: str, most: int) -> bool:
    """Whether *above* is found at most so many steps above *below*; steps inside a circle do not count."""
    seen: set[str] = set()
    person: str | None = below
    steps = 0
    while person is not None and person not in seen:
        if person == above:
            return steps <= most
        seen.add(person)
        manager = pool.managers.get(person)
        if manager is not None and not (_in_circle(pool, person) and _in_circle(pool, manager)):
            steps += 1
        person = manager
    return False


def _in_circle(pool: Pool, start: str) -> bool:
    seen: set[str] = set()
    person: str | None = start
    while person is not None and person not in seen:
        seen.add(person)
        person = pool.managers.get(person)
        if person == start:
            return True
    return False


def score_of(pool: Pool, configuration: Configuration, mentee: Participant, mentor: Participant) -> int:
    """The factors in plain Python."""
    w = configuration.weights
    offered = _by_word(mentor)
    skills = sum(points * offered.get(word, 0) for word, points in _by_word(mentee).items())
    points = min(w.skills_most, w.skill * skills)
    using = {stem: sum(stem in stems(m.goals) for m in pool.mentors) for stem in stems(mentee.goals)}
    common = max(1, len(pool.mentors) // 10)
    goals = sum(
        w.goal_term * rarity(using[stem], len(pool.mentors)) // 64
        for stem in stems(mentee.goals)
        if stem in stems(mentor.goals) and using[stem] <= common
    )
    points += min(w.goals_most, goals)
    points += min(w.interests_most, w.interest * len(_folded(mentee.interests) & _folded(mentor.interests)))
    points += min(
        w.preferences_most, w.preference * len(_folded(mentee.preferences) & _folded(mentor.preferences))
    )
    if mentee.working_style and mentee.working_style == mentor.working_style:
        points += w.working_style
    if mentee.level is not None and mentor.level is not None:
        gap = mentor.level - mentee.level
        low, high = w.experience_best
        points += max(0, w.experience - w.experience_fall * max(0, low - gap, gap - high))
    if mentee.office and mentee.office == mentor.office:
        points += w.same_office
    hours = overlap(offset(mentee.time_zone, pool.as_of), offset(mentor.time_zone, pool.as_of))
    points += w.overlap * hours // WORKING_DAY
    points += min(w.history_most, w.history * mentor.completed)
    for one, other in ((mentee, mentor), (mentor, mentee)):
        if other.person_id in one.choices:
            points += max(0, w.first_choice - w.choice_fall * one.choices.index(other.person_id))
    return points


def _folded(words: tuple[str, ...]) -> set[str]:
    return {fold(word) for word in words}


def _by_word(person: Participant) -> dict[str, int]:
    return {fold(skill): points for skill, points in person.skills.items()}


def scores(pool: Pool, configuration: Configuration) -> NDArray[np.int64]:
    """[mentees, mentors] in the pool's order; -1 for pairs that are not allowed."""
    return np.array(
        [
            [
                score_of(pool, configuration, mentee, mentor)
                if is_allowed(pool, configuration.rules, mentee, mentor)
                else -1
                for mentor in pool.mentors
            ]
            for mentee in pool.mentees
        ],
        np.int64,
    ).reshape(len(pool.mentees), len(pool.mentors))


def crowd(mentees: int, mentors: int) -> Pool:
    """People who are as different as in a real programme."""
    chance = random.Random(7)
    skills = [f"skill {number}" for number in range(60)]

    def somebody(person_id: str, level: int, free: int) -> Participant:
        return Participant(
            person_id,
            department=chance.choice("abcdefgh"),
            level=level,
            time_zone=chance.choice(["UTC", "Europe/Berlin"]),
            interests=(chance.choice(skills),),
            skills={each: chance.randint(1, 5) for each in chance.sample(skills, 4)},
            free=free,
        )

    return Pool(
        DAY,
        tuple(somebody(f"a{number:05}", chance.randint(1, 6), 0) for number in range(mentees)),
        tuple(
            somebody(f"m{number:05}", chance.randint(4, 12), chance.randint(1, 3))
            for number in range(mentors)
        ),
    )


def mentee(person_id: str = "a", **more: Any) -> Participant:
    return replace(Participant(person_id, level=3), **more)


def mentor(person_id: str = "m", **more: Any) -> Participant:
    return replace(Participant(person_id, level=5, free=1), **more)


def run(
    mentees: Sequence[Participant],
    mentors: Sequence[Participant],
    *,
    configuration: Configuration | None = None,
    managers: Mapping[str, str] | None = None,
    failed: Iterable[tuple[str, str]] = (),
) -> Result:
    pool = Pool(DAY, tuple(mentees), tuple(mentors), managers or {}, frozenset(failed))
    return match(pool, configuration or Configuration())


def pairs(result: Result) -> set[tuple[str, str]]:
    """(mentee, mentor)."""
    return {(pair.mentee_id, pair.mentor_id) for pair in result.pairs}
