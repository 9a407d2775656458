"""Tables and every query of *feedback*.

The kinds' order is the order of locking: programme, relationship, session, request, answer, and the
sums last, because they are what most transactions share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.feedback.domain.analytics import ENDED, Contribution, Metric, MetricSum
from services.feedback.domain.feedback import (
    DIMENSIONS,
    MINIMUM_GROUP,
    Answer,
    Audience,
    FeedbackRequest,
    RequestStatus,
)
from services.feedback.domain.pairs import Programme, Relationship
from services.feedback.domain.sessions import Session, SessionStatus
from shared.persistence.kinds import Kind
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

R = TypeVar("R")

METADATA: Final = sa.MetaData()


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.BigInteger, nullable=False)


PROGRAMME = Kind(
    sa.Table(
        "programme", METADATA, _key("tenant"), _key("programme_id"),
        sa.Column("coordinator_ids", pg.JSONB, nullable=False), _version(),
    ),
    Programme, order=10,
)  # fmt: skip

RELATIONSHIP = Kind(
    sa.Table(
        "relationship", METADATA, _key("tenant"), _key("relationship_id"),
        _text("programme_id"), _text("mentor_id"), _text("mentee_id"), _text("status"),
        _time("started_at"), _time("ended_at", nullable=True), _text("end_reason", nullable=True), _version(),
        sa.Column("peers", sa.Boolean),
    ),
    Relationship, order=20,
)  # fmt: skip

SESSION = Kind(
    sa.Table(
        "session", METADATA, _key("tenant"), _key("session_id"),
        _text("relationship_id"), _text("programme_id"), _text("mentor_id"), _text("mentee_id"),
        _text("status"), _time("starts_at"), _number("minutes"), _time("completed_at", nullable=True),
        _version(),
    ),
    Session, order=30,
)  # fmt: skip

FEEDBACK_REQUEST = Kind(
    sa.Table(
        "feedback_request", METADATA, _key("tenant"), _key("feedback_request_id"),
        _text("session_id"), _text("relationship_id"), _text("programme_id"), _text("author_id"),
        _text("partner_id"), _text("status"), _time("requested_at"), _time("submitted_at", nullable=True),
        _version(),
    ),
    FeedbackRequest, order=40,
)  # fmt: skip

FEEDBACK_ANSWER = Kind(
    sa.Table(
        "feedback_answer", METADATA, _key("tenant"), _key("feedback_request_id"),
        *(_number(dimension, nullable=True) for dimension in DIMENSIONS),
        _text("behaviour"), _text("impact"), _text("suggestion"), _text("audience"),
        _text("relationship_id"), _text("programme_id"), _text("author_id"), _text("partner_id"),
        _time("submitted_at"), _time("changed_at"),
    ),
    Answer, order=50,
)  # fmt: skip

CONTRIBUTION = Kind(
    sa.Table(
        "contribution", METADATA, _key("tenant"), _key("subject"), _key("subject_id"),
        _text("programme_id"), _version(), sa.Column("counts", pg.JSONB, nullable=False),
    ),
    Contribution, order=60,
)  # fmt: skip

PROGRAMME_METRIC = Kind(
    sa.Table(
        "programme_metric", METADATA, _key("tenant"), _key("programme_id"), _key("metric"), _key("month"),
        sa.Column("value", sa.BigInteger, nullable=False),
    ),
    MetricSum, order=70,
)  # fmt: skip

KINDS: Final[tuple[Kind[Any], ...]] = (
    PROGRAMME, RELATIONSHIP, SESSION, FEEDBACK_REQUEST, FEEDBACK_ANSWER, CONTRIBUTION, PROGRAMME_METRIC,
    RECEIPT,
)  # fmt: skip


async def _page(
    uow: Uow, kind: Kind[R], latest_by: str, where: Mapping[str, object], *, after: str | None, limit: int
) -> list[R]:
    """Rows by time, the latest first, from behind the row *after* on; behind an unknown one there is none."""
    table, (identity,) = kind.table, kind.key_fields
    order = (table.c[latest_by], table.c[identity])
    statement = sa.select(*kind.columns).where(table.c.tenant == sa.bindparam("tenant"))
    for name, value in where.items():
        statement = statement.where(table.c[name] == value)
    if after is not None:
        last = await uow.get(kind, after)
        if last is None:
            return []
        statement = statement.where(
            sa.tuple_(*order) < sa.tuple_(getattr(last, latest_by), getattr(last, identity))
        )
    statement = statement.order_by(*(column.desc() for column in order)).limit(limit)
    return [kind.decode(row) for row in await uow.rows(statement)]


async def forgotten(uow: Uow, relationship_id: str, *person_ids: str) -> bool:
    """Whether one of these two of a pair was erased since it began: no words about it are taken any more.

    Who was hired again afterwards may be in a new pair, which is like any other.
    """
    receipts = [receipt for each in person_ids if (receipt := await uow.get(RECEIPT, each)) is not None]
    if not receipts:
        return False
    pair = await uow.get(RELATIONSHIP, relationship_id)
    return pair is None or any(pair.started_at <= receipt.erased_at for receipt in receipts)


async def sessions_of(
    uow: Uow, relationship_id: str, status: SessionStatus | None, *, after: str | None, limit: int
) -> list[Session]:
    """Sessions of a pair, the latest start first."""
    where: dict[str, object] = {"relationship_id": relationship_id}
    if status is not None:
        where["status"] = status
    return await _page(uow, SESSION, "starts_at", where, after=after, limit=limit)


async def requests_to(
    uow: Uow, author_id: str, status: RequestStatus | None, *, after: str | None, limit: int
) -> list[FeedbackRequest]:
    """Requests that one person is asked to answer, the latest first."""
    where: dict[str, object] = {"author_id": author_id}
    if status is not None:
        where["status"] = status
    return await _page(uow, FEEDBACK_REQUEST, "requested_at", where, after=after, limit=limit)


async def answers_for_partner(
    uow: Uow, relationship_id: str, reader_id: str, *, after: str | None, limit: int
) -> list[Answer]:
    """What the other one of a pair wrote for *reader_id* to read."""
    where = {"relationship_id": relationship_id, "partner_id": reader_id, "audience": Audience.PARTNER}
    return await _page(uow, FEEDBACK_ANSWER, "submitted_at", where, after=after, limit=limit)


async def answers_for_coordinator(
    uow: Uow, programme_id: str, *, after: str | None, limit: int
) -> list[Answer]:
    """What the people of a programme wrote for its coordinators to read."""
    where = {"programme_id": programme_id, "audience": Audience.COORDINATOR}
    return await _page(uow, FEEDBACK_ANSWER, "submitted_at", where, after=after, limit=limit)


@dataclass(frozen=True, slots=True)
class ProgrammeNumbers:
    """Everything that a programme's analytics are made of."""

    sums: list[MetricSum]
    active_mentors: int
    active_mentees: int
    active_peers: int
    ratings: dict[str, float]
    """Average by dimension, rounded to one decimal; only those of a group that is large enough."""


