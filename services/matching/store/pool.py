"""Reading the pool of a programme for a round: a look, not a lock. What is decided is checked again later."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

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
    """Mentor to the enrolment that was seen to be active."""
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(mentee, mentor) to how often they were proposed before in this programme."""


_ATTRIBUTES: Final = (
    "p.person_id, p.version, p.department, p.team, p.job_level, p.languages, p.time_zone, p.interests,"
    " p.working_style, p.goals, p.office, e.choices, e.preferences"
)
_WAITING: Final = (
    "m.tenant = :tenant AND m.programme_id = :programme AND m.standing = 'eligible' AND m.place = 'free'"
)

_MENTEES = Statement(f"""
    SELECT {_ATTRIBUTES}, p.skills_wanted, m.priority
    FROM mentee m JOIN person p ON p.tenant = m.tenant AND p.person_id = m.person_id
        JOIN enrolment e ON e.tenant = m.tenant AND e.enrolment_id = m.enrolment_id
    WHERE {_WAITING}""")  # noqa: S608 - constants of this module only

_MENTORS = Statement(f"""
    SELECT DISTINCT ON (p.person_id) {_ATTRIBUTES}, p.skills_offered,
        CASE WHEN e.paused THEN 0 ELSE greatest(0, p.mentor_capacity - coalesce(l.active + l.reserved, 0)) END,
        e.enrolment_id,
        (SELECT count(*) FROM relationship r
            WHERE r.tenant = e.tenant AND r.mentor_id = p.person_id AND r.reason = 'completed')
    FROM enrolment e
    JOIN person p ON p.tenant = e.tenant AND p.person_id = e.person_id
    LEFT JOIN mentor_load l ON l.tenant = e.tenant AND l.person_id = e.person_id
    WHERE e.tenant = :tenant AND e.programme_id = :programme AND e.role = 'mentor' AND e.status = 'active'
        AND p.status = 'active' AND p.matching_consent
    ORDER BY p.person_id, e.enrolment_id""")  # noqa: S608 - constants of this module only

# UNION removes what it has seen, so that a line that bites its own tail ends.
_LINES = Statement("""
    WITH RECURSIVE line (person_id, manager_id) AS (
        SELECT p.person_id, p.manager_id FROM person p
        WHERE p.tenant = :tenant AND p.person_id = ANY(CAST(:people AS text[]))
        UNION
        SELECT above.person_id, above.manager_id
        FROM line JOIN person above ON above.tenant = :tenant AND above.person_id = line.manager_id
    )
    SELECT person_id, manager_id FROM line WHERE manager_id IS NOT NULL""")

# A pair that was declined, left to expire, or that has ended (whoever waits has no mentor here) has failed.
# It has failed for every programme; attempts are counted in this one.
_EARLIER = Statement(f"""
    SELECT r.mentee_id, r.mentor_id, count(*) FILTER (WHERE r.programme_id = :programme),
        bool_or(r.status IN ('declined', 'expired', 'accepted'))
    FROM mentee m JOIN proposal r ON r.tenant = m.tenant AND r.mentee_id = m.person_id
    WHERE {_WAITING}
    GROUP BY r.mentee_id, r.mentor_id""")  # noqa: S608 - constants of this module only


# Whom somebody avoids is avoided in every programme and role.
_AVOIDED = Statement("""
    SELECT person_id, avoid FROM enrolment
    WHERE tenant = :tenant AND status = 'active' AND avoid <> '[]'""")


async def read_pool(uow: Uow, programme_id: str, *, also_empty: bool = False) -> SeenPool | None:
    """Who waits and who could take them; None when the programme is not active, or nobody waits and an empty pool
    is not wanted."""
    programme = await peek(uow, PROGRAMME, programme_id)
    if programme is None or not programme.active:
        return None
    mentees = await uow.rows(_MENTEES, programme=programme_id)
    if not mentees and not also_empty:
        return None
    mentors = await uow.rows(_MENTORS, programme=programme_id)
    people = sorted({row[0] for row in mentees} | {row[0] for row in mentors})
    lines = await uow.rows(_LINES, people=people)
    earlier = await uow.rows(_EARLIER, programme=programme_id)
    avoided = await uow.rows(_AVOIDED)
    return await asyncio.to_thread(
        _seen, programme, uow.now.date(), mentees, mentors, lines, earlier, avoided
    )


def _seen(
    programme: Programme,
    as_of: date,
    mentees: Rows,
    mentors: Rows,
    lines: Rows,
    earlier: Rows,
    avoided: Rows,
) -> SeenPool:
    """Rows made into a pool; in a thread, because for tens of thousands of people it takes a while."""
    avoid: dict[str, frozenset[str]] = {}
    for person_id, names in avoided:
        avoid[person_id] = avoid.get(person_id, frozenset()) | frozenset(_plain(names))
    pool = Pool(
        as_of=as_of,
        mentees=tuple(_participant(row, avoid, priority=row[14]) for row in mentees),
        mentors=tuple(_participant(row, avoid, free=row[14], completed=row[16]) for row in mentors),
        managers={row[0]: row[1] for row in lines},
        failed=frozenset((row[0], row[1]) for row in earlier if row[3]),
    )
    return SeenPool(
        programme=programme,
        pool=pool,
        configuration=configuration_of(programme),
        versions={row[0]: row[1] for rows in (mentees, mentors) for row in rows},
        enrolments={row[0]: row[15] for row in mentors},
        attempts={(row[0], row[1]): row[2] for row in earlier},
    )


def configuration_of(programme: Programme) -> Configuration:
    """What the programme decides; the engine's defaults for the rest: as many people as possible, then the best
    fit, and nobody within one reporting line.

    Raises ``InvalidConfiguration`` for what the contract does not let through.
    """
    decided = programme.matching
    rules = {
        "minimum_level_gap": programme.minimum_level_gap,
        "same_department_allowed": programme.same_department_allowed,
        **decided.get("rules", {}),
    }
    identity = {"version": str(programme.configuration_version), "seed": programme.programme_id}
    return Configuration.read({**decided, **identity, "rules": rules})


def _participant(
    row: Sequence[Any],
    avoid: Mapping[str, frozenset[str]],
    *,
    priority: int = 0,
    free: int = 0,
    completed: int = 0,
) -> Participant:
    return Participant(
        person_id=row[0],
        department=row[2],
        team=row[3] or "",
        office=row[10] or "",
        level=row[4],
        languages=tuple(_plain(row[5])),
        time_zone=row[6],
        interests=tuple(_plain(row[7])),
        working_style=row[8],
        goals=row[9] or "",
        skills=_plain(row[13]),
        choices=tuple(_plain(row[11])),
        preferences=tuple(_plain(row[12])),
        avoid=avoid.get(row[0], frozenset()),
        priority=max(0, min(HIGHEST_PRIORITY, priority)),
        free=free,
        completed=completed,
    )


def _plain(value: Any) -> Any:
    """Plain SQL gives JSONB as text."""
    return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
