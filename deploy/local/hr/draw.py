"""Seeded choices built on ``Random.random`` alone.

Python promises that ``random()`` gives the same numbers for the same seed in every version, and
promises it of no other method: ``choice``, ``choices``, ``sample`` and ``randint`` may change. They
also take three times as long.
"""

from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def pick(random: Random, items: Sequence[T]) -> T:
    """Any of *items*, which must not be empty."""
    return items[int(random.random() * len(items))]


def pick_weighted(random: Random, items: Sequence[T], cumulative: Sequence[int]) -> T:
    """One of *items* by their *cumulative* weights."""
    return items[bisect_right(cumulative, random.random() * cumulative[-1])]


def whole(random: Random, least: int, most: int) -> int:
    """A whole number from *least* to *most*, both included."""
    return least + int(random.random() * (most - least + 1))


def several(random: Random, items: Sequence[T], count: int) -> tuple[T, ...]:
    """*count* different places of *items* (at most as many as there are), in the order drawn."""
    chosen: dict[int, None] = {}
    while len(chosen) < count:
        chosen[int(random.random() * len(items))] = None
    return tuple(items[place] for place in chosen)