_ACTIVE = sa.text(
    "SELECT count(DISTINCT mentor_id) FILTER (WHERE NOT peers) AS mentors,"
    " count(DISTINCT mentee_id) FILTER (WHERE NOT peers) AS mentees,"
    " 2 * count(*) FILTER (WHERE peers) AS peers FROM relationship"
    " WHERE tenant = :tenant AND programme_id = :programme_id AND status = 'active'"
)
_RATINGS = sa.text(
    "SELECT r.dimension, round(avg(r.rating), 1)::float8 AS average FROM feedback_answer a"
    " CROSS JOIN LATERAL (VALUES ('communication', a.communication), ('empathy', a.empathy),"
    " ('leadership', a.leadership), ('adaptability', a.adaptability), ('boundaries', a.boundaries))"
    " AS r(dimension, rating)"
    " WHERE a.tenant = :tenant AND a.programme_id = :programme_id AND r.rating IS NOT NULL"
    " GROUP BY r.dimension HAVING count(DISTINCT a.author_id) >= :minimum"
)


async def programme_numbers(uow: Uow, programme_id: str) -> ProgrammeNumbers:
    """The sums, who is active, and averages of ratings as far as they may be shown."""
    sums = await uow.find(PROGRAMME_METRIC, programme_id=programme_id)
    (active,) = await uow.rows(_ACTIVE, programme_id=programme_id)
    ratings = await uow.rows(_RATINGS, programme_id=programme_id, minimum=MINIMUM_GROUP)
    averages = {row.dimension: row.average for row in ratings}
    return ProgrammeNumbers(sums, active.mentors, active.mentees, active.peers, averages)


_SUMMARY = sa.text(
    "SELECT 'relationship' AS what, status AS name, count(*) AS number FROM relationship"
    " WHERE tenant = :tenant GROUP BY status"
    " UNION ALL SELECT 'session', status, count(*) FROM session WHERE tenant = :tenant GROUP BY status"
    " UNION ALL SELECT 'feedback_request', status, count(*) FROM feedback_request"
    " WHERE tenant = :tenant GROUP BY status"
    " UNION ALL SELECT 'metric', metric, sum(value)::bigint FROM programme_metric"
    " WHERE tenant = :tenant GROUP BY metric"
)


async def summary(uow: Uow) -> dict[str, int]:
    """Counts for balancing: the rows as they are, beside the sums that events have made."""
    numbers: dict[str, dict[str, int]] = {}
    for row in await uow.rows(_SUMMARY):
        numbers.setdefault(row.what, {})[row.name] = row.number

    def total(what: str, *names: str) -> int:
        counted = numbers.get(what, {})
        return sum(counted.get(name, 0) for name in names) if names else sum(counted.values())

    return {
        "relationships_known": total("relationship"),
        "relationships_ended": total("relationship", "ended"),
        "sessions_booked": total("session", "booked"),
        "sessions_completed": total("session", "completed"),
        "sessions_cancelled": total("session", "cancelled"),
        "feedback_requested": total("feedback_request"),
        "feedback_submitted": total("feedback_request", "submitted"),
        "feedback_closed": total("feedback_request", "closed"),
        "feedback_open": total("feedback_request", "requested"),
        "analytics_relationships_started": total("metric", Metric.RELATIONSHIPS_STARTED),
        "analytics_relationships_ended": total("metric", *ENDED),
        "analytics_sessions_completed": total("metric", Metric.SESSIONS_COMPLETED),
        "analytics_feedback_requested": total("metric", Metric.FEEDBACK_REQUESTED),
        "analytics_feedback_submitted": total("metric", Metric.FEEDBACK_SUBMITTED),
    }
