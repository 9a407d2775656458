"""A *kind* ties one table to one frozen class, so that the unit of work can load, lock and write
rows of it in sets.

A table has a ``tenant`` column first in its primary key; the class does not: the unit of work
knows the tenant. Field names are column names. Values in JSONB columns are lists and dicts of plain
values and are treated as immutable.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.persistence.driver import Statement
from shared.persistence.single import OneRow

R = TypeVar("R")
Key = tuple[Any, ...]

_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode

_TYPES: dict[type[Any], str] = {
    sa.Text: "text",
    sa.BigInteger: "bigint",  # before Integer, of which it is a subclass
    sa.Integer: "int",
    sa.Boolean: "boolean",
    sa.Date: "date",
    sa.DateTime: "timestamptz",
    sa.Float: "float8",
    pg.JSONB: "jsonb",
}


def columns_from(types: Mapping[str, str]) -> str:
    """A ``FROM`` item ``u`` of parameters that each hold one column as :func:`column` gives it.

    *types*: name of column and parameter to PostgreSQL type. A column is one JSON text, not an array: asyncpg
    takes 0.3 us for each element of an array, which in a batch would be half of the time that writing takes.
    """
    parts = ", ".join(
        f"json_array_elements{'' if kind == 'jsonb' else '_text'}(:{name}::text::json)"
        for name, kind in types.items()
    )
    return f"ROWS FROM ({parts}) AS u({', '.join(types)})"


def value_of(name: str, kind: str) -> str:
    """One value of such a column, as its type."""
    return f"u.{name}" if kind == "text" else f"u.{name}::{kind}"


def looked_up(name: str) -> str:
    """A condition that is always true, for statements that join such columns to a table by its key (a text).

    PostgreSQL takes a parameter's rows for a hundred and a table that has grown since its last ANALYZE for small:
    then it reads all rows of the tenant to join them. This it takes for true of one row in 200, and looks each row
    up by the index, which is right however large batch and table are.
    """
    return f"u.{name} || '' = u.{name}"


def column(values: Iterable[Any]) -> str:
    """The values of one column as one parameter."""
    return _encode_json(values if isinstance(values, list) else list(values)).decode()


def fields_of(row: type[Any]) -> tuple[str, ...]:
    """Field names of a row class: a frozen dataclass, or a frozen ``msgspec.Struct`` where many are made."""
    if issubclass(row, msgspec.Struct):
        return tuple(row.__struct_fields__)
    return tuple(field.name for field in dataclasses.fields(row))


def _enum_of(hint: Any) -> type[StrEnum] | None:
    candidates = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, StrEnum):
            return candidate
    return None


def _reading(kind: str, hint: Any) -> Callable[[Any], Any] | None:
    """How a value becomes what the row holds, if not by itself."""
    if kind == "jsonb":
        return lambda value: _decode_json(value) if isinstance(value, str | bytes) else value
    enum = _enum_of(hint)
    return None if enum is None else {str(member): member for member in enum}.__getitem__


def arrays_of(names: Sequence[str], values: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Tuples as one parameter per name."""
    return dict(zip(names, map(column, map(list, zip(*values, strict=True))), strict=True))


def _key_reader(names: tuple[str, ...]) -> Callable[[Any], Key]:
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda row: (read(row),)


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """By which fields rows of a kind are asked for: all of its key (``fields`` is empty), or others."""

    kind: "Kind[Any]"
    fields: tuple[str, ...]

    @property
    def order(self) -> tuple[Any, ...]:
        """In this order they are loaded and locked."""
        return self.kind.order, self.kind.name, self.fields


