"""Rows of runs that are too many for the unit of work: inputs, pairs, prices; and queries over them."""

# ruff: noqa: S608 - queries are put together from constants of this module

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from services.matching.domain.runs import Run
from services.matching.store.tables import RUN, matching_run
from shared.persistence.database import Database
from shared.persistence.driver import Statement
from shared.persistence.uow import Uow

Row = Mapping[str, Any]

RESULT_TABLES: Final = ("matching_run_pair", "matching_run_unmatched", "matching_run_price")
TABLES: Final = ("matching_run_people", *RESULT_TABLES)

# work

_TENANTS: Final = Statement(
    "SELECT DISTINCT tenant, state = 'publishing' AS publish FROM matching_run"
    " WHERE state IN ('requested', 'running', 'publishing')"
    " AND (leased_until IS NULL OR leased_until < clock_timestamp())"
)
_NEXT: Final = sa.text(
    "SELECT run_id, clock_timestamp() + :lease AS until FROM matching_run"
    " WHERE tenant = :tenant AND state IN ('requested', 'running', 'publishing')"
    " AND (state = 'publishing') = :publish AND (leased_until IS NULL OR leased_until < clock_timestamp())"
    " ORDER BY requested_at, run_id LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_EXTEND: Final = sa.text(
    "UPDATE matching_run SET leased_until = clock_timestamp() + :lease"
    " WHERE tenant = :tenant AND run_id = :run AND leases = :token AND leased_until IS NOT NULL"
)


async def tenants_with_runs(database: Database) -> list[tuple[str, bool]]:
    """Tenants with something to compute (False) or to publish (True) that is in nobody's hands."""
    return [(row["tenant"], row["publish"]) for row in await database.glance(_TENANTS)]


async def lease_next(uow: Uow, lease: timedelta, *, publish: bool) -> Run | None:
    """The run that has waited longest, locked and leased; None when another replica was faster."""
    rows = await uow.rows(_NEXT, lease=lease, publish=publish)
    if not rows:
        return None
    run = await uow.get(RUN, rows[0].run_id)
    assert run is not None
    leased = run.leased(rows[0].until)
    uow.put(leased)
    return leased


async def extend_lease(uow: Uow, run: Run, lease: timedelta) -> bool:
    """Keep what is in hand; False when it is no longer."""
    done = await uow.connection.execute(
        _EXTEND, {"tenant": uow.tenant, "run": run.run_id, "token": run.leases, "lease": lease}
    )
    return done.rowcount == 1


# inputs

_SAVE_PEOPLE: Final = sa.text(
    "INSERT INTO matching_run_people (tenant, run_id, side, part, content)"
    " SELECT :tenant, :run, u.* FROM unnest(CAST(:side AS text[]), CAST(:part AS int[]), CAST(:content AS bytea[]))"
    " AS u(side, part, content)"
)
_PARTS: Final = "SELECT side, part, content FROM matching_run_people WHERE tenant = :tenant AND run_id = :run"
_ALL_PARTS: Final = sa.text(_PARTS)
_PARTS_FOR_ONE: Final = sa.text(_PARTS + " AND (side <> 'mentee' OR part = :part)")
_PARTS_OF_ONE: Final = sa.text(_PARTS + " AND part = :part")
_PARTS_AT_A_TIME: Final = 20


async def save_people(uow: Uow, run_id: str, parts: Mapping[tuple[str, int], bytes]) -> None:
    """Store a run's people, by side and number of the part."""
    places = sorted(parts)
    for begin in range(0, len(places), _PARTS_AT_A_TIME):
        some = places[begin : begin + _PARTS_AT_A_TIME]
        await uow.connection.execute(
            _SAVE_PEOPLE,
            {
                "tenant": uow.tenant,
                "run": run_id,
                "side": [side for side, _ in some],
                "part": [part for _, part in some],
                "content": [parts[place] for place in some],
            },
        )


async def read_people(
    uow: Uow, run_id: str, *, mentee_part: int | None = None
) -> dict[tuple[str, int], bytes]:
    """The inputs of a run: all of them, or those needed for one mentee, who is in that part."""
    if mentee_part is None:
        rows = await uow.rows(_ALL_PARTS, run=run_id)
    else:
        rows = await uow.rows(_PARTS_FOR_ONE, run=run_id, part=mentee_part)
    return {(row.side, row.part): row.content for row in rows}


