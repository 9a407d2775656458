"""What a service holds about one person, as plain values by table: the machine-readable answer to them."""

from collections.abc import Iterable
from typing import Any, Final

from shared.persistence.kinds import Kind, fields_of
from shared.persistence.uow import Uow

_WHY_COLUMNS: Final = frozenset({"correlation_id", "causation_id", "traceparent"})
"""Columns that say how a row came about and nothing about anybody."""


async def rows_about(uow: Uow, kind: Kind[Any], person_id: str, *fields: str) -> list[Any]:
    """Rows in which any of *fields* is the person, each once, in key order."""
    found = {}
    for name in fields:
        for row in await uow.find(kind, **{name: person_id}):
            found[kind.key_of(row)] = row
    return [found[key] for key in sorted(found)]


def as_values(rows: Iterable[Any], *, without: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Rows as dictionaries, without the columns named."""
    hidden = {*without, *_WHY_COLUMNS}
    return [{name: getattr(row, name) for name in fields_of(type(row)) if name not in hidden} for row in rows]


def document(uow: Uow, person_id: str, tables: dict[str, Any], *, withheld: Iterable[str]) -> dict[str, Any]:
    """The export of one service. *withheld*: sentences about what is held and not shown, and why."""
    return {
        "service": uow.service,
        "person_id": person_id,
        "as_of": uow.now,
        "tables": tables,
        "withheld": list(withheld),
    }
