"""A made-up but lifelike organisation: who wants what, who offers what, who reports to whom.

Skills come in families, so people who share one skill often share several; words of goals are used as words are (the
n-th most frequent 1/n as often as the first). Mentors are a part of the same organisation as the mentees, higher in
the reporting tree. With the same size and seed the people are the same on every machine.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from services.matching.engine import Configuration, Participant, Pool
from services.matching.engine.configuration import Rules

AS_OF: Final = date(2026, 3, 2)
CONFIGURATION: Final = Configuration(rules=Rules(same_department_allowed=False))
"""Everything that is on by default, and another department as a rule."""

_FAMILIES: Final = 25
_SKILLS: Final = 12
"""In each family: 300 in all."""
_DEPARTMENTS: Final = 40
_TEAMS: Final = 8
_VOCABULARY: Final = 3_000
_REPORTS: Final = 8
"""People below one manager."""
_ZONES: Final = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Europe/London",
    "America/Los_Angeles",
    "Asia/Tokyo",
    "Europe/Paris",
    "Asia/Dubai",
    "Europe/Madrid",
    "Australia/Sydney",
)
_OFFICES: Final = 60
_LANGUAGES: Final = (
    *("en", "de", "fr", "es", "pt", "it", "nl", "pl"),
    *("ja", "zh", "hi", "ar", "sv", "da", "fi", "cs"),
)
_INTERESTS: Final = 60
_WISHES: Final = 12
_STYLES: Final = ("structured", "exploring", "listening", "challenging")


@dataclass(frozen=True, slots=True)
class Size:
    """How many, and whether mentors take as many as they like or at most two."""

    mentees: int
    mentors: int
    scarce: bool

    @property
    def name(self) -> str:
        return f"{self.mentees:,} x {self.mentors:,} {'scarce' if self.scarce else 'ample'}"


def pool_of(size: Size, seed: int = 1) -> Pool:
    """The people of a size."""
    draw = np.random.default_rng([seed, size.mentees, size.mentors])
    words = _vocabulary(draw)
    mentors = _side(draw, "m", size.mentors, (4, 14), (3, 10), words)
    mentees = _side(draw, "e", size.mentees, (3, 8), (1, 8), words)
    room = draw.integers(1, 6, size.mentors)
    led = draw.integers(0, 4, size.mentors)
    most = 2 if size.scarce else 5
    for number, person in enumerate(mentors):
        person["free"], person["completed"] = min(int(room[number]), most), int(led[number])
    urgent = np.flatnonzero(draw.random(size.mentees) < 0.02)
    for number in urgent.tolist():
        mentees[number]["priority"] = 1
    _choose(draw, mentees, mentors)
    people = [person["person_id"] for person in (*mentors, *mentees)]
    managers = {one: people[(number - 1) // _REPORTS] for number, one in enumerate(people) if number}
    return Pool(
        AS_OF,
        tuple(Participant(**person) for person in mentees),
        tuple(Participant(**person) for person in mentors),
        managers,
        _failed(draw, size),
    )


def newcomers(size: Size, number: int, seed: int = 2) -> tuple[Participant, ...]:
    """Mentees of the same kind who are not in the pool of that size."""
    draw = np.random.default_rng([seed, size.mentees, size.mentors])
    words = _vocabulary(np.random.default_rng([1, size.mentees, size.mentors]))
    return tuple(Participant(**person) for person in _side(draw, "n", number, (3, 8), (1, 8), words))


def _vocabulary(draw: Any) -> list[str]:
    letters = draw.integers(97, 123, (_VOCABULARY, 7), dtype=np.uint8)
    return [bytes(row).decode() for row in letters]


def _named(word: str, count: int) -> list[str]:
    """One text for each number: people share texts, as rows of a database's dictionary do."""
    return [f"{word} {number}" for number in range(count)]


