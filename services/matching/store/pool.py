"""Reading the pool of a programme for a round: a look, not a lock. What is decided is checked again later."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from services.matching.domain.people import Programme
from services.matching.engine import HIGHEST_PRIORITY, Configuration, Participant, Pool
from services.matching.store.reads import peek
from services.matching.store.tables import PROGRAMME
from shared.persistence.driver import Statement
from shared.persistence.uow import Uow

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class SeenPool:
    """A pool as it was seen, with what tells later whether its people are still the same."""

    programme: Programme
    pool: Pool
    configuration: Configuration = field(default_factory=Configuration)
    versions: Mapping[str, int] = field(default_factory=dict)
    """Person to the version that was seen."""
    enrolments: Mapping[str, str] = field(default_factory=dict)
    """Mentor, or peer, to the enrolment that was seen to be active."""
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(mentee, mentor) to how often they were proposed before in this programme."""


# No statement joins tables. People who have just come in thousands are not in PostgreSQL's statistics yet: it takes
# each side of a join for one row then, and compares all with all. Reading by keys is never worse than one pass.

_MENTEES = Statement("""
    SELECT person_id, enrolment_id, priority FROM mentee
    WHERE tenant = :tenant AND programme_id = :programme AND standing = 'eligible' AND place = 'free'""")

_MENTORS = Statement("""
    SELECT DISTINCT ON (person_id) person_id, enrolment_id, paused FROM enrolment
    WHERE tenant = :tenant AND programme_id = :programme AND role = 'mentor' AND status = 'active'
    ORDER BY person_id, enrolment_id""")

_PEOPLE = Statement("""
    SELECT person_id, version, department, team, office, job_level, languages, time_zone, interests, working_style,
        goals, skills_wanted, skills_offered, mentor_capacity, manager_id,
        status = 'active' AND matching_consent AS may_mentor
    FROM person WHERE tenant = :tenant AND person_id = ANY(CAST(:people AS text[]))""")

_WISHES = Statement("""
    SELECT enrolment_id, choices, preferences FROM enrolment
    WHERE tenant = :tenant AND enrolment_id = ANY(CAST(:enrolments AS text[]))""")

_LOADS = Statement("""
    SELECT person_id, active + reserved FROM mentor_load
    WHERE tenant = :tenant AND person_id = ANY(CAST(:people AS text[]))""")

_COMPLETED = Statement("""
    SELECT mentor_id, count(*) FROM relationship
    WHERE tenant = :tenant AND mentor_id = ANY(CAST(:people AS text[])) AND reason = 'completed'
    GROUP BY mentor_id""")

_MANAGERS = Statement("""
    SELECT person_id, manager_id FROM person
    WHERE tenant = :tenant AND person_id = ANY(CAST(:people AS text[])) AND manager_id IS NOT NULL""")

# A pair that was declined, left to expire, or that has ended (whoever waits has no mentor here) has failed.
# It has failed for every programme; attempts are counted in this one.
_EARLIER = Statement("""
    SELECT mentee_id, mentor_id, count(*) FILTER (WHERE programme_id = :programme),
        bool_or(status IN ('declined', 'expired', 'accepted'))
    FROM proposal WHERE tenant = :tenant AND mentee_id = ANY(CAST(:people AS text[]))
    GROUP BY mentee_id, mentor_id""")

# Two peers stand in the order of their ids, so who is a mentor there may be the mentee here.
_EARLIER_PEERS = Statement("""
    SELECT DISTINCT mentor_id, mentee_id FROM proposal
    WHERE tenant = :tenant AND mentor_id = ANY(CAST(:people AS text[])) AND peers
        AND status IN ('declined', 'expired', 'accepted')""")

# Whom somebody avoids is avoided in every programme and role.
_AVOIDED = Statement("""
    SELECT person_id, avoid FROM enrolment
    WHERE tenant = :tenant AND status = 'active' AND avoid <> '[]'""")


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows of everybody in a pool, by key."""

    mentees: Rows
    mentors: Rows
    people: Mapping[str, Any]
    wishes: Mapping[str, Any]
    loads: Mapping[str, int]
    completed: Mapping[str, int]
    managers: Mapping[str, str]
    earlier: Rows
    earlier_peers: Rows
    avoided: Rows


async def read_pool(uow: Uow, programme_id: str, *, also_empty: bool = False) -> SeenPool | None:
    """Who waits and who could take them; None when the programme is not active, or nobody waits and an empty pool
    is not wanted."""
    programme = await peek(uow, PROGRAMME, programme_id)
    if programme is None or not programme.active:
        return None
    mentees = await uow.rows(_MENTEES, programme=programme_id)
    if not mentees and not also_empty:
        return None
    mentors = both_sides(mentees) if programme.of_peers else await uow.rows(_MENTORS, programme=programme_id)
    return await assembled(uow, programme, mentees, mentors, await uow.rows(_AVOIDED))


def both_sides(waiting: Rows) -> Rows:
    """Peers who wait (person, enrolment, priority) as those who give (person, enrolment, paused)."""
    return [(person_id, enrolment_id, False) for person_id, enrolment_id, _ in waiting]


async def assembled(uow: Uow, programme: Programme, mentees: Rows, mentors: Rows, avoided: Rows) -> SeenPool:
    """The pool of these *mentees* (person, enrolment, priority) and *mentors* (person, enrolment, paused); *avoided*
    are their avoid lists, or everybody's."""
    waiting = [row[0] for row in mentees]
    offering = [] if programme.of_peers else [row[0] for row in mentors]
    people = await uow.rows(_PEOPLE, people=[*waiting, *offering])
    read = _Read(
        mentees=mentees,
        mentors=mentors,
        people=_by_key(people),
        wishes=_by_key(await uow.rows(_WISHES, enrolments=[row[1] for row in (*mentees, *mentors)])),
        loads=dict(await uow.rows(_LOADS, people=offering)) if offering else {},
        completed=dict(await uow.rows(_COMPLETED, people=offering)) if offering else {},
        managers=await _reporting_lines(uow, people),
        earlier=await uow.rows(_EARLIER, people=waiting, programme=programme.programme_id),
        earlier_peers=await uow.rows(_EARLIER_PEERS, people=waiting),
        avoided=avoided,
    )
    return await asyncio.to_thread(_seen, programme, uow.now.date(), read)


