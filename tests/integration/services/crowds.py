"""A programme with thousands of people. They are written as rows: to hear of them is another test's business."""

from typing import Any

from services.matching.domain.mentees import Mentee, Place, Standing
from services.matching.domain.pairs import MentorLoad
from services.matching.domain.people import Enrolment, EnrolmentStatus, Person, PersonStatus, Role
from services.matching.engine import Pool
from shared.persistence.kinds import Kind
from tests.integration.services.runs import SPRING, Programme
from tests.support.databases import new_tenant
from tests.support.instance import Instance
from tests.unit.matching.engine.support import crowd


async def big_programme(matching: Instance, mentees: int, mentors: int, /, **more: Any) -> Programme:
    """A tenant whose one programme has so many people who look for a mentor, and who offer places."""
    spring = Programme(matching, new_tenant())
    await spring.begin(0, 0, **more)
    pool = crowd(mentees, mentors)
    people: list[Any] = [
        Person(
            person_id=one.person_id, version=1, status=PersonStatus.ACTIVE, department=one.department,
            team=one.team or None, time_zone=one.time_zone, languages=list(one.languages),
            job_level=one.level, skills_offered=dict(one.skills) if one.free else {},
            skills_wanted={} if one.free else dict(one.skills), interests=list(one.interests),
            goals=one.goals, working_style=one.working_style, mentor_capacity=one.free,
            manager_id=pool.managers.get(one.person_id), matching_consent=True,
        )
        for one in (*pool.mentees, *pool.mentors)
    ]  # fmt: skip
    await _write(matching, spring.tenant, people, *_places(pool))
    return spring


def _places(pool: Pool) -> tuple[list[Any], list[Any], list[Any]]:
    sides = ((Role.MENTEE, pool.mentees), (Role.MENTOR, pool.mentors))
    enrolments = [
        Enrolment(f"{role}.{one.person_id}", 1, SPRING, one.person_id, role, EnrolmentStatus.ACTIVE)
        for role, side in sides
        for one in side
    ]
    today = pool.as_of
    mentees = [
        Mentee(SPRING, one.person_id, f"mentee.{one.person_id}", Standing.ELIGIBLE, Place.FREE, today)
        for one in pool.mentees
    ]
    return enrolments, mentees, [MentorLoad(one.person_id) for one in pool.mentors]


async def _write(matching: Instance, tenant: str, *tables: list[Any]) -> None:
    kinds = matching.process.database.kinds
    for rows in tables:
        kind: Kind[Any] = kinds[type(rows[0])]
        for begin in range(0, len(rows), 2000):
            async with matching.process.database.transaction(tenant) as uow:
                values = kind.arrays(rows[begin : begin + 2000])
                await uow.connection.fetch(kind.insert_sql, {"tenant": tenant, **values})
