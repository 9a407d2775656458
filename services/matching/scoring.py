"""How well two people fit, as an integer, and why, in plain words that name nobody. Standard library only."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

BASE: Final = 60
"""So that the greatest penalty still leaves a score that is not negative."""
PER_SKILL_POINT: Final = 10
"""For each point of weight (1 to 5) times strength (1 to 5) of a skill wanted and offered."""
PER_INTEREST: Final = 20
INTERESTS_COUNTED: Final = 5
SAME_STYLE: Final = 30
PER_HOUR_APART: Final = 6
HOURS_WITHOUT_PENALTY: Final = 2
HIGHEST_PENALTY: Final = 60

_MOST_REASONS: Final = 5
_WORD_LENGTH: Final = 120
_DAY_MINUTES: Final = 24 * 60


class Person(Protocol):
    """What is read of a participant."""

    @property
    def person_id(self) -> str: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def interests(self) -> tuple[str, ...]: ...
    @property
    def working_style(self) -> str | None: ...
    @property
    def skills(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Traits:
    """A participant made ready for fast comparison: words folded, zone resolved, id hashed."""

    hash: int
    """32 bits of seed and id."""
    languages: tuple[str, ...]
    skills: Mapping[str, int]
    skills_by_weight: tuple[str, ...]
    interests: frozenset[str]
    style: str | None
    offset: int
    """Minutes east of UTC."""
    words: Mapping[str, str]
    """Folded word to the person's own wording."""


def traits_of(person: Person, seed: str, as_of: date) -> Traits:
    """What of a person counts in a comparison."""
    skills: dict[str, int] = {}
    words: dict[str, str] = {}
    for skill, points in sorted(person.skills.items()):
        folded = fold(skill)
        skills[folded] = max(points, skills.get(folded, 0))
        words.setdefault(folded, skill)
    for interest in sorted(person.interests):
        words.setdefault(fold(interest), interest)
    digest = hashlib.blake2b(f"{seed}\x1f{person.person_id}".encode(), digest_size=4).digest()
    return Traits(
        hash=int.from_bytes(digest),
        languages=tuple(sorted({_primary(language) for language in person.languages})),
        skills=skills,
        skills_by_weight=tuple(sorted(skills, key=lambda skill: (-skills[skill], skill))),
        interests=frozenset(fold(interest) for interest in person.interests),
        style=fold(person.working_style) if person.working_style else None,
        offset=_offset(person.time_zone, as_of),
        words=words,
    )


def fold(word: str) -> str:
    """Words that differ in case or spaces only are one word."""
    return " ".join(word.casefold().split())


def _primary(language: str) -> str:
    """``pt-BR`` and ``pt-PT`` understand each other."""
    return language.split("-", 1)[0].lower()


@lru_cache(maxsize=4096)
def _offset(zone: str, as_of: date) -> int:
    try:
        noon = datetime.combine(as_of, time(12), UTC).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return 0
    return int((noon.utcoffset() or timedelta()).total_seconds()) // 60


def score_of(mentee: Traits, mentor: Traits) -> int:
    """How well the two fit; never negative."""
    offered = mentor.skills
    points = 0
    for skill, weight in mentee.skills.items():
        strength = offered.get(skill)
        if strength is not None:
            points += weight * strength
    score = BASE + PER_SKILL_POINT * points
    if mentee.interests and mentor.interests:
        score += PER_INTEREST * min(INTERESTS_COUNTED, len(mentee.interests & mentor.interests))
    if mentee.style is not None and mentee.style == mentor.style:
        score += SAME_STYLE
    if mentee.offset != mentor.offset:
        late = hours_apart(mentee, mentor) - HOURS_WITHOUT_PENALTY
        if late > 0:
            score -= min(HIGHEST_PENALTY, PER_HOUR_APART * late)
    return score


def hours_apart(one: Traits, other: Traits) -> int:
    """Whole hours between the two clocks, the short way round."""
    apart = abs(one.offset - other.offset)
    return min(apart, abs(_DAY_MINUTES - apart)) // 60


def tie_of(mentee: Traits, mentor: Traits) -> int:
    """24 bits that order pairs of the same score: stable, and in favour of nobody."""
    mixed = ((mentee.hash ^ mentor.hash) * 0x9E3779B1) & 0xFFFFFFFF
    return mixed >> 8


def reasons_for(mentee: Traits, mentor: Traits) -> tuple[str, ...]:
    """The main reasons, at most five."""
    common = [skill for skill in mentee.skills if skill in mentor.skills]
    common.sort(key=lambda skill: (-mentee.skills[skill] * mentor.skills[skill], skill))
    reasons = [f"Offers {_word(mentee, skill)}, which the mentee wants to learn" for skill in common[:3]]
    shared = sorted(mentee.interests & mentor.interests)
    reasons += [f"Both care about {_word(mentee, interest)}" for interest in shared[:2]]
    if mentee.style is not None and mentee.style == mentor.style:
        reasons.append("Both like to work in the same way")
    if hours_apart(mentee, mentor) <= HOURS_WITHOUT_PENALTY:
        reasons.append("Their working hours overlap")
    return tuple(reasons[:_MOST_REASONS]) or ("They share a language",)


def _word(person: Traits, folded: str) -> str:
    return person.words.get(folded, folded)[:_WORD_LENGTH]
