"""The unit of work: one transaction, one tenant, and the rows, events and timers in it.

Handlers see rows as frozen dataclasses. ``get`` and ``find`` lock what they return, so a decision made
on a row holds until commit. Nothing is written before the end: ``put``, ``say`` and ``set_timer`` only
remember, and :meth:`Uow.flush` writes everything in sets, one statement per kind. So a batch of 500
events costs about as many statements as one event, and an event whose handler refuses can be undone
in memory without touching its neighbours.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec
import sqlalchemy as sa

from shared.contracts.base import EventData
from shared.persistence.driver import Connection, Statement, Write
from shared.persistence.kinds import Key, Kind, Lookup, arrays_of
from shared.persistence.outbox import OutboxRecord, Said, encode_said, outbox_writes
from shared.persistence.timers import TimerChange, timer_writes

R = TypeVar("R")

_ABSENT: Any = object()


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why this work happens: carried into every event that is said because of it."""

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


class Want(msgspec.Struct, frozen=True, gc=False):
    """Rows that a handler will ask for, by the same values in each of the *lookups*."""

    lookups: tuple[Lookup, ...]
    values: tuple[Any, ...]


def want(kind: Kind[Any], *key: Any) -> Want:
    """Declare that the handler will ``get`` this row."""
    return Want((kind.by_key,), key)


def want_all(kind: Kind[Any], **where: Any) -> Want:
    """Declare that the handler will ``find`` these rows."""
    return Want((kind.by(*where),), tuple(where.values()))


