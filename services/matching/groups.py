"""What is different where a mentor leads one group instead of several mentees each for themselves.

Each member is proposed, accepts and ends like any other mentee; what ties them is decided when the group is
made: together they have a common language and avoid nobody, and they are enough. So a mentor who leads people of
the programme, or has open proposals in it, gets no second group, and nobody is put beside members who are not in the
computation. A group that loses members goes on with the others.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.matching import store
from services.matching.domain.pairs import ProposalStatus, RelationshipStatus
from services.matching.domain.people import avoids
from services.matching.domain.runs import Dropped
from services.matching.engine import Configuration, Form
from services.matching.proposing import why_not_now
from services.matching.solver_process import Pair
from services.matching.store import ENROLMENT, MENTOR_LOAD, PERSON, PROPOSAL, RELATIONSHIP, SeenPool
from shared.persistence.uow import Uow, Want, want_all

_GROUPS_AT_A_TIME: Final = 50

Fallen = Mapping[tuple[str, str], Dropped]
"""(mentee, mentor) to why the mentee is not proposed with the group."""


async def without_leaders(uow: Uow, seen: SeenPool, configuration: Configuration) -> SeenPool:
    """The pool as groups are made of it: whoever leads one in the programme has no room for another."""
    if configuration.form is not Form.GROUP:
        return seen
    mentors = seen.pool.mentors
    leaders = await store.leaders(uow, seen.programme.programme_id, [one.person_id for one in mentors])
    free = tuple(replace(one, free=0) if one.person_id in leaders else one for one in mentors)
    return replace(seen, pool=replace(seen.pool, mentors=free))


def wants_of(configuration: Configuration, pairs: Sequence[Pair]) -> Iterator[Want]:
    """What :func:`fallen` looks at beside what proposing does."""
    if configuration.form is Form.GROUP:
        for mentor_id in {pair.mentor_id for pair in pairs}:
            yield want_all(PROPOSAL, mentor_id=mentor_id, status=ProposalStatus.OPEN)
            yield want_all(RELATIONSHIP, mentor_id=mentor_id, status=RelationshipStatus.ACTIVE)


async def fallen(
    uow: Uow,
    seen: SeenPool,
    configuration: Configuration,
    pairs: Sequence[Pair],
    forbidden: Mapping[tuple[str, str], str],
) -> Fallen:
    """Of which pairs the group does not stand any more; nothing in other forms. Nothing may be proposed yet.

    *forbidden* are pairs that fall by a rule: the rest of their group may be too small without them.
    """
    if configuration.form is not Form.GROUP:
        return {}
    groups: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: (-pair.score, pair.mentee_id)):
        groups.setdefault(pair.mentor_id, []).append(pair)
    found: dict[tuple[str, str], Dropped] = {}
    for number, (mentor_id, members) in enumerate(sorted(groups.items()), start=1):
        if await _leads(uow, seen.programme.programme_id, mentor_id):
            found |= {(pair.mentee_id, mentor_id): Dropped.MENTOR_FULL for pair in members}
            continue
        standing = [
            pair
            for pair in members
            if (pair.mentee_id, mentor_id) not in forbidden and await why_not_now(uow, seen, pair) is None
        ]
        sitting = await _who_may_sit(uow, standing)
        found |= {(p.mentee_id, mentor_id): Dropped.CHANGED_MEANWHILE for p in standing if p not in sitting}
        room = await _room(uow, mentor_id)
        found |= {(pair.mentee_id, mentor_id): Dropped.MENTOR_FULL for pair in sitting[room:]}
        if len(sitting[:room]) < configuration.smallest_group:
            found |= {(pair.mentee_id, mentor_id): Dropped.GROUP_TOO_SMALL for pair in sitting[:room]}
        if number % _GROUPS_AT_A_TIME == 0:
            await asyncio.sleep(0)
    return found


async def _leads(uow: Uow, programme_id: str, mentor_id: str) -> bool:
    proposals = await uow.find(PROPOSAL, mentor_id=mentor_id, status=ProposalStatus.OPEN)
    active = await uow.find(RELATIONSHIP, mentor_id=mentor_id, status=RelationshipStatus.ACTIVE)
    return programme_id in {*(one.programme_id for one in proposals), *(one.programme_id for one in active)}


async def _who_may_sit(uow: Uow, members: Sequence[Pair]) -> list[Pair]:
    """Without those who avoid somebody before them, or are avoided by them, by now."""
    sitting: list[Pair] = []
    for pair in members:
        mine = await uow.find(ENROLMENT, person_id=pair.mentee_id)
        for other in sitting:
            theirs = await uow.find(ENROLMENT, person_id=other.mentee_id)
            if avoids(mine, other.mentee_id) or avoids(theirs, pair.mentee_id):
                break
        else:
            sitting.append(pair)
    return sitting


async def _room(uow: Uow, mentor_id: str) -> int:
    mentor, load = await uow.get(PERSON, mentor_id), await uow.get(MENTOR_LOAD, mentor_id)
    return 0 if mentor is None or load is None else max(0, mentor.mentor_capacity - load.used)
