"""Reporting lines as intervals: who is above whom is decided by three comparisons (an Euler tour).

People who report to each other in a circle (an error in HR's data) are taken as one node, so that everybody in
the circle is in one line with everybody else in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Line(NamedTuple):
    """Where somebody stands: ``first`` to ``last`` (exclusive) are the places of all who report to them."""

    first: int
    last: int
    depth: int


@dataclass(frozen=True, slots=True)
class Tree:
    """Everybody's place."""

    places: Mapping[str, Line]
    circles: tuple[tuple[str, ...], ...]
    """People who report to each other in a circle, each circle in the order of ids."""


def tree_of(managers: Mapping[str, str], people: Iterable[str]) -> Tree:
    """Places of everybody who is in *people* or is named in *managers*."""
    everybody = sorted({*people, *managers.keys(), *managers.values()})
    circles = _circles(managers, everybody)
    head = {person: circle[0] for circle in circles for person in circle}
    below: dict[str, list[str]] = {}
    roots: list[str] = []
    for person in everybody:
        if head.get(person, person) != person:
            continue
        manager = None if person in head else managers.get(person)
        if manager is None:
            roots.append(person)
        else:
            below.setdefault(head.get(manager, manager), []).append(person)
    order: list[str] = []
    """Everybody before those who report to them, a manager's whole part without a gap."""
    depth: dict[str, int] = {}
    for root in roots:
        stack = [root]
        depth[root] = 0
        while stack:
            person = stack.pop()
            order.append(person)
            reports = below.get(person)
            if reports:
                stack += reversed(reports)
                depth.update(dict.fromkeys(reports, depth[person] + 1))
    size = dict.fromkeys(order, 1)
    for person in reversed(order):
        for report in below.get(person, ()):
            size[person] += size[report]
    places = {person: Line(first, first + size[person], depth[person]) for first, person in enumerate(order)}
    for person, first in head.items():
        places[person] = places[first]
    return Tree(places, tuple(circles))


def place_of(tree: Tree, person_id: str, managers: Mapping[str, str]) -> Line:
    """Somebody's place; whoever came after the tree was made is a leaf below their manager, or alone."""
    known = tree.places.get(person_id)
    if known is not None:
        return known
    above = tree.places.get(managers.get(person_id, ""))
    return Line(-1, -1, 0) if above is None else Line(above.first, above.first, above.depth + 1)


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
