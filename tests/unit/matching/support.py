"""A small world around *matching* on dictionaries: hear events, let time pass, answer, and look."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

from services.matching import store as sql
from services.matching.domain.mentees import Mentee, Place, Standing
from services.matching.domain.pairs import (
    MentorLoad,
    Proposal,
    ProposalStatus,
    Relationship,
    RelationshipStatus,
)
from services.matching.domain.people import Enrolment, Person, PersonStatus, Role
from services.matching.engine import Participant, Pool
from services.matching.handlers import handlers
from services.matching.store import (
    ENROLMENT,
    KINDS,
    MENTEE,
    MENTOR_LOAD,
    PERSON,
    PROGRAMME,
    PROPOSAL,
    RELATIONSHIP,
    SeenPool,
)
from shared.contracts.base import EventData
from shared.contracts.pairs import ProposalChanged, RelationshipEnded
from shared.contracts.people import EnrolmentChanged, PersonChanged, ProgrammeChanged
from shared.messaging.handlers import Outcome
from shared.persistence.kinds import Kind
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow
from tests.support.memory import NOW, MemoryStore, MemoryUow, event

T = TypeVar("T")

SPRING = "spring"


def person(person_id: str, *, level: int = 3, capacity: int = 1, **more: Any) -> PersonChanged:
    """Somebody who consents; mentors of these tests have a higher level than mentees."""
    values: dict[str, Any] = {
        "person_id": person_id, "status": "active", "given_name": "G", "family_name": "F",
        "email": f"{person_id}@example.org", "department": "d", "job_level": level,
        "mentor_capacity": capacity, "matching_consent": True,
    }  # fmt: skip
    return PersonChanged(**(values | more))


def enrolment(
    person_id: str, role: str, status: str = "active", programme: str = SPRING, **wishes: Any
) -> EnrolmentChanged:
    return EnrolmentChanged(
        enrolment_id=f"{programme}-{role}-{person_id}", programme_id=programme, person_id=person_id,
        role=role, status=status, **wishes,
    )  # fmt: skip


def programme(programme_id: str = SPRING, **more: Any) -> ProgrammeChanged:
    values: dict[str, Any] = {"programme_id": programme_id, "name": "Spring", "coordinator_ids": ["boss"]}
    return ProgrammeChanged(**(values | more))


class World:
    """Use it inside :func:`memory`."""

    def __init__(self) -> None:
        self.store = MemoryStore("matching", KINDS)
        self.now = NOW
        self._sequences: Counter[str] = Counter()

    def uow(self) -> MemoryUow:
        return self.store.uow(self.now)

    async def hear(self, *told: EventData, sequence: int | None = None) -> Outcome | None:
        """Each event in a transaction of its own; sequences count up by aggregate."""
        outcome = None
        for data in told:
            self._sequences[data.subject] += 1
            number = sequence or self._sequences[data.subject]
            handling = handlers.events[data.TYPE]
            heard = event(data, sequence=number, at=self.now)
            async with self.uow() as uow:
                await uow.prefetch(handling.needs(heard) if handling.needs else ())
                if handling.prepare is not None:
                    await handling.prepare([heard], uow)
                outcome = await handling.handle(heard, uow)
        return outcome

    async def do(self, command: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        async with self.uow() as uow:
            return await command(uow, *arguments)

    async def wait(self, **passing: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + timedelta(**passing)
        while (due := self._next(until)) is not None:
            self.now = max(self.now, due[0])
            await self._fire(due[1])
        self.now = until

    def _next(self, until: datetime) -> tuple[datetime, tuple[str, str]] | None:
        pending = [(change.due, name) for name, change in self.store.timers.items() if change.due is not None]
        return min((each for each in pending if each[0] <= until), default=None)

    async def _fire(self, name: tuple[str, str]) -> None:
        due = self.store.timers[name].due
        assert due is not None
        async with self.uow() as uow:
            del self.store.timers[name]
            await handlers.timers[name[0]].handle(Timer(*name, due), uow)

    # looking

    def proposals(self, status: ProposalStatus | None = None) -> list[Proposal]:
        return [each for each in self.store.all(PROPOSAL) if status in (None, each.status)]

    def open_pairs(self) -> set[tuple[str, str]]:
        """(mentee, mentor) of open proposals."""
        return {(each.mentee_id, each.mentor_id) for each in self.proposals(ProposalStatus.OPEN)}

    def proposal_of(self, mentee_id: str) -> Proposal:
        """The mentee's open proposal."""
        (found,) = [each for each in self.proposals(ProposalStatus.OPEN) if each.mentee_id == mentee_id]
        return found

    def active(self) -> set[tuple[str, str]]:
        """(mentee, mentor) of active relationships."""
        return {
            (each.mentee_id, each.mentor_id)
            for each in self.store.all(RELATIONSHIP)
            if each.status is RelationshipStatus.ACTIVE
        }

    def relationship(self) -> Relationship:
        (found,) = self.store.all(RELATIONSHIP)
        return found  # type: ignore[no-any-return]

    def mentee(self, person_id: str, programme_id: str = SPRING) -> Mentee:
        found: Mentee = self.store.rows[MENTEE.name][programme_id, person_id]
        return found

    def load(self, person_id: str) -> MentorLoad:
        found: MentorLoad = self.store.rows[MENTOR_LOAD.name][(person_id,)]
        return found

    def said(self, kind: type[T]) -> list[T]:
        return [data for data in self.store.said if isinstance(data, kind)]

    def ends(self) -> list[tuple[str, str, list[str], str]]:
        """Of each ended pair: mentee, reason, leavers, what became of the mentee."""
        return [
            (each.mentee_id, each.reason.value, each.leaver_ids, each.requeue.value)
            for each in self.said(RelationshipEnded)
        ]

    def statuses(self) -> list[str]:
        return [each.status.value for each in self.said(ProposalChanged)]

    def check(self) -> None:
        """The invariants that hold after every transaction."""
        active, reserved = Counter[str](), Counter[str]()
        paired, proposed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for each in self.store.all(RELATIONSHIP):
            if each.status is RelationshipStatus.ACTIVE:
                active[each.mentor_id] += not each.peers
                for person_id in each.seekers:
                    paired[each.programme_id, person_id] += 1
        for each in self.proposals(ProposalStatus.OPEN):
            reserved[each.mentor_id] += not each.peers
            for person_id in each.seekers:
                proposed[each.programme_id, person_id] += 1
        for load in self.store.all(MENTOR_LOAD):
            assert (load.active, load.reserved) == (active[load.person_id], reserved[load.person_id])
            assert load.used <= self.store.rows[PERSON.name][(load.person_id,)].mentor_capacity or (
                load.reserved == 0  # who takes fewer than before keeps the pairs there are
            )
        for mentee in self.store.all(MENTEE):
            key = mentee.programme_id, mentee.person_id
            assert (paired[key], proposed[key]) == {
                Place.PAIRED: (1, 0), Place.PROPOSED: (0, 1), Place.FREE: (0, 0), Place.DONE: (0, 0),
            }[mentee.place]  # fmt: skip
            hopes = mentee.standing is Standing.ELIGIBLE and mentee.place in (Place.FREE, Place.PROPOSED)
            assert (mentee.since is not None) == hopes
            assert mentee.place is not Place.PROPOSED or mentee.standing is Standing.ELIGIBLE
        versions: dict[str, list[int]] = {}
        for data, version in zip(self.store.said, self.store.versions, strict=True):
            versions.setdefault(data.subject, []).append(version)
        for subject, numbers in versions.items():
            assert numbers == list(range(1, len(numbers) + 1)), subject


