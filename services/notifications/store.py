"""Tables of *notifications* and every query on them.

The order of kinds is the order of locks: what many share comes first, and a person's contact before the
messages to the person, because both the occasion and the person's arrival decide about those.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.notifications.domain.messages import Notification, Reason, State, Template
from services.notifications.domain.people import Contact, Preference
from services.notifications.domain.reminders import OpenRequest, Programme, SessionPlan, SessionStatus
from shared.persistence.database import Database
from shared.persistence.driver import Statement
from shared.persistence.kinds import Kind
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

METADATA = sa.MetaData()


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", sa.Text, primary_key=True)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True))


programme = sa.Table(
    "programme",
    METADATA,
    _tenant(),
    _key("programme_id"),
    sa.Column("version", sa.BigInteger),
    sa.Column("name", sa.Text),
    sa.Column("session_reminder_hours", sa.Integer),
    sa.Column("feedback_reminder_days", sa.Integer),
    sa.Column("of_peers", sa.Boolean),
)

session_plan = sa.Table(
    "session_plan",
    METADATA,
    _tenant(),
    _key("session_id"),
    sa.Column("version", sa.BigInteger),
    sa.Column("programme_id", sa.Text),
    sa.Column("mentor_id", sa.Text),
    sa.Column("mentee_id", sa.Text),
    sa.Column("status", sa.Text),
    _moment("starts_at"),
    sa.Column("minutes", sa.Integer),
    _moment("timed_at"),
    _moment("reminder_at"),
    sa.Column("reminded", sa.Boolean),
)

open_request = sa.Table(
    "open_request",
    METADATA,
    _tenant(),
    _key("feedback_request_id"),
    sa.Column("version", sa.BigInteger),
    sa.Column("programme_id", sa.Text),
    sa.Column("author_id", sa.Text),
    sa.Column("session_id", sa.Text),
    _moment("requested_at"),
    sa.Column("open", sa.Boolean),
    _moment("reminder_at"),
    sa.Column("reminded", sa.Boolean),
)

contact = sa.Table(
    "contact",
    METADATA,
    _tenant(),
    _key("person_id"),
    sa.Column("version", sa.BigInteger),
    sa.Column("state", sa.Text),
    sa.Column("given_name", sa.Text),
    sa.Column("family_name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("time_zone", sa.Text),
    sa.Column("language", sa.Text),
)

preference = sa.Table(
    "preference",
    METADATA,
    _tenant(),
    _key("person_id"),
    sa.Column("email_enabled", sa.Boolean),
    sa.Column("session_reminders", sa.Boolean),
    sa.Column("feedback_reminders", sa.Boolean),
)

notification = sa.Table(
    "notification",
    METADATA,
    _tenant(),
    _key("id"),
    sa.Column("recipient_id", sa.Text),
    sa.Column("template", sa.Text),
    sa.Column("about_id", sa.Text),
    sa.Column("programme_id", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("partner_id", sa.Text),
    sa.Column("facts", pg.JSONB),
    sa.Column("state", sa.Text),
    sa.Column("version", sa.BigInteger),
    sa.Column("reason", sa.Text),
    _moment("created_at"),
    _moment("queued_at"),
    _moment("settled_at"),
    sa.Column("attempts", sa.Integer),
    sa.Column("leases", sa.Integer),
    _moment("hold_until"),
    sa.Column("correlation_id", sa.Text),
    sa.Column("causation_id", sa.Text),
    sa.Column("traceparent", sa.Text),
)

PROGRAMME: Final = Kind(programme, Programme, order=10)
SESSION_PLAN: Final = Kind(session_plan, SessionPlan, order=20)
OPEN_REQUEST: Final = Kind(open_request, OpenRequest, order=30)
CONTACT: Final = Kind(contact, Contact, order=40)
PREFERENCE: Final = Kind(preference, Preference, order=50)
NOTIFICATION: Final = Kind(notification, Notification, order=60)

KINDS: Final[tuple[Kind[Any], ...]] = (
    PROGRAMME,
    SESSION_PLAN,
    OPEN_REQUEST,
    CONTACT,
    PREFERENCE,
    NOTIFICATION,
    RECEIPT,
)


# What a handler needs beyond single rows.


async def booked_sessions(uow: Uow, programme_id: str) -> list[SessionPlan]:
    return await uow.find(SESSION_PLAN, programme_id=programme_id, status=SessionStatus.BOOKED)


async def open_requests(uow: Uow, programme_id: str) -> list[OpenRequest]:
    return await uow.find(OPEN_REQUEST, programme_id=programme_id, open=True)


async def messages_to(uow: Uow, person_id: str, state: State) -> list[Notification]:
    return await uow.find(NOTIFICATION, recipient_id=person_id, state=state)


# What the sender needs. The conditions repeat the predicate of the index ``notification_due``.

_DUE = "n.state IN ('queued', 'sending') AND (n.hold_until IS NULL OR n.hold_until <= clock_timestamp())"

# One index probe per tenant that has anything under way, however long its queue is.
_TENANTS = Statement(f"""
    WITH RECURSIVE t AS (
        (SELECT n.tenant FROM notification n WHERE n.state IN ('queued', 'sending') ORDER BY n.tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT n.tenant FROM notification n WHERE n.state IN ('queued', 'sending')
                AND n.tenant > t.tenant ORDER BY n.tenant LIMIT 1)
        FROM t WHERE t.tenant IS NOT NULL
    )
    SELECT t.tenant FROM t WHERE EXISTS (SELECT FROM notification n WHERE n.tenant = t.tenant AND {_DUE})
    """)  # noqa: S608 - constants only

_LEASE = Statement(f"""
    UPDATE notification l
    SET state = 'sending', leases = l.leases + 1, hold_until = clock_timestamp() + CAST(:lease AS interval)
    FROM (
        SELECT n.id FROM notification n WHERE n.tenant = :tenant AND {_DUE}
        ORDER BY n.hold_until NULLS FIRST, n.queued_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) due
    WHERE l.tenant = :tenant AND l.id = due.id RETURNING l.id
    """)  # noqa: S608 - constants only

_EXTEND = Statement("""
    UPDATE notification n SET hold_until = clock_timestamp() + CAST(:lease AS interval)
    FROM unnest(CAST(:ids AS text[]), CAST(:leases AS int[])) AS u(id, lease)
    WHERE n.tenant = :tenant AND n.id = u.id AND n.state = 'sending' AND n.leases = u.lease
    """)

_RETRY = Statement("""
    UPDATE notification
    SET state = 'queued', attempts = attempts + 1, hold_until = clock_timestamp() + CAST(:pause AS interval)
    WHERE tenant = :tenant AND id = :id AND state = 'sending' AND leases = :lease
    """)

_RELEASE = Statement("""
    UPDATE notification n SET state = 'queued', hold_until = NULL
    FROM unnest(CAST(:ids AS text[]), CAST(:leases AS int[])) AS u(id, lease)
    WHERE n.tenant = :tenant AND n.id = u.id AND n.state = 'sending' AND n.leases = u.lease
    """)


async def tenants_with_mail(database: Database) -> list[str]:
    """Tenants that have something to send now, as the plumbing role sees them, which sees all queues."""
    return [row["tenant"] for row in await database.glance(_TENANTS)]


async def lease_due(uow: Uow, limit: int, lease: timedelta) -> list[str]:
    """Take up to *limit* messages that are due, never-tried ones first, and return their ids."""
    return [row["id"] for row in await uow.rows(_LEASE, limit=limit, lease=lease)]


async def extend(uow: Uow, letters: Sequence[Notification], lease: timedelta) -> None:
    """Keep what is still in hand."""
    await uow.rows(_EXTEND, lease=lease, **_leases(letters))


async def retry_later(uow: Uow, letter: Notification, pause: timedelta) -> None:
    """Back to the queue after an attempt, unless another sender has the message by now."""
    await uow.rows(_RETRY, id=letter.id, lease=letter.leases, pause=pause)


async def release(uow: Uow, letters: Sequence[Notification]) -> None:
    """Back to the queue at once, without having tried."""
    await uow.rows(_RELEASE, **_leases(letters))


def _leases(letters: Sequence[Notification]) -> dict[str, Any]:
    return {"ids": [n.id for n in letters], "leases": [n.leases for n in letters]}


# What people ask.

_PAGE = sa.text("""
    SELECT id, template, about_id, state, reason, created_at, settled_at FROM notification
    WHERE tenant = :tenant AND recipient_id = :person_id
      AND (CAST(:after AS text) IS NULL OR (created_at, id) < (
           SELECT created_at, id FROM notification
           WHERE tenant = :tenant AND recipient_id = :person_id AND id = :after))
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """)


async def page_of(uow: Uow, person_id: str, *, after: str | None, limit: int) -> Sequence[sa.Row[Any]]:
    """A person's messages, newest first, from the one behind *after* on."""
    return await uow.rows(_PAGE, person_id=person_id, after=after, limit=limit)