class Kind(Generic[R]):
    """One table and its row class. ``order`` fixes in which order kinds are locked.

    A ``read_mostly`` kind is locked in share mode: many transactions may hold a row at once, and one that
    changes it waits for them. For configuration that every event looks at.
    """

    def __init__(self, table: sa.Table, row: type[R], *, order: int, read_mostly: bool = False) -> None:
        self.table = table
        self.row = row
        self.order = order
        self.lock = " FOR SHARE OF t" if read_mostly else " FOR UPDATE OF t"
        self.name = table.name
        hints = typing.get_type_hints(row)
        self.fields = fields_of(row)
        columns = {column.name for column in table.columns}
        if columns != {*self.fields, "tenant"}:
            raise TypeError(
                f"{row.__name__} and table {table.name} differ: {columns ^ {*self.fields, 'tenant'}}"
            )
        self.key_fields = tuple(c.name for c in table.primary_key.columns if c.name != "tenant")
        self.types = {name: self._type(name) for name in self.fields}
        """PostgreSQL's names of the columns' types."""
        self._readings = [
            (position, reading)
            for position, name in enumerate(self.fields)
            if (reading := _reading(self.types[name], hints[name])) is not None
        ]
        shape = tuple(Any if self.types[name] == "jsonb" else hints[name] for name in self.fields)
        self._values_of = msgspec.json.Decoder(tuple.__class_getitem__(shape)).decode
        self.columns = [table.c[name] for name in self.fields]
        self._readers = [(name, attrgetter(name)) for name in self.fields]
        self.key_of = _key_reader(self.key_fields)
        """The key of a row: a tuple, also when it is one column."""
        self.one = OneRow(table, self.fields, self.key_fields)
        """What is said of single rows; the statements below take sets."""
        self.insert_sql = self._insert_sql()
        self.update_sql = self._update_sql()
        self.delete_sql = self._delete_sql()
        self._selects: dict[tuple[tuple[str, ...], str], Statement] = {}
        self.by_key = Lookup(self, ())
        self._lookups: dict[tuple[str, ...], Lookup] = {}

    def _type(self, name: str) -> str:
        column_type = self.table.c[name].type
        for known, kind in _TYPES.items():
            if isinstance(column_type, known):
                return kind
        raise TypeError(f"{self.name}.{name}: column type {column_type!r} is not supported")

    def _given(self, names: Sequence[str]) -> str:
        return columns_from({name: self.types[name] for name in names})

    def _values(self, names: Sequence[str]) -> str:
        return ", ".join(value_of(name, self.types[name]) for name in names)

    def _same_key(self) -> str:
        keys = (f"t.{name} = {value_of(name, self.types[name])}" for name in self.key_fields)
        return " AND ".join(("t.tenant = :tenant", *keys, looked_up(self.key_fields[0])))

    def _insert_sql(self) -> Statement:
        return Statement(
            f"INSERT INTO {self.name} (tenant, {', '.join(self.fields)})"
            f" SELECT :tenant, {self._values(self.fields)} FROM {self._given(self.fields)}"
        )

    def _update_sql(self) -> Statement | None:
        changed = [name for name in self.fields if name not in self.key_fields]
        if not changed:
            return None
        sets = ", ".join(f"{name} = {value_of(name, self.types[name])}" for name in changed)
        return Statement(
            f"UPDATE {self.name} t SET {sets} FROM {self._given(self.fields)} WHERE {self._same_key()}"
        )

    def _delete_sql(self) -> Statement:
        return Statement(
            f"DELETE FROM {self.name} t USING {self._given(self.key_fields)} WHERE {self._same_key()}"
        )

    def by(self, *fields: str) -> Lookup:
        """The lookup by *fields*: the same object each time."""
        lookup = self._lookups.get(fields)
        if lookup is None:
            lookup = self._lookups[fields] = Lookup(self, fields)
        return lookup

    def arrays(self, rows: Sequence[R]) -> dict[str, str]:
        """Rows turned by ninety degrees: one parameter per column."""
        return {name: column(list(map(read, rows))) for name, read in self._readers}

    def key_arrays(self, keys: Iterable[Key]) -> dict[str, str]:
        """Keys as one parameter per key column."""
        return arrays_of(self.key_fields, keys)

    def select_by_keys(self, *, lock: str) -> Statement:
        """``SELECT`` of the rows with the given keys, in key order, for :meth:`read`; *lock* is a locking clause or
        empty."""
        return self.select_by_fields(self.key_fields, lock=lock)

    def select_by_fields(self, fields: tuple[str, ...], *, lock: str) -> Statement:
        """``SELECT`` of the rows whose *fields* have one of the given value tuples, in key order, for :meth:`read`;
        made once and kept."""
        statement = self._selects.get((fields, lock))
        if statement is None:
            statement = self._selects[fields, lock] = self._select(fields, lock)
        return statement

    def _select(self, fields: tuple[str, ...], lock: str) -> Statement:
        names = ", ".join(f"t.{name}" for name in self.fields)
        keys = ", ".join(f"t.{name}" for name in self.key_fields)
        given = f"SELECT {self._values(fields)} FROM {self._given(fields)}"
        if len(fields) == 1:
            condition = f"t.{fields[0]} = ANY(ARRAY({given}))"
        else:
            few = looked_up(fields[0])
            condition = f"({', '.join(f't.{name}' for name in fields)}) IN ({given} WHERE {few})"
        statement = (
            f"SELECT json_build_array({names})::text FROM {self.name} t"
            f" WHERE t.tenant = :tenant AND {condition} ORDER BY {keys}"
        )
        return Statement(statement + lock)

    def read(self, rows: Iterable[Sequence[str]]) -> list[R]:
        """Row objects from what the ``SELECT`` statements above give: each row as one JSON text, for the same
        reason as a parameter."""
        make, values_of = self.row, self._values_of
        return [make(*values_of(row[0])) for row in rows]

    def decode(self, values: Sequence[Any]) -> R:
        """One row object from the values of one result row, in field order; JSONB may be text still."""
        if not self._readings:
            return self.row(*values)
        converted = list(values)
        for position, read in self._readings:
            if converted[position] is not None:
                converted[position] = read(converted[position])
        return self.row(*converted)
