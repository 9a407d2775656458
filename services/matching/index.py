"""Mentors by something they have, so that a mentee's candidates are found without looking at everybody."""

from bisect import bisect_left
from collections.abc import Iterable


class Index:
    """Mentors by something, each list by level, so that those high enough are one slice."""

    def __init__(self, mentors: Iterable[tuple[int, tuple[int, int]]]) -> None:
        ordered = sorted(mentors, key=lambda entry: entry[1])
        self.numbers = [number for number, _ in ordered]
        self._levels = [level for _, (level, _) in ordered]

    def slice_at(self, level: int) -> int:
        """Where mentors of at least *level* begin."""
        return bisect_left(self._levels, level)

    def from_level(self, level: int, turn: int, most: int) -> list[int]:
        """Up to *most* mentors of at least *level*, beginning at a place that *turn* decides."""
        start = self.slice_at(level)
        count = len(self.numbers) - start
        if count <= 0:
            return []
        first = start + turn % count
        chosen = self.numbers[first : first + most]
        if len(chosen) < most:
            chosen += self.numbers[start : min(first, start + most - len(chosen))]
        return chosen
