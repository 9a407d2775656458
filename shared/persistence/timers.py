"""Timers are rows: due by business time, one per (kind, key), fired by :mod:`shared.messaging.timer_worker`.

Setting a timer again moves it; firing deletes it in the transaction of its effect. So a timer fires
once, never early, and survives every crash.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.persistence.driver import Statement, Write

if TYPE_CHECKING:
    from shared.persistence.uow import Cause


@dataclass(frozen=True, slots=True)
class TimerChange:
    """A timer set (``due``) or cancelled (``due`` None). ``keep``: leave one that is there as it is."""

    kind: str
    key: str
    due: datetime | None
    keep: bool
    cause: "Cause"


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is due, as its handler sees it."""

    kind: str
    key: str
    due: datetime


_ARRAYS = (
    "unnest(CAST(:kind AS text[]), CAST(:key AS text[]), CAST(:due AS timestamptz[]),"
    " CAST(:correlation AS text[]), CAST(:causation AS text[]), CAST(:traceparent AS text[]))"
    " AS u(kind, key, due, correlation, causation, traceparent)"
)
_INSERT = (
    "INSERT INTO timer (tenant, kind, key, due_at, correlation_id, causation_id, traceparent)"
    f" SELECT :tenant, u.kind, u.key, u.due, u.correlation, u.causation, u.traceparent FROM {_ARRAYS}"
)
_SET = Statement(
    _INSERT + " ON CONFLICT (tenant, kind, key) DO UPDATE SET due_at = excluded.due_at,"
    " correlation_id = excluded.correlation_id, causation_id = excluded.causation_id,"
    " traceparent = excluded.traceparent"
)
_KEEP = Statement(_INSERT + " ON CONFLICT (tenant, kind, key) DO NOTHING")
_CANCEL = Statement(
    "DELETE FROM timer t USING unnest(CAST(:kind AS text[]), CAST(:key AS text[])) AS u(kind, key)"
    " WHERE t.tenant = :tenant AND t.kind = u.kind AND t.key = u.key"
)


def timer_writes(tenant: str, changes: Iterable[TimerChange]) -> Iterator[Write]:
    """All changes, at most three statements, in one lock order."""
    ordered = sorted(changes, key=lambda change: (change.kind, change.key))
    for statement, group in (
        (_CANCEL, [c for c in ordered if c.due is None]),
        (_SET, [c for c in ordered if c.due is not None and not c.keep]),
        (_KEEP, [c for c in ordered if c.due is not None and c.keep]),
    ):
        if not group:
            continue
        values: dict[str, object] = {
            "tenant": tenant,
            "kind": [c.kind for c in group],
            "key": [c.key for c in group],
        }
        if statement is not _CANCEL:
            values |= {
                "due": [c.due for c in group],
                "correlation": [c.cause.correlation_id for c in group],
                "causation": [c.cause.causation_id for c in group],
                "traceparent": [c.cause.traceparent for c in group],
            }
        yield statement, values