async def parts_of_one(uow: Uow, run_id: str, part: int) -> dict[str, bytes]:
    """By side, the parts of this number. They change under the lock of their run."""
    return {row.side: row.content for row in await uow.rows(_PARTS_OF_ONE, run=run_id, part=part)}


_REPLACE_PART: Final = sa.text(
    "UPDATE matching_run_people SET content = :content"
    " WHERE tenant = :tenant AND run_id = :run AND side = :side AND part = :part"
)


async def replace_part(uow: Uow, run_id: str, side: str, part: int, content: bytes) -> None:
    """Write one part anew, for instance without somebody."""
    values = {"tenant": uow.tenant, "run": run_id, "side": side, "part": part, "content": content}
    await uow.connection.execute(_REPLACE_PART, values)


# results

_SAVE_PAIRS: Final = sa.text(
    "INSERT INTO matching_run_pair (tenant, run_id, mentee_id, mentor_id, score, factors, reasons)"
    " SELECT :tenant, :run, u.mentee, u.mentor, u.score, u.factors::jsonb, u.reasons::jsonb FROM unnest("
    "CAST(:mentee AS text[]), CAST(:mentor AS text[]), CAST(:score AS bigint[]), CAST(:factors AS text[]),"
    " CAST(:reasons AS text[])) AS u(mentee, mentor, score, factors, reasons)"
)
_SAVE_UNMATCHED: Final = sa.text(
    "INSERT INTO matching_run_unmatched (tenant, run_id, mentee_id, why, forbidden)"
    " SELECT :tenant, :run, u.mentee, u.why, u.forbidden::jsonb FROM unnest("
    "CAST(:mentee AS text[]), CAST(:why AS text[]), CAST(:forbidden AS text[])) AS u(mentee, why, forbidden)"
)
_SAVE_PRICES: Final = sa.text(
    "INSERT INTO matching_run_price (tenant, run_id, mentor_id, price)"
    " SELECT :tenant, :run, u.mentor, u.price FROM unnest(CAST(:mentor AS text[]), CAST(:price AS bigint[]))"
    " AS u(mentor, price)"
)
_SAVE: Final = {"pairs": _SAVE_PAIRS, "unmatched": _SAVE_UNMATCHED, "prices": _SAVE_PRICES}
_SAVE_OUTCOMES: Final = sa.text(
    "UPDATE matching_run_pair p SET proposal_id = u.proposal, dropped = u.dropped, rule = u.rule FROM unnest("
    "CAST(:mentee AS text[]), CAST(:mentor AS text[]), CAST(:proposal AS text[]), CAST(:dropped AS text[]),"
    " CAST(:rule AS text[])) AS u(mentee, mentor, proposal, dropped, rule)"
    " WHERE p.tenant = :tenant AND p.run_id = :run AND p.mentee_id = u.mentee AND p.mentor_id = u.mentor"
)


async def save_result(uow: Uow, run_id: str, what: str, columns: Mapping[str, list[Any]]) -> None:
    """Some rows of a result, as columns; *what* is pairs, unmatched or prices."""
    await uow.connection.execute(_SAVE[what], {"tenant": uow.tenant, "run": run_id, **columns})


async def save_outcomes(
    uow: Uow, run_id: str, outcomes: Sequence[tuple[str, str, str | None, str | None, str | None]]
) -> None:
    """What became of pairs when their run was published: mentee, mentor, proposal, why dropped, rule."""
    names = ("mentee", "mentor", "proposal", "dropped", "rule")
    columns = {name: [row[n] for row in outcomes] for n, name in enumerate(names)}
    await uow.connection.execute(_SAVE_OUTCOMES, {"tenant": uow.tenant, "run": run_id, **columns})


async def delete_rows(uow: Uow, run_id: str, tables: Iterable[str]) -> None:
    """Everything of a run in these tables."""
    for table in tables:
        await uow.connection.execute(
            sa.text(f"DELETE FROM {table} WHERE tenant = :tenant AND run_id = :run"),
            {"tenant": uow.tenant, "run": run_id},
        )