def _side(
    draw: Any, prefix: str, count: int, skills: tuple[int, int], levels: tuple[int, int], words: list[str]
) -> list[dict[str, Any]]:
    office = draw.integers(0, _OFFICES, count).tolist()
    department = draw.integers(0, _DEPARTMENTS, count).tolist()
    team = draw.integers(0, _TEAMS, count).tolist()
    level = draw.integers(levels[0], levels[1] + 1, count).tolist()
    style = draw.integers(0, len(_STYLES), count).tolist()
    tongue = draw.integers(0, len(_LANGUAGES), count).tolist()
    english = (draw.random(count) < 0.6).tolist()
    family = draw.integers(0, _FAMILIES, count).tolist()
    how_many = draw.integers(skills[0], skills[1] + 1, count)
    inside = (draw.random(int(how_many.sum())) < 0.5).tolist()
    near = draw.integers(0, _SKILLS, len(inside)).tolist()
    far = draw.integers(0, _FAMILIES * _SKILLS, len(inside)).tolist()
    points = draw.integers(1, 6, len(inside)).tolist()
    cares = draw.integers(0, 6, count)
    interest = draw.integers(0, _INTERESTS, int(cares.sum())).tolist()
    wishing = np.where(draw.random(count) < 0.3, draw.integers(1, 3, count), 0)
    wish = draw.integers(0, _WISHES, int(wishing.sum())).tolist()
    length = draw.integers(8, 31, count)
    share = 1.0 / np.arange(1, _VOCABULARY + 1)
    said = draw.choice(_VOCABULARY, int(length.sum()), p=share / share.sum()).tolist()
    departments, teams, offices = (
        _named("department", _DEPARTMENTS),
        _named("team", _TEAMS),
        _named("office", _OFFICES),
    )
    interests, wishes, groups = _named("interest", _INTERESTS), _named("wish", _WISHES), _named("group", 11)
    named = _named("skill", _FAMILIES * _SKILLS)
    people = []
    s = a = w = g = 0
    for i in range(count):
        end, enough, wished, spoken = (
            s + int(how_many[i]),
            a + int(cares[i]),
            w + int(wishing[i]),
            g + int(length[i]),
        )
        base = family[i] * _SKILLS
        people.append(
            {
                "person_id": f"{prefix}{i:06}",
                "department": departments[department[i]],
                "team": teams[team[i]],
                "office": offices[office[i]],
                "level": level[i],
                "languages": ("en", _LANGUAGES[tongue[i]]) if english[i] else (_LANGUAGES[tongue[i]],),
                "time_zone": _ZONES[office[i] % len(_ZONES)],
                "interests": tuple(interests[number] for number in interest[a:enough]),
                "working_style": _STYLES[style[i]],
                "goals": " ".join(words[number] for number in said[g:spoken]),
                "skills": {named[base + near[n] if inside[n] else far[n]]: points[n] for n in range(s, end)},
                "preferences": tuple(wishes[number] for number in wish[w:wished]),
                "group": groups[level[i]],
            }
        )
        s, a, w, g = end, enough, wished, spoken
    return people


def _choose(draw: Any, mentees: list[dict[str, Any]], mentors: list[dict[str, Any]]) -> None:
    """One mentee in five has ranked choices, one mentor in twenty too; one in thirty avoids somebody."""
    for people, others, often in ((mentees, mentors, 0.2), (mentors, mentees, 0.05)):
        for number in np.flatnonzero(draw.random(len(people)) < often).tolist():
            chosen = draw.integers(0, len(others), 3).tolist()
            people[number]["choices"] = tuple(others[other]["person_id"] for other in chosen)
        for number in np.flatnonzero(draw.random(len(people)) < 0.03).tolist():
            avoided = others[int(draw.integers(0, len(others)))]
            people[number]["avoid"] = frozenset({avoided["person_id"]})


def _failed(draw: Any, size: Size) -> frozenset[tuple[str, str]]:
    """Every hundredth mentee had somebody before, without success."""
    number = size.mentees // 100
    mentees, mentors = draw.integers(0, size.mentees, number), draw.integers(0, size.mentors, number)
    return frozenset(
        (f"e{a:06}", f"m{b:06}") for a, b in zip(mentees.tolist(), mentors.tolist(), strict=True)
    )
