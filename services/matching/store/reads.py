"""Queries that only look. Nothing that is decided may rest on them alone: what they return is not locked."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from services.matching.domain.mentees import Mentee, Place, Standing
from services.matching.domain.pairs import Proposal, ProposalStatus, Relationship
from services.matching.store.tables import MENTEE, PROPOSAL, RELATIONSHIP, mentee, proposal, relationship
from shared.persistence.kinds import Kind
from shared.persistence.uow import Uow

R = TypeVar("R")

_OF_TENANT: Final = sa.bindparam("tenant", type_=sa.Text)


async def peek(uow: Uow, kind: Kind[R], *key: Any) -> R | None:
    """The committed row with this key, without a lock: for what never changes in it, and for showing."""
    rows = await uow.rows(kind.select_by_keys(lock=""), **kind.key_arrays([key]))
    return kind.read(rows)[0] if rows else None


async def keep_alive(uow: Uow) -> None:
    """Say something on the connection: the server ends transactions that are silent for too long."""
    await uow.rows(sa.text("SELECT 1"))


_PROGRAMMES_OF_MENTORS = sa.text(
    "SELECT DISTINCT person_id, programme_id FROM enrolment"
    " WHERE tenant = :tenant AND person_id = ANY(CAST(:people AS text[])) AND role = 'mentor' AND status = 'active'"
)


async def look_at_mentors(uow: Uow, mentors: Collection[str]) -> None:
    """Read for all of them what :func:`programmes_of_mentor` answers."""
    unknown = sorted(mentor for mentor in mentors if (_PROGRAMMES_OF_MENTORS, mentor) not in uow.notes)
    if unknown:
        found: dict[str, list[str]] = {mentor: [] for mentor in unknown}
        for row in await uow.rows(_PROGRAMMES_OF_MENTORS, people=unknown):
            found[row.person_id].append(row.programme_id)
        uow.notes |= {(_PROGRAMMES_OF_MENTORS, mentor): programmes for mentor, programmes in found.items()}


async def programmes_of_mentor(uow: Uow, person_id: str) -> list[str]:
    """Where a place that becomes free with this mentor could be used."""
    await look_at_mentors(uow, [person_id])
    found: list[str] = uow.notes[_PROGRAMMES_OF_MENTORS, person_id]
    return found


_LEADERS: Final = tuple(
    sa.text(
        f"SELECT DISTINCT mentor_id FROM {table} WHERE tenant = :tenant AND programme_id = :programme"  # noqa: S608
        f" AND status = '{status}' AND mentor_id = ANY(CAST(:mentors AS text[]))"
    )
    for table, status in (("proposal", "open"), ("relationship", "active"))
)


async def leaders(uow: Uow, programme_id: str, mentors: Sequence[str]) -> set[str]:
    """Of these mentors those with an open proposal or an active pair in the programme."""
    found: set[str] = set()
    for statement in _LEADERS:
        rows = await uow.rows(statement, programme=programme_id, mentors=list(mentors))
        found |= {row.mentor_id for row in rows}
    return found


async def proposals_of(
    uow: Uow, person_id: str, status: ProposalStatus | None, limit: int
) -> Sequence[Proposal]:
    """The person's proposals, on either side, the newest first."""
    table = proposal
    statement = sa.select(*PROPOSAL.columns).where(
        table.c.tenant == _OF_TENANT, sa.or_(table.c.mentor_id == person_id, table.c.mentee_id == person_id)
    )
    if status is not None:
        statement = statement.where(table.c.status == status.value)
    statement = statement.order_by(table.c.proposed_at.desc(), table.c.proposal_id).limit(limit)
    return [PROPOSAL.decode(row) for row in await uow.rows(statement)]


async def relationships_of(uow: Uow, person_id: str, limit: int) -> Sequence[Relationship]:
    """The person's relationships, on either side, the newest first."""
    table = relationship
    statement = (
        sa.select(*RELATIONSHIP.columns)
        .where(
            table.c.tenant == _OF_TENANT,
            sa.or_(table.c.mentor_id == person_id, table.c.mentee_id == person_id),
        )
        .order_by(table.c.started_at.desc(), table.c.relationship_id)
        .limit(limit)
    )
    return [RELATIONSHIP.decode(row) for row in await uow.rows(statement)]