_PAIRS: Final = sa.text(
    "SELECT mentee_id, mentor_id, score, factors, reasons, proposal_id, dropped, rule FROM matching_run_pair"
    " WHERE tenant = :tenant AND run_id = :run AND (mentee_id, mentor_id) > (:mentee, :mentor)"
    " ORDER BY mentee_id, mentor_id LIMIT :limit"
)
_UNMATCHED: Final = sa.text(
    "SELECT mentee_id, why, forbidden FROM matching_run_unmatched"
    " WHERE tenant = :tenant AND run_id = :run AND mentee_id > :mentee ORDER BY mentee_id LIMIT :limit"
)


async def run_pairs(uow: Uow, run_id: str, after: tuple[str, str], limit: int) -> list[Row]:
    """Pairs of a run by mentee, from behind *after* (mentee, mentor)."""
    rows = await uow.rows(_PAIRS, run=run_id, mentee=after[0], mentor=after[1], limit=limit)
    return [_plain(row) for row in rows]


async def run_unmatched(uow: Uow, run_id: str, after: str, limit: int) -> list[Row]:
    """Mentees without a mentor, from behind *after*."""
    return [_plain(row) for row in await uow.rows(_UNMATCHED, run=run_id, mentee=after, limit=limit)]


_CHOICE: Final = sa.text(
    "SELECT mentor_id, coalesce((factors ->> 'coherence')::bigint, 0) AS coherence FROM matching_run_pair"
    " WHERE tenant = :tenant AND run_id = :run AND mentee_id = :mentee"
    " ORDER BY score DESC, mentor_id LIMIT 1"
)
_TWO_PRICES: Final = sa.text(
    "SELECT mentor_id, price FROM matching_run_price WHERE tenant = :tenant AND run_id = :run"
    " AND mentor_id = ANY(CAST(:mentors AS text[]))"
)


async def choice_and_prices(
    uow: Uow, run_id: str, mentee_id: str, mentor_id: str
) -> tuple[str | None, int, dict[str, int]]:
    """Whom the mentee got, what their group gives them, and what places with that mentor and with *mentor_id* cost."""
    chosen = await uow.rows(_CHOICE, run=run_id, mentee=mentee_id)
    own, coherence = (chosen[0].mentor_id, chosen[0].coherence) if chosen else (None, 0)
    mentors = [mentor_id] if own is None else [mentor_id, own]
    rows = await uow.rows(_TWO_PRICES, run=run_id, mentors=mentors)
    return own, coherence, {row.mentor_id: row.price for row in rows}


_PEER: Final = sa.text(
    "SELECT mentee_id, mentor_id FROM matching_run_pair"
    " WHERE tenant = :tenant AND run_id = :run AND (mentee_id = :person OR mentor_id = :person)"
)


async def peer_in_run(uow: Uow, run_id: str, person_id: str) -> str | None:
    """Whom somebody has in a run of peers."""
    rows = await uow.rows(_PEER, run=run_id, person=person_id)
    return next((one for row in rows for one in (row.mentee_id, row.mentor_id) if one != person_id), None)


# runs


async def runs_of(uow: Uow, programme_id: str, before: Run | None, limit: int) -> Sequence[Run]:
    """Runs of a programme, the newest first, from behind *before*."""
    table = matching_run
    statement = sa.select(*RUN.columns).where(
        table.c.tenant == sa.bindparam("tenant", type_=sa.Text), table.c.programme_id == programme_id
    )
    if before is not None:
        statement = statement.where(
            sa.or_(
                table.c.requested_at < before.requested_at,
                sa.and_(table.c.requested_at == before.requested_at, table.c.run_id > before.run_id),
            )
        )
    statement = statement.order_by(table.c.requested_at.desc(), table.c.run_id).limit(limit)
    return [RUN.decode(row) for row in await uow.rows(statement)]