@contextmanager
def memory(world: World) -> Iterator[World]:
    """The queries that only look, answered from the world's dictionaries."""

    async def peek(uow: Uow, kind: Kind[Any], *key: Any) -> Any:
        return world.store.rows[kind.name].get(key)

    async def programmes_of_mentor(uow: Uow, person_id: str) -> list[str]:
        return [
            each.programme_id
            for each in world.store.all(ENROLMENT)
            if each.person_id == person_id and each.role is Role.MENTOR and each.active
        ]

    async def look_at_mentors(uow: Uow, mentors: Collection[str]) -> None:
        """There is nothing to save by looking earlier."""

    async def read_pool(uow: Uow, programme_id: str, *, also_empty: bool = False) -> SeenPool | None:
        return _seen(world.store, uow, programme_id)

    async def keep_alive(uow: Uow) -> None:
        """A slow solver keeps no connection waiting here."""

    async def forget_results(uow: Uow, person_id: str) -> int:
        return 0  # results of runs are in tables of their own, which tests on real servers look at

    with (
        patch.object(sql, "peek", peek),
        patch.object(sql, "keep_alive", keep_alive),
        patch.object(sql, "forget_results", forget_results),
        patch.object(sql, "programmes_of_mentor", programmes_of_mentor),
        patch.object(sql, "look_at_mentors", look_at_mentors),
        patch.object(sql, "read_pool", read_pool),
    ):
        yield world


