"""Reading a few people of a programme as a round would see them: a look, not a lock, by keys alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from services.matching.domain.pairs import EndReason, Proposal, ProposalStatus
from services.matching.domain.people import Enrolment, Person, Programme, Role
from services.matching.engine import HIGHEST_PRIORITY, Participant, Pool
from services.matching.store.pool import _LINES, SeenPool, configuration_of
from services.matching.store.reads import peek
from services.matching.store.tables import (
    ENROLMENT,
    MENTEE,
    MENTOR_LOAD,
    PERSON,
    PROGRAMME,
    PROPOSAL,
    RELATIONSHIP,
)
from shared.persistence.kinds import Kind, arrays_of
from shared.persistence.uow import Uow

R = TypeVar("R")

_FAILED: Final = (ProposalStatus.DECLINED, ProposalStatus.EXPIRED, ProposalStatus.ACCEPTED)


async def read_few(
    uow: Uow, programme_id: str, mentee_ids: Collection[str], mentor_ids: Collection[str]
) -> SeenPool | None:
    """Of these mentees who still waits, and of these mentors who takes part; None when the programme is not active."""
    programme = await peek(uow, PROGRAMME, programme_id)
    if programme is None or not programme.active:
        return None
    everybody = sorted({*mentee_ids, *mentor_ids})
    people = {one.person_id: one for one in await _some(uow, PERSON, ("person_id",), _alone(everybody))}
    enrolments: dict[str, list[Enrolment]] = {}
    for enrolment in await _some(uow, ENROLMENT, ("person_id",), _alone(everybody)):
        enrolments.setdefault(enrolment.person_id, []).append(enrolment)
    places = [(programme_id, mentee_id) for mentee_id in sorted(mentee_ids)]
    waiting = [one for one in await _some(uow, MENTEE, ("programme_id", "person_id"), places) if one.waits]
    loads = {
        one.person_id: one.used
        for one in await _some(uow, MENTOR_LOAD, ("person_id",), _alone(sorted(mentor_ids)))
    }
    completed = await _some(
        uow, RELATIONSHIP, ("mentor_id", "reason"), [(one, EndReason.COMPLETED) for one in sorted(mentor_ids)]
    )
    earlier = await _some(uow, PROPOSAL, ("mentee_id",), _alone([one.person_id for one in waiting]))
    lines = await uow.rows(_LINES, people=everybody)
    led: dict[str, int] = {}
    for relationship in completed:
        led[relationship.mentor_id] = led.get(relationship.mentor_id, 0) + 1
    by_id = {one.enrolment_id: one for mine in enrolments.values() for one in mine}
    mentees = [
        _participant(people[one.person_id], by_id[one.enrolment_id], enrolments, priority=one.priority)
        for one in waiting
        if one.person_id in people and one.enrolment_id in by_id
    ]
    offers = {
        mentor_id: offer
        for mentor_id in mentor_ids
        if mentor_id in people
        and people[mentor_id].matchable
        and (offer := _offer(programme_id, enrolments.get(mentor_id, ()))) is not None
    }
    mentors = [
        _participant(
            people[one],
            offer,
            enrolments,
            free=0 if offer.paused else max(0, people[one].mentor_capacity - loads.get(one, 0)),
            completed=led.get(one, 0),
        )
        for one, offer in offers.items()
    ]
    return SeenPool(
        programme=programme,
        pool=Pool(
            as_of=uow.now.date(),
            mentees=tuple(mentees),
            mentors=tuple(mentors),
            managers={row[0]: row[1] for row in lines},
            failed=frozenset((one.mentee_id, one.mentor_id) for one in earlier if one.status in _FAILED),
        ),
        configuration=configuration_of(programme),
        versions={one.person_id: people[one.person_id].version for one in (*mentees, *mentors)},
        enrolments={mentor_id: offer.enrolment_id for mentor_id, offer in offers.items()},
        attempts=_attempts(programme, earlier),
    )


def _alone(values: Iterable[str]) -> list[tuple[str]]:
    return [(value,) for value in values]


async def _some(
    uow: Uow, kind: Kind[R], fields: tuple[str, ...], values: Sequence[tuple[Any, ...]]
) -> list[R]:
    """Rows whose fields have one of these values, without a lock."""
    if not values:
        return []
    rows = await uow.rows(kind.select_by_fields(fields, lock=""), **arrays_of(fields, values))
    return [kind.decode(row) for row in rows]


def _offer(programme_id: str, enrolments: Iterable[Enrolment]) -> Enrolment | None:
    """The enrolment as a mentor: the same one that a round takes."""
    active = [
        one
        for one in enrolments
        if one.programme_id == programme_id and one.role is Role.MENTOR and one.active
    ]
    return min(active, key=lambda one: one.enrolment_id, default=None)


def _attempts(programme: Programme, earlier: Iterable[Proposal]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for one in earlier:
        pair = one.mentee_id, one.mentor_id
        found[pair] = found.get(pair, 0) + (one.programme_id == programme.programme_id)
    return found


def _participant(
    person: Person,
    by: Enrolment,
    enrolments: Mapping[str, Iterable[Enrolment]],
    *,
    priority: int = 0,
    free: int = 0,
    completed: int = 0,
) -> Participant:
    return Participant(
        person_id=person.person_id,
        department=person.department,
        team=person.team or "",
        office=person.office or "",
        level=person.job_level,
        languages=tuple(person.languages),
        time_zone=person.time_zone,
        interests=tuple(person.interests),
        working_style=person.working_style,
        goals=person.goals or "",
        skills=person.skills_wanted if by.role is Role.MENTEE else person.skills_offered,
        choices=tuple(by.choices),
        preferences=tuple(by.preferences),
        avoid=frozenset(name for one in enrolments[person.person_id] if one.active for name in one.avoid),
        priority=max(0, min(HIGHEST_PRIORITY, priority)),
        free=free,
        completed=completed,
    )