async def waiting(
    uow: Uow, programme_id: str, after: tuple[date, str] | None, limit: int
) -> Sequence[Mentee]:
    """Who waits in a programme, the longest first, from behind *after* (since, person id)."""
    table = mentee
    statement = sa.select(*MENTEE.columns).where(
        table.c.tenant == _OF_TENANT,
        table.c.programme_id == programme_id,
        table.c.standing == Standing.ELIGIBLE.value,
        table.c.place == Place.FREE.value,
    )
    if after is not None:
        statement = statement.where(sa.tuple_(table.c.since, table.c.person_id) > sa.tuple_(*after))
    statement = statement.order_by(table.c.since, table.c.person_id).limit(limit)
    return [MENTEE.decode(row) for row in await uow.rows(statement)]


_SUMMARY: Final = sa.text("""
    SELECT p.*, m.*, o.*, r.*,
        (SELECT count(*) FROM heard_session WHERE tenant = :tenant) AS sessions_heard,
        p.people_unheard
            + (SELECT count(*) FROM programme WHERE tenant = :tenant AND version = 0) AS half_rows
    FROM (
        SELECT count(*) FILTER (WHERE status IN ('active', 'left')) AS people_known,
            count(*) FILTER (WHERE version = 0) AS people_unheard
        FROM person WHERE tenant = :tenant
    ) AS p, (
        SELECT count(*) FILTER (WHERE waits) AS mentees_waiting,
            count(*) FILTER (WHERE waits AND found = 'not-tried-yet') AS mentees_waiting_not_tried,
            count(*) FILTER (WHERE waits AND found = 'no-candidate') AS mentees_waiting_no_candidate,
            count(*) FILTER (WHERE waits AND found = 'all-full') AS mentees_waiting_all_full,
            count(*) FILTER (WHERE place = 'proposed') AS mentees_proposed
        FROM (
            SELECT *, standing = 'eligible' AND place = 'free' AS waits FROM mentee WHERE tenant = :tenant
        ) AS mentees
    ) AS m, (
        SELECT count(*) FILTER (WHERE status = 'open') AS proposals_open,
            count(*) FILTER (WHERE status = 'accepted') AS proposals_accepted,
            count(*) FILTER (WHERE status = 'declined') AS proposals_declined,
            count(*) FILTER (WHERE status = 'expired') AS proposals_expired,
            count(*) FILTER (WHERE status = 'withdrawn') AS proposals_withdrawn
        FROM proposal WHERE tenant = :tenant
    ) AS o, (
        SELECT count(*) FILTER (WHERE status = 'active') AS relationships_active,
            count(*) FILTER (WHERE status = 'ended') AS relationships_ended,
            count(*) FILTER (WHERE reason = 'left') AS ended_left,
            count(*) FILTER (WHERE reason = 'no-fault') AS ended_no_fault,
            count(*) FILTER (WHERE reason = 'completed') AS ended_completed,
            count(*) FILTER (WHERE reason = 'withdrawn') AS ended_withdrawn,
            count(*) FILTER (WHERE requeue = 'queued')
                + count(*) FILTER (WHERE peer_requeue = 'queued') AS requeue_queued,
            count(*) FILTER (WHERE requeue = 'mentee-left')
                + count(*) FILTER (WHERE peer_requeue = 'mentee-left') AS requeue_mentee_left,
            count(*) FILTER (WHERE requeue = 'mentee-not-enrolled')
                + count(*) FILTER (WHERE peer_requeue = 'mentee-not-enrolled') AS requeue_mentee_not_enrolled,
            count(*) FILTER (WHERE requeue = 'goal-reached')
                + count(*) FILTER (WHERE peer_requeue = 'goal-reached') AS requeue_goal_reached,
            coalesce(sum(2 - jsonb_array_length(leaver_ids)) FILTER (WHERE status = 'ended'), 0)::bigint
                AS partners_to_tell
        FROM relationship WHERE tenant = :tenant
    ) AS r""")


async def summary(uow: Uow) -> dict[str, int]:
    """Counts without content. ``partners_to_tell``: of all ended pairs, those who are not the leavers."""
    (row,) = await uow.rows(_SUMMARY)
    return {name: int(count) for name, count in row._mapping.items()}
