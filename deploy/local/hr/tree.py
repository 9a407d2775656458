"""Two ways to a manager tree: grown to a size, and inferred for people whose level is known."""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from deploy.local.hr.draw import whole

SPAN: Final = (4, 12)
"""Direct reports of one manager, least and most."""
_STAFF_SHARE: Final = 0.2
"""How many of a manager's reports, but for the first, lead nobody even where the tree goes on."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Places in a hierarchy, each after its manager. ``managers[0]`` is -1: the head has none."""

    managers: tuple[int, ...]
    depths: tuple[int, ...]
    leads: tuple[bool, ...]


def _span(random: Random, left: int) -> int:
    """How many reports the next manager has, such that the last one is not left with one to three."""
    low, high = SPAN
    if left <= high:
        return left
    return whole(random, low, min(high, left - low))


def grow_tree(people: int, random: Random) -> Tree:
    """A tree of *people* places with 4 to 12 reports per manager (fewer only below five people)."""
    managers, depths = [-1], [0]
    leads = [False] * people
    waiting = deque([0])
    while (left := people - len(managers)) > 0:
        manager = waiting.popleft()
        leads[manager] = True
        for nth in range(_span(random, left)):
            # The first report always may lead, so that somebody is waiting while people are left.
            if nth == 0 or random.random() >= _STAFF_SHARE:
                waiting.append(len(managers))
            managers.append(manager)
            depths.append(depths[manager] + 1)
    return Tree(tuple(managers), tuple(depths), tuple(leads))


@dataclass(frozen=True, slots=True)
class Ranked:
    """Somebody who needs a manager."""

    employee_id: str
    department: str
    level: int


@dataclass(slots=True)
class _Free:
    """Those already placed who have room for one more report, by department and level."""

    span: int
    room: dict[str, int] = field(default_factory=dict)
    by_level: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    in_order: dict[str, deque[str]] = field(default_factory=dict)

    def add(self, person: Ranked) -> None:
        self.room[person.employee_id] = self.span
        self.by_level.setdefault((person.department, person.level), []).append(person.employee_id)
        for queue in (person.department, _EVERYWHERE):
            self.in_order.setdefault(queue, deque()).append(person.employee_id)

    def any_of(self, department: str, level: int, random: Random) -> str | None:
        """A seeded choice among those of one department and level."""
        people = self.by_level.get((department, level), [])
        while people:
            at = int(random.random() * len(people))
            if self.room[people[at]]:
                return people[at]
            people[at] = people[-1]
            people.pop()
        return None

    def first_of(self, queue: str) -> str | None:
        """The highest placed of a department (or of all) who has room."""
        waiting = self.in_order.get(queue, deque())
        while waiting and not self.room[waiting[0]]:
            waiting.popleft()
        return waiting[0] if waiting else None


_EVERYWHERE: Final = "\x00"


def infer_managers(people: Sequence[Ranked], seed: int, span: int = SPAN[1]) -> Mapping[str, str | None]:
    """A manager for everybody, as far as department and level tell.

    One's manager is of the same department and of the nearest higher level where somebody has fewer
    than *span* reports, by seeded choice. Those at the top of a department have a peer placed before
    them; the first of each department has the highest placed person of all. Exactly one has none.
    Everybody is placed after their manager, hence no circle. *span* must be at least 1.
    """
    ordered = sorted(people, key=lambda each: (-each.level, _rank(seed, each.employee_id)))
    levels: dict[str, list[int]] = {}
    free, managers = _Free(span), dict[str, str | None]()
    for person in ordered:
        random = Random(f"{seed}|{person.employee_id}|manager")
        known = levels.setdefault(person.department, [])
        above = (level for level in reversed(known) if level > person.level)
        found = (free.any_of(person.department, level, random) for level in above)
        manager = next((each for each in found if each is not None), None)
        manager = manager or free.first_of(person.department) or free.first_of(_EVERYWHERE)
        if manager is not None:
            free.room[manager] -= 1
        managers[person.employee_id] = manager
        free.add(person)
        if person.level not in known:
            known.append(person.level)
    return managers


def circular(managers: Mapping[str, str | None]) -> frozenset[str]:
    """Those who are their own manager at some remove, given everybody's manager."""
    settled: set[str] = set()
    found: set[str] = set()
    for start in managers:
        path: dict[str, None] = {}
        person: str | None = start
        while person is not None and person not in settled and person not in path:
            path[person] = None
            person = managers.get(person)
        if person is not None and person in path:
            chain = list(path)
            found.update(chain[chain.index(person) :])
        settled.update(path)
    return frozenset(found)


def _rank(seed: int, employee_id: str) -> bytes:
    """An order that depends on nothing but the seed and the id."""
    return hashlib.sha256(f"{seed}|{employee_id}".encode()).digest()
