"""The statements about one row of a kind, found by its whole primary key.

A command mostly reads and writes single rows. To PostgreSQL a row is less to plan and to run than a set that
happens to have one member, and to asyncpg a value is less to encode than an array.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.persistence.driver import Statement

_encode_json = msgspec.json.Encoder().encode
_DIALECT = pg.dialect()  # type: ignore[no-untyped-call]


def _json(value: Any) -> str:
    return _encode_json(value).decode()


class OneRow:
    """Statements about one row of *table*, whose key columns but for the tenant are *key*."""

    def __init__(self, table: sa.Table, fields: Sequence[str], key: Sequence[str]) -> None:
        self._table, self._fields, self._key = table.name, tuple(fields), tuple(key)
        self._types = {name: table.c[name].type for name in fields}
        self._readers = [(name, attrgetter(name), self._is_json(name)) for name in fields]
        names, values = ", ".join(fields), ", ".join(map(self._value, fields))
        self.insert = Statement(
            f"INSERT INTO {self._table} (tenant, {names}) VALUES (CAST(:tenant AS text), {values})"
        )
        changed = [f"{name} = {self._value(name)}" for name in fields if name not in key]
        self.update = (
            Statement(f"UPDATE {self._table} t SET {', '.join(changed)} WHERE {self._same_key()}")
            if changed
            else None
        )
        self._selects: dict[str, Statement] = {}

    def _is_json(self, name: str) -> bool:
        return isinstance(self._types[name], pg.JSONB)

    def _value(self, name: str) -> str:
        text = f"CAST(:{name} AS {'text' if self._is_json(name) else self._types[name].compile(_DIALECT)})"
        return f"{text}::jsonb" if self._is_json(name) else text

    def _same_key(self) -> str:
        return " AND ".join(("t.tenant = :tenant", *(f"t.{name} = :{name}" for name in self._key)))

    def select(self, *, lock: str) -> Statement:
        """The row with a key; *lock* is a locking clause or empty."""
        if lock not in self._selects:
            names = ", ".join(
                f"t.{name}::text" if self._is_json(name) else f"t.{name}" for name in self._fields
            )
            self._selects[lock] = Statement(
                f"SELECT {names} FROM {self._table} t WHERE {self._same_key()}{lock}"
            )
        return self._selects[lock]

    def key(self, key: Sequence[Any]) -> dict[str, Any]:
        """The parameters of :meth:`select`, but for the tenant."""
        return dict(zip(self._key, key, strict=True))

    def values(self, row: Any) -> dict[str, Any]:
        """The parameters of a write, but for the tenant."""
        return {name: _json(read(row)) if json else read(row) for name, read, json in self._readers}