_CHOSEN: Final = (
    "(SELECT mentee_id, mentor_id, score FROM matching_run_pair WHERE tenant = :tenant AND run_id = {run}"
    " UNION ALL SELECT mentor_id, mentee_id, score FROM matching_run_pair JOIN matching_run USING (tenant, run_id)"
    " WHERE tenant = :tenant AND run_id = {run} AND form = 'peer')"
)
"""Whom everybody has in a run; peers have each other."""
_BOTH: Final = f"{_CHOSEN.format(run=':run')} a FULL JOIN {_CHOSEN.format(run=':other')} b USING (mentee_id)"
_COUNTED: Final = sa.text(
    "SELECT count(*) FILTER (WHERE a.mentor_id = b.mentor_id) AS kept,"
    " count(*) FILTER (WHERE a.mentor_id <> b.mentor_id) AS changed,"
    " count(*) FILTER (WHERE a.mentor_id IS NULL) AS added,"
    f" count(*) FILTER (WHERE b.mentor_id IS NULL) AS removed FROM {_BOTH}"
)
_CHANGES: Final = sa.text(
    "SELECT mentee_id, a.mentor_id, b.mentor_id AS other_mentor_id, a.score, b.score AS other_score"
    f" FROM {_BOTH} WHERE a.mentor_id IS DISTINCT FROM b.mentor_id AND mentee_id > :after"
    " ORDER BY mentee_id LIMIT :limit"
)


async def compare_counts(uow: Uow, run_id: str, other_id: str) -> dict[str, int]:
    """How many mentees have the same mentor in both runs (kept), another one, or one in one run only."""
    (row,) = await uow.rows(_COUNTED, run=run_id, other=other_id)
    return dict(row._mapping)


async def compare_changes(uow: Uow, run_id: str, other_id: str, after: str, limit: int) -> list[Row]:
    """Mentees whose mentor is not the same, from behind *after*."""
    rows = await uow.rows(_CHANGES, run=run_id, other=other_id, after=after, limit=limit)
    return [dict(row._mapping) for row in rows]


# people

_WITHOUT_MENTOR: Final = sa.text(
    "INSERT INTO matching_run_unmatched (tenant, run_id, mentee_id, why, forbidden)"
    " SELECT tenant, run_id, mentee_id, CASE form WHEN 'peer' THEN 'peer-erased' ELSE 'mentor-erased' END, '{}'"
    " FROM matching_run_pair JOIN matching_run USING (tenant, run_id)"
    " WHERE tenant = :tenant AND mentor_id = :person ON CONFLICT DO NOTHING"
)
_WITHOUT_PEER: Final = sa.text(
    "INSERT INTO matching_run_unmatched (tenant, run_id, mentee_id, why, forbidden)"
    " SELECT tenant, run_id, mentor_id, 'peer-erased', '{}' FROM matching_run_pair"
    " JOIN matching_run USING (tenant, run_id)"
    " WHERE tenant = :tenant AND mentee_id = :person AND form = 'peer' ON CONFLICT DO NOTHING"
)
_FORGET: Final = tuple(
    sa.text(f"DELETE FROM {table} WHERE tenant = :tenant AND ({condition})")
    for table, condition in (
        ("matching_run_pair", "mentee_id = :person OR mentor_id = :person"),
        ("matching_run_unmatched", "mentee_id = :person"),
        ("matching_run_price", "mentor_id = :person"),
    )
)


async def forget_results(uow: Uow, person_id: str) -> int:
    """Take somebody out of the results of all runs; returns how many rows went."""
    values = {"tenant": uow.tenant, "person": person_id}
    await uow.connection.execute(_WITHOUT_MENTOR, values)
    await uow.connection.execute(_WITHOUT_PEER, values)
    return sum([(await uow.connection.execute(statement, values)).rowcount for statement in _FORGET])


_SHOWN: Final = sa.text(
    "SELECT p.run_id, p.mentee_id, p.mentor_id, p.reasons, p.proposal_id, p.dropped"
    " FROM matching_run_pair p JOIN matching_run r USING (tenant, run_id)"
    " WHERE p.tenant = :tenant AND (p.mentee_id = :person OR p.mentor_id = :person) AND r.state = 'published'"
    " ORDER BY p.run_id, p.mentee_id, p.mentor_id"
)


async def published_pairs_of(uow: Uow, person_id: str) -> list[Row]:
    """Somebody's pairs in runs that were published, for themselves to read: without score, factors and
    rules, of which some are what the other one told in confidence."""
    return [_plain(row) for row in await uow.rows(_SHOWN, person=person_id)]


def _plain(row: Any) -> Row:
    """Plain SQL gives JSONB as text."""
    return {
        name: msgspec.json.decode(value)
        if name in ("factors", "reasons", "forbidden") and isinstance(value, str | bytes)
        else value
        for name, value in row._mapping.items()
    }