_COUNTS = sa.text("""
    SELECT template, state, coalesce(reason, '') AS reason, count(*) AS number FROM notification
    WHERE tenant = :tenant GROUP BY 1, 2, 3
    """)
_REMINDERS = sa.text("""
    SELECT (SELECT count(*) FROM session_plan WHERE tenant = :tenant AND reminder_at IS NOT NULL)
         + (SELECT count(*) FROM open_request WHERE tenant = :tenant AND reminder_at IS NOT NULL) AS pending
    """)


async def summary(uow: Uow) -> dict[str, int]:
    """Counts without content: the states add up to the total, and so do the templates."""
    counts = dict.fromkeys(("notifications_total", "waiting", "queued", "sent", "failed", "suppressed"), 0)
    counts |= {f"template_{template.replace('-', '_')}": 0 for template in Template}
    counts |= {"partners_told": 0, "partners_not_told_left": 0}
    for row in await uow.rows(_COUNTS):
        state = State.QUEUED if row.state == State.SENDING else row.state
        keys = ["notifications_total", state, f"template_{row.template.replace('-', '_')}"]
        if row.template == Template.PAIR_ENDED:
            keys.append("partners_told")
            if row.reason == Reason.RECIPIENT_LEFT:
                keys.append("partners_not_told_left")
        for key in keys:
            counts[key] += row.number
    (reminders,) = await uow.rows(_REMINDERS)
    return counts | {"reminders_pending": reminders.pending}