def _seen(store: MemoryStore, uow: Uow, programme_id: str) -> SeenPool | None:
    known = store.rows[PROGRAMME.name].get((programme_id,))
    people: dict[str, Person] = {each.person_id: each for each in store.all(PERSON)}
    waiting = [each for each in store.all(MENTEE) if each.programme_id == programme_id and each.waits]
    if known is None or not known.active or not waiting:
        return None
    enrolments: dict[str, Enrolment] = {each.enrolment_id: each for each in store.all(ENROLMENT)}
    mentors = {
        each.person_id: each.enrolment_id
        for each in enrolments.values()
        if each.programme_id == programme_id and each.role is Role.MENTOR and each.active
        if people[each.person_id].status is PersonStatus.ACTIVE and people[each.person_id].matching_consent
    }
    if known.of_peers:
        mentors = {each.person_id: each.enrolment_id for each in waiting}
    avoid: dict[str, set[str]] = {}
    for each in enrolments.values():
        if each.active:
            avoid.setdefault(each.person_id, set()).update(each.avoid)
    loads = {each.person_id: each.used for each in store.all(MENTOR_LOAD)}
    earlier: Counter[tuple[str, str]] = Counter()
    failed = set()
    for each in store.all(PROPOSAL):
        earlier[each.mentee_id, each.mentor_id] += each.programme_id == programme_id
        if each.status not in (ProposalStatus.OPEN, ProposalStatus.WITHDRAWN):
            failed.add((each.mentee_id, each.mentor_id))
            failed |= {(each.mentor_id, each.mentee_id)} if each.peers else set()
    return SeenPool(
        programme=known,
        pool=Pool(
            as_of=uow.now.date(),
            mentees=tuple(
                _participant(
                    people[each.person_id],
                    enrolments[each.enrolment_id],
                    avoid,
                    skills=people[each.person_id].skills_wanted,
                    priority=each.priority,
                )
                for each in waiting
            ),
            mentors=tuple(
                _participant(
                    people[each],
                    enrolments[identity],
                    avoid,
                    free=1 if known.of_peers else max(0, people[each].mentor_capacity - loads.get(each, 0)),
                    skills=people[each].skills_offered,
                )
                for each, identity in mentors.items()
            ),
            managers={each.person_id: each.manager_id for each in people.values() if each.manager_id},
            failed=frozenset(failed),
        ),
        configuration=sql.configuration_of(known),
        versions={each.person_id: each.version for each in people.values()},
        enrolments=mentors,
        attempts=earlier,
    )


def _participant(
    known: Person,
    by: Enrolment,
    avoid: dict[str, set[str]],
    *,
    skills: dict[str, int],
    priority: int = 0,
    free: int = 0,
) -> Participant:
    return Participant(
        person_id=known.person_id,
        department=known.department,
        team=known.team or "",
        office=known.office or "",
        level=known.job_level,
        languages=tuple(known.languages),
        time_zone=known.time_zone,
        interests=tuple(known.interests),
        working_style=known.working_style,
        goals=known.goals,
        skills=skills,
        choices=tuple(by.choices),
        preferences=tuple(by.preferences),
        avoid=frozenset(avoid.get(known.person_id, ())),
        priority=priority,
        free=0 if by.paused else free,
    )