def _by_key(rows: Rows) -> dict[str, Any]:
    return {row[0]: row for row in rows}


async def _reporting_lines(uow: Uow, people: Sequence[Any]) -> dict[str, str]:
    """Person to manager, for these people and everybody above them. A line that bites its own tail ends."""
    managers = {row["person_id"]: row["manager_id"] for row in people if row["manager_id"] is not None}
    asked = {row["person_id"] for row in people}
    while above := set(managers.values()) - asked:
        managers |= dict(await uow.rows(_MANAGERS, people=sorted(above)))
        asked |= above
    return managers


def _seen(programme: Programme, as_of: date, read: _Read) -> SeenPool:
    """Rows made into a pool; in a thread, because for tens of thousands of people it takes a while."""
    avoid: dict[str, frozenset[str]] = {}
    for person_id, names in read.avoided:
        avoid[person_id] = avoid.get(person_id, frozenset()) | frozenset(_plain(names))
    # Between two statements somebody may have been erased.
    mentees = [row for row in read.mentees if row[0] in read.people and row[1] in read.wishes]
    mentors = [
        row
        for row in read.mentors
        if row[0] in read.people and read.people[row[0]]["may_mentor"] and row[1] in read.wishes
    ]
    pool = Pool(
        as_of=as_of,
        mentees=tuple(
            _participant(read.people[who], "skills_wanted", read.wishes[enrolment], avoid, priority=priority)
            for who, enrolment, priority in mentees
        ),
        mentors=tuple(
            _participant(
                read.people[who],
                "skills_offered",
                read.wishes[enrolment],
                avoid,
                free=_room(programme, read, who, paused=paused),
                completed=read.completed.get(who, 0),
            )
            for who, enrolment, paused in mentors
        ),
        managers=read.managers,
        failed=frozenset(
            (row[0], row[1]) for row in (*(row for row in read.earlier if row[3]), *read.earlier_peers)
        ),
    )
    return SeenPool(
        programme=programme,
        pool=pool,
        configuration=configuration_of(programme),
        versions={who: read.people[who]["version"] for who, *_ in (*mentees, *mentors)},
        enrolments={who: enrolment for who, enrolment, _ in mentors},
        attempts={(row[0], row[1]): row[2] for row in read.earlier},
    )


def _room(programme: Programme, read: _Read, who: str, *, paused: bool) -> int:
    """How many more the person takes: a mentor as many as there are places left, a peer one."""
    if programme.of_peers:
        return 1
    return 0 if paused else max(0, read.people[who]["mentor_capacity"] - read.loads.get(who, 0))


def configuration_of(programme: Programme) -> Configuration:
    """What the programme decides; the engine's defaults for the rest: as many people as possible, then the best
    fit, and nobody within one reporting line.

    Raises ``InvalidConfiguration`` for what the contract does not let through.
    """
    decided = {name: value for name, value in programme.matching.items() if name != "at_once"}
    rules = {
        "minimum_level_gap": programme.minimum_level_gap,
        "same_department_allowed": programme.same_department_allowed,
        **decided.get("rules", {}),
    }
    identity = {"version": str(programme.configuration_version), "seed": programme.programme_id}
    return Configuration.read({**decided, **identity, "rules": rules})


def _participant(
    person: Any,
    skills: str,
    wishes: Any,
    avoid: Mapping[str, frozenset[str]],
    *,
    priority: int = 0,
    free: int = 0,
    completed: int = 0,
) -> Participant:
    return Participant(
        person_id=person["person_id"],
        department=person["department"],
        team=person["team"] or "",
        office=person["office"] or "",
        level=person["job_level"],
        languages=tuple(_plain(person["languages"])),
        time_zone=person["time_zone"],
        interests=tuple(_plain(person["interests"])),
        working_style=person["working_style"],
        goals=person["goals"] or "",
        skills=_plain(person[skills]),
        choices=tuple(_plain(wishes["choices"])),
        preferences=tuple(_plain(wishes["preferences"])),
        avoid=avoid.get(person["person_id"], frozenset()),
        priority=max(0, min(HIGHEST_PRIORITY, priority)),
        free=free,
        completed=completed,
        group=person["department"],
    )


def _plain(value: Any) -> Any:
    """Plain SQL gives JSONB as text."""
    return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