@dataclass(slots=True)
class _Shelf:
    """All that this unit of work knows of one kind."""

    rows: dict[Key, Any] = field(default_factory=dict)
    stored: dict[Key, Any] = field(default_factory=dict)
    dirty: dict[Key, None] = field(default_factory=dict)
    complete: defaultdict[tuple[str, ...], set[tuple[Any, ...]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    """By fields: the values of which all rows are here."""
    indexes: dict[tuple[str, ...], dict[tuple[Any, ...], dict[Key, None]]] = field(default_factory=dict)

    def set(self, key: Key, row: Any) -> None:
        if self.indexes:
            before = self.rows.get(key)
            for fields, index in self.indexes.items():
                if before is not None:
                    index[_values(before, fields)].pop(key, None)
                if row is not None:
                    index.setdefault(_values(row, fields), {})[key] = None
        self.rows[key] = row

    def index(self, fields: tuple[str, ...]) -> dict[tuple[Any, ...], dict[Key, None]]:
        if fields not in self.indexes:
            index: dict[tuple[Any, ...], dict[Key, None]] = {}
            for key, row in self.rows.items():
                if row is not None:
                    index.setdefault(_values(row, fields), {})[key] = None
            self.indexes[fields] = index
        return self.indexes[fields]


def _values(row: Any, fields: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([getattr(row, name) for name in fields])


class Uow:
    """One transaction of one tenant. Made by :class:`shared.persistence.database.Database`."""

    def __init__(
        self,
        connection: Connection,
        *,
        service: str,
        tenant: str,
        now: datetime,
        kinds: dict[type[Any], Kind[Any]],
        read_only: bool = False,
    ) -> None:
        self.connection = connection
        self.service = service
        self.tenant = tenant
        self.now = now
        """Business time (``app_now()``) when the transaction began."""
        self.read_only = read_only
        self.cause = Cause(correlation_id="")
        self.notes: dict[Any, Any] = {}
        """What queries have seen in this transaction and may be asked for again."""
        self._kinds = kinds
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)
        self._journal: list[tuple[_Shelf, Key, Any, bool]] = []
        self._said: list[Said] = []
        self._encoded: list[OutboxRecord] = []
        self._records: list[OutboxRecord] = []
        self._timers: dict[tuple[str, str], TimerChange] = {}
        self._timer_journal: list[tuple[tuple[str, str], TimerChange | None]] = []
        self._written = (0, 0)

    # rows

    async def get(self, kind: Kind[R], *key: Any) -> R | None:
        """The row with this key, locked until commit, or None."""
        shelf = self._shelf(kind)
        row = shelf.rows.get(key, _ABSENT)
        if row is _ABSENT:
            await self._load_keys(kind, [key])
            row = shelf.rows[key]
        return cast("R | None", row)

    async def find(self, kind: Kind[R], **where: Any) -> list[R]:
        """All rows with these field values, locked until commit, in key order."""
        shelf = self._shelf(kind)
        fields, values = tuple(where), tuple(where.values())
        if values not in shelf.complete[fields]:
            await self._load_fields(kind, fields, [values])
        keys = shelf.index(fields).get(values)
        return [cast("R", shelf.rows[key]) for key in sorted(keys)] if keys else []

    async def prefetch(self, wants: Iterable[Want]) -> None:
        """Load and lock everything wanted, a statement or two per kind, in one fixed order."""
        together: defaultdict[tuple[Lookup, ...], dict[tuple[Any, ...], None]] = defaultdict(dict)
        for item in wants:
            together[item.lookups][item.values] = None
        groups: defaultdict[Lookup, dict[tuple[Any, ...], None]] = defaultdict(dict)
        for lookups, values in together.items():
            for lookup in lookups:
                groups[lookup].update(values)
        for lookup in sorted(groups, key=lambda lookup: lookup.order):
            kind, fields, wanted = lookup.kind, lookup.fields, groups[lookup]
            shelf = self._shelf(kind)
            if fields:
                if unknown := [values for values in wanted if values not in shelf.complete[fields]]:
                    await self._load_fields(kind, fields, unknown)
            elif missing := [key for key in wanted if key not in shelf.rows]:
                await self._load_keys(kind, missing)

    def put(self, row: Any) -> None:
        """Remember *row* as the new state of its key."""
        self._remember(self._kinds[type(row)], row, delete=False)

    def delete(self, row: Any) -> None:
        """Remember that the row with *row*'s key goes."""
        self._remember(self._kinds[type(row)], row, delete=True)

    def _remember(self, kind: Kind[Any], row: Any, *, delete: bool) -> None:
        shelf = self._shelf(kind)
        key = kind.key_of(row)
        if key not in shelf.rows:
            # Without having looked we cannot know whether this is an insert or an update, and hold no lock.
            raise RuntimeError(f"{kind.name} {key} is written without having been asked for")
        self._journal.append((shelf, key, shelf.rows[key], key in shelf.dirty))
        shelf.set(key, None if delete else row)
        shelf.dirty[key] = None

    def _shelf(self, kind: Kind[Any]) -> _Shelf:
        return self._shelves[kind.name]

    def _lock(self, kind: Kind[Any]) -> str:
        return "" if self.read_only else kind.lock

    async def _load_keys(self, kind: Kind[Any], keys: Sequence[Key]) -> None:
        shelf = self._shelf(kind)
        several = len(keys) > 1
        if not several:
            statement, wanted = kind.one.select(lock=self._lock(kind)), kind.one.key(keys[0])
        else:
            statement, wanted = kind.select_by_keys(lock=self._lock(kind)), kind.key_arrays(keys)
        result = await self.connection.fetch(statement, {"tenant": self.tenant, **wanted})
        rows = kind.read(result) if several else map(kind.decode, result)
        shelf.rows.update(dict.fromkeys(keys))  # not there, until a row says otherwise; in no index
        self._loaded(kind, shelf, rows)

    async def _load_fields(
        self, kind: Kind[Any], fields: tuple[str, ...], values: Sequence[tuple[Any, ...]]
    ) -> None:
        shelf = self._shelf(kind)
        statement = kind.select_by_fields(fields, lock=self._lock(kind))
        result = await self.connection.fetch(statement, {"tenant": self.tenant, **arrays_of(fields, values)})
        self._loaded(kind, shelf, kind.read(result))
        shelf.complete[fields].update(values)

    @staticmethod
    def _loaded(kind: Kind[R], shelf: _Shelf, rows: Iterable[R]) -> None:
        for row in rows:
            key = kind.key_of(row)
            if key not in shelf.dirty:  # what this transaction has decided already is newer than the table
                shelf.set(key, row)
                shelf.stored[key] = row

    # events and timers

    def say(self, data: EventData, *, version: int) -> None:
        """Publish *data* with this transaction. *version* is the aggregate's, and orders its events.

        Raises :class:`shared.persistence.outbox.EventTooLarge` when the topic would refuse it.
        """
        said = Said(data, version, self.cause, self.now)
        self._encoded.append(encode_said(self.service, self.tenant, said))
        self._said.append(said)

    def record(self, record: OutboxRecord) -> None:
        """Send a record that is not one of our events as it is: a dead letter, for instance."""
        self._records.append(record)

    def set_timer(self, kind: str, key: str, due: datetime, *, keep: bool = False) -> None:
        """Let the timer (*kind*, *key*) fire at *due*, moving it if there is one already.

        With *keep* a timer that is there already stays as it is.
        """
        before = self._timers.get((kind, key))
        if keep and before is not None:
            if before.due is not None:
                return
            keep = False  # cancelled in this transaction: there is nothing left to keep
        self._change_timer(TimerChange(kind, key, due, keep=keep, cause=self.cause))

    def cancel_timer(self, kind: str, key: str) -> None:
        self._change_timer(TimerChange(kind, key, None, keep=False, cause=self.cause))

    def _change_timer(self, change: TimerChange) -> None:
        name = (change.kind, change.key)
        self._timer_journal.append((name, self._timers.get(name)))
        self._timers[name] = change

    # the end, and undoing

    def mark(self) -> tuple[int, int, int, int]:
        """A point to come back to with :meth:`undo`."""
        return len(self._journal), len(self._said), len(self._records), len(self._timer_journal)

    def undo(self, mark: tuple[int, int, int, int]) -> None:
        """Forget everything put, said and set since *mark*. Loaded rows stay loaded (and locked)."""
        rows, said, records, timers = mark
        while len(self._journal) > rows:
            shelf, key, before, was_dirty = self._journal.pop()
            shelf.set(key, before)
            if not was_dirty:
                shelf.dirty.pop(key, None)
        del self._said[said:]
        del self._encoded[said:]
        del self._records[records:]
        while len(self._timer_journal) > timers:
            name, change = self._timer_journal.pop()
            if change is None:
                del self._timers[name]
            else:
                self._timers[name] = change

    @property
    def says(self) -> Sequence[Said]:
        """What will be published, in order."""
        return self._said

    @property
    def wrote_outbox(self) -> bool:
        return bool(self._said or self._records)

    async def flush(self) -> None:
        """Write everything remembered so far, in sets, inside the transaction."""
        kinds = {kind.name: kind for kind in self._kinds.values()}
        writes: list[Write] = []
        for name in sorted(self._shelves, key=lambda name: (kinds[name].order, name)):
            writes += self._changes(kinds[name], self._shelves[name])
        writes += timer_writes(self.tenant, self._timers.values())
        records = self._encoded[self._written[0] :] + self._records[self._written[1] :]
        for statement, values in outbox_writes(self.tenant, records, self.now, with_last_of=writes):
            await self.connection.fetch(statement, values)
        for shelf in self._shelves.values():
            for key in shelf.dirty:
                shelf.stored[key] = shelf.rows[key]
            shelf.dirty.clear()
        self._written = len(self._said), len(self._records)
        self._timers.clear()
        self._journal.clear()
        self._timer_journal.clear()

    def _changes(self, kind: Kind[Any], shelf: _Shelf) -> Iterator[Write]:
        if not shelf.dirty:
            return
        inserts, updates, deletes = [], [], []
        for key in sorted(shelf.dirty):
            row, stored = shelf.rows[key], shelf.stored.get(key)
            if row is None:
                if stored is not None:
                    deletes.append(key)
            elif stored is None:
                inserts.append(row)
            elif row != stored:
                updates.append(row)
        tenant = {"tenant": self.tenant}
        if deletes:
            yield kind.delete_sql, tenant | kind.key_arrays(deletes)
        for rows, several, one in (
            (inserts, kind.insert_sql, kind.one.insert),
            (updates, kind.update_sql, kind.one.update),
        ):
            if len(rows) == 1 and one is not None:
                yield one, tenant | kind.one.values(rows[0])
            elif rows and several is not None:
                yield several, tenant | kind.arrays(rows)

    async def rows(
        self, statement: sa.sql.Select[Any] | sa.TextClause | Statement, **values: Any
    ) -> Sequence[Any]:
        """Rows of a query for reading: not locked, and not what was put but not flushed yet."""
        if isinstance(statement, Statement):
            return await self.connection.fetch(statement, {"tenant": self.tenant, **values})
        result = await self.connection.execute(statement, {"tenant": self.tenant, **values})
        return result.fetchall()
