"""Mentees or mentors as columns of numbers: departments, levels, zones, languages, places in the organisation."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import numpy as np

from services.matching.engine.arrays import I64, U64, UNKNOWN, Side
from services.matching.engine.people import Participant, Pool
from services.matching.engine.tree import Lines
from services.matching.engine.words import fold, offset, primary

HIGHEST_LEVEL: Final = 100


class Numbers:
    """Small numbers for words of some kind; 0 and up, UNKNOWN for none."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Hashable, int]] = {}

    def of(self, kind: str, words: Iterable[Hashable]) -> list[int]:
        """A number for each word, the same for the same."""
        known = self._known.setdefault(kind, {})
        return [known.setdefault(word, len(known)) if word else UNKNOWN for word in words]


class Zones:
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


def side_of(
    people: Sequence[Participant],
    draws: I64,
    numbers: Numbers,
    zones: Zones,
    places: Lines,
    constants: Sequence[int],
    language_words: int | None = None,
) -> Side:
    """*language_words* is the width of ``languages``: the mentors' side decides it, because a language that no mentor
    speaks is in common with nobody."""
    tags = dict.fromkeys(person.languages for person in people)
    bits = {each: numbers.of("language", map(primary, each)) for each in tags}
    zone = {each: zones.of(each) for each in {person.time_zone for person in people}}
    level = [UNKNOWN if p.level is None else max(0, min(p.level, HIGHEST_LEVEL)) for p in people]
    teams = ((person.department, person.team) if person.team else "" for person in people)
    return Side(
        draw=draws,
        level=np.array(level, np.int16),
        office=np.array(numbers.of("office", (p.office for p in people)), np.int32),
        zone=np.array([zone[p.time_zone] for p in people], np.int32),
        style=np.array(numbers.of("style", (fold(p.working_style or "") for p in people)), np.int32),
        department=np.array(numbers.of("department", (p.department for p in people)), np.int32),
        team=np.array(numbers.of("team", teams), np.int32),
        languages=_bits([bits[person.languages] for person in people], language_words),
        first=places.first,
        last=places.last,
        depth=places.depth,
        constant=np.array(constants, np.int32),
    )


def _bits(rows: Sequence[Sequence[int]], words: int | None) -> U64:
    words = words or 1 + max((bit for row in rows for bit in row), default=0) // 64
    bits = np.zeros((len(rows), words), np.uint64)
    row = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
    bit = np.fromiter((number for one in rows for number in one), np.int64, len(row))
    kept = (bit >= 0) & (bit < 64 * words)
    row, bit = row[kept], bit[kept]
    np.bitwise_or.at(bits, (row, bit // 64), np.uint64(1) << (bit % 64).astype(np.uint64))
    return bits


def kinds_of(side: Side) -> I64:
    """Mentees who differ in nothing that a mentor's base points look at are of one class."""
    if not len(side.level):
        return np.zeros(0, np.int64)
    code = np.zeros(len(side.level), np.int64)
    for column in (side.level, side.zone, side.office, side.style):
        code = code * (int(column.max()) + 2) + column + 1
    return np.unique(code, return_inverse=True)[1].astype(np.int64)
