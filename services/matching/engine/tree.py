"""Reporting lines as intervals: who is above whom is decided by three comparisons (an Euler tour).

People who report to each other in a circle (an error in HR's data) are taken as one node, so that everybody in
the circle is in one line with everybody else in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64


class Lines(NamedTuple):
    """Where some people stand: ``first`` to ``last`` (exclusive) are the places of all who report to them."""

    first: I32
    last: I32
    depth: I32


@dataclass(frozen=True, slots=True)
class Tree:
    """Everybody's place."""

    number: Mapping[str, int]
    """Into ``lines``."""
    lines: Lines
    circles: tuple[tuple[str, ...], ...]
    """People who report to each other in a circle, each circle in the order of ids."""


def tree_of(managers: Mapping[str, str], people: Iterable[str]) -> Tree:
    """Places of everybody who is in *people* or is named in *managers*."""
    everybody = sorted({*people, *managers.keys(), *managers.values()})
    number = {person: n for n, person in enumerate(everybody)}
    above = np.full(len(everybody), -1, np.int64)
    above[[number[one] for one in managers]] = [number[other] for other in managers.values()]
    levels = _levels(above)
    circles: list[tuple[str, ...]] = []
    if sum(map(len, levels)) < len(everybody):  # whom no root leads to is in a circle, or below one
        circles = _circles(managers, everybody)
        head = np.arange(len(everybody))
        inside = np.array([number[one] for circle in circles for one in circle])
        head[inside] = [number[circle[0]] for circle in circles for _ in circle]
        above = np.where(above < 0, -1, head[above])
        above[inside] = -1
        levels = _levels(above)
        number |= {one: number[circle[0]] for circle in circles for one in circle}
    return Tree(number, _lines(above, levels), tuple(circles))


def _levels(above: I64) -> list[I64]:
    """Who reports to nobody, whoever reports to these, and so forth; the reports of one manager beside each other."""
    order = np.argsort(above, kind="stable")
    begin = np.searchsorted(above[order], np.arange(-1, len(above) + 1))
    levels = [order[: begin[1]]]
    while len(level := levels[-1]):
        first, count = begin[level + 1], begin[level + 2] - begin[level + 1]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        levels.append(order[np.repeat(first, count) + within])
    return levels


def _lines(above: I64, levels: Sequence[I64]) -> Lines:
    size = np.ones(len(above), np.int64)
    for level in reversed(levels[1:]):
        np.add.at(size, above[level], size[level])
    first, depth = np.zeros(len(above), np.int64), np.zeros(len(above), np.int64)
    for number, level in enumerate(levels):
        if not len(level):
            continue
        before = np.cumsum(size[level]) - size[level]
        manager = above[level]
        new = np.flatnonzero(np.diff(manager, prepend=-2))
        siblings = before - np.repeat(before[new], np.diff(new, append=len(level)))
        first[level] = siblings if number == 0 else first[manager] + 1 + siblings
        depth[level] = number
    return Lines(*(values.astype(np.int32) for values in (first, first + size, depth)))


def places_of(tree: Tree, people: Sequence[str], managers: Mapping[str, str]) -> Lines:
    """Their places; whoever came after the tree was made is a leaf below their manager, or alone."""
    own = np.array([tree.number.get(one, -1) for one in people], np.int64)
    above = own.copy()
    for n in np.flatnonzero(own < 0).tolist():
        above[n] = tree.number.get(managers.get(people[n], ""), -1)
    if not len(tree.number):
        return Lines(
            np.full(len(own), -1, np.int32), np.full(len(own), -1, np.int32), np.zeros(len(own), np.int32)
        )
    first, last, depth = (values[above] for values in tree.lines)
    new, alone = own < 0, above < 0
    last[new] = first[new]
    depth[new] += 1
    first[alone] = last[alone] = -1
    depth[alone] = 0
    return Lines(first, last, depth)


def _circles(managers: Mapping[str, str], everybody: Iterable[str]) -> list[tuple[str, ...]]:
    state: dict[str, int] = {}
    circles: list[tuple[str, ...]] = []
    for number, start in enumerate(everybody):
        path: list[str] = []
        person: str | None = start
        while person is not None and person not in state:
            state[person] = number
            path.append(person)
            person = managers.get(person)
        if person is not None and state[person] == number:
            circles.append(tuple(sorted(path[path.index(person) :])))
    return circles
