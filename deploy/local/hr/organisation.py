"""A synthetic organisation: the same seed gives the same people, byte for byte, on every machine.

Whoever somebody is (name, office, languages, profile) is drawn from the seed and the employee id
alone; the tree, the departments and the teams are drawn for the organisation as a whole.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from math import log
from random import Random
from typing import Final

from deploy.local.hr.draw import pick, pick_weighted
from deploy.local.hr.functions import CLUSTERS, DEPARTMENTS, Department, title_of
from deploy.local.hr.member import Member, Organisation
from deploy.local.hr.names import email_of, invent_name
from deploy.local.hr.places import OFFICES, Office, choose_office, invent_culture, invent_languages
from deploy.local.hr.skills import invent_skills
from deploy.local.hr.tree import Tree, grow_tree
from deploy.local.hr.words import WORKING_STYLES, invent_goals, invent_interests

REFERENCE_DATE: Final = date(2026, 1, 1)
"""The day on which the organisation is as described; nobody is hired after it."""

MOST_PEOPLE: Final = 1_000_000
TOP_LEVEL: Final = 10
BOARD: Final = "Executive board"

_CRAFT_LEVELS: Final = (1, 2, 3, 4, 5, 6)
_CRAFT_WEIGHTS: Final = tuple(accumulate((20, 27, 23, 15, 9, 6)))


@dataclass(frozen=True, slots=True)
class _Seat:
    """What somebody has from their place in the organisation."""

    department: Department
    office: Office
    level: int
    leads: bool
    team: str


def make_organisation(people: int, seed: int) -> Organisation:
    """An organisation of *people* (1 to 1,000,000), managers before their reports.

    Raises ``ValueError`` for any other number. About 50 µs a person.
    """
    if not 1 <= people <= MOST_PEOPLE:
        raise ValueError(f"an organisation has 1 to {MOST_PEOPLE:,} people, not {people:,}")
    random = Random(f"{seed}|organisation")
    tree = grow_tree(people, random)
    seats = _seats(tree, random)
    ids = [f"E{number:06d}" for number in range(1, people + 1)]
    members = tuple(
        _member(seed, ids[place], None if manager < 0 else ids[manager], seats[place])
        for place, manager in enumerate(tree.managers)
    )
    return Organisation(seed, members)


def capacity_of(random: Random, seniority: float) -> int:
    """How many mentees somebody would take, 1 to 5: the more senior, the more."""
    return min(5, 1 + int(random.random() * (1.6 + 3.4 * seniority)))


def _seats(tree: Tree, random: Random) -> list[_Seat]:
    seats: list[_Seat] = []
    teams: Counter[str] = Counter()
    team_of: dict[int, str] = {}
    firsts = _clusters_in_turn(random)
    for place, manager in enumerate(tree.managers):
        above = seats[manager] if manager >= 0 else None
        depth, leads = tree.depths[place], tree.leads[place]
        if above is None:
            department, office = pick(random, CLUSTERS["corporate"]), choose_office(random)
        elif depth == 1:
            department = firsts[(place - 1) % len(firsts)]
            office = choose_office(random)
        else:
            same_department, same_office = (0.5, 0.3) if depth == 2 else (1.0, 0.9)
            department = above.department
            if random.random() >= same_department:
                cluster = CLUSTERS[department.cluster]
                department = pick_weighted(random, cluster, [*accumulate(each.weight for each in cluster)])
            office = above.office if random.random() < same_office else choose_office(random)
        if manager not in team_of:
            team_of[manager] = _team(above.department, teams, random) if above and depth > 1 else BOARD
        seats.append(_Seat(department, office, _level(above, depth, leads, random), leads, team_of[manager]))
    return seats


def _clusters_in_turn(random: Random) -> Sequence[Department]:
    """Departments for the head's direct reports: large ones first, no cluster left out for long."""
    shuffled = sorted(DEPARTMENTS.values(), key=lambda each: -each.weight * (0.5 + random.random()))
    leading = {each.cluster: each for each in reversed(shuffled)}
    first = [each for each in shuffled if leading[each.cluster] is each]
    return first + [each for each in shuffled if each not in first]


def _team(department: Department, teams: Counter[str], random: Random) -> str:
    """A new team's name, unique in the organisation."""
    name = f"{department.name} / {pick(random, department.subjects)}"
    teams[name] += 1
    return f"{name} {teams[name]}"


def _level(above: _Seat | None, depth: int, leads: bool, random: Random) -> int:
    """1 to 10, always below the manager's own."""
    if above is None:
        return TOP_LEVEL
    if leads:
        return max(1, above.level - 1)
    level = pick_weighted(random, _CRAFT_LEVELS, _CRAFT_WEIGHTS) + (2 if depth == 1 else 0)
    return max(1, min(level, above.level - 1))


def _member(seed: int, employee_id: str, manager: str | None, seat: _Seat) -> Member:
    random = Random(f"{seed}|{employee_id}")
    name = invent_name(random, invent_culture(random, seat.office))
    seniority = (seat.level - 1) / (TOP_LEVEL - 1)
    skills = invent_skills(random, seat.department.families, seniority)
    served = min(30.0, -log(1 - random.random()) * (2 + 10 * seniority))
    return Member(
        employee_id=employee_id,
        given_name=name.given,
        family_name=name.family,
        email=email_of(name.local, employee_id),
        department=seat.department.name,
        manager_employee_id=manager,
        team=seat.team,
        office=seat.office.name,
        time_zone=OFFICES[seat.office.name].time_zone,
        languages=invent_languages(random, seat.office),
        job_title=title_of(seat.department, seat.level, seat.leads) if manager else "Chief Executive Officer",
        job_level=seat.level,
        hired_on=REFERENCE_DATE - timedelta(days=1 + int(served * 365)),
        skills_offered=skills.offered,
        skills_wanted=skills.wanted,
        interests=invent_interests(random),
        goals=invent_goals(random, skills.offered, skills.wanted, seat.department.name),
        working_style=pick(random, WORKING_STYLES),
        mentor_capacity=capacity_of(random, seniority),
    )
