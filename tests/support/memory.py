"""A unit of work on dictionaries, for fast tests of handlers; the same handlers also run on PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from shared.contracts.base import EventData
from shared.messaging.event import Event
from shared.persistence.kinds import Key, Kind
from shared.persistence.timers import TimerChange
from shared.persistence.uow import Cause, Uow

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class MemoryStore:
    """What would be in the database: rows by kind and key, events said, timers by (kind, key)."""

    def __init__(self, service: str, kinds: Iterable[Kind[Any]]) -> None:
        self.service = service
        self.kinds = {kind.row: kind for kind in kinds}
        self.rows: dict[str, dict[Key, Any]] = {kind.name: {} for kind in self.kinds.values()}
        self.said: list[EventData] = []
        self.versions: list[int] = []
        self.timers: dict[tuple[str, str], TimerChange] = {}

    def add(self, *rows: Any) -> None:
        """Put rows there beforehand."""
        for row in rows:
            kind = self.kinds[type(row)]
            self.rows[kind.name][kind.key_of(row)] = row

    def all(self, kind: Kind[Any]) -> list[Any]:
        """All rows of a kind in key order."""
        return [row for _, row in sorted(self.rows[kind.name].items())]

    def uow(self, now: datetime = NOW, *, tenant: str = "acme") -> "MemoryUow":
        return MemoryUow(self, now, tenant)


class MemoryUow(Uow):
    """``async with store.uow() as uow``: written to the store at the end unless something was raised."""

    def __init__(self, store: MemoryStore, now: datetime, tenant: str) -> None:
        super().__init__(cast(Any, None), service=store.service, tenant=tenant, now=now, kinds=store.kinds)
        self._store = store
        self.cause = Cause("correlation-1", "cause-1", None)

    async def __aenter__(self) -> "MemoryUow":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if error is None:
            await self.flush()

    async def _load_keys(self, kind: Kind[Any], keys: Sequence[Key]) -> None:
        table = self._store.rows[kind.name]
        shelf = self._shelf(kind)
        for key in keys:
            shelf.set(key, table.get(key))
            if key in table:
                shelf.stored[key] = table[key]

    async def _load_fields(
        self, kind: Kind[Any], fields: tuple[str, ...], values: Sequence[tuple[Any, ...]]
    ) -> None:
        shelf = self._shelf(kind)
        for key, row in self._store.rows[kind.name].items():
            if tuple(getattr(row, name) for name in fields) in values and key not in shelf.dirty:
                shelf.set(key, row)
                shelf.stored[key] = row
        shelf.complete[fields].update(values)

    async def flush(self) -> None:
        for name, shelf in self._shelves.items():
            table = self._store.rows[name]
            for key in shelf.dirty:
                if shelf.rows[key] is None:
                    table.pop(key, None)
                else:
                    table[key] = shelf.rows[key]
            shelf.dirty.clear()
        self._store.said += [said.data for said in self._said[self._written[0] :]]
        self._store.versions += [said.version for said in self._said[self._written[0] :]]
        self._written = len(self._said), len(self._records)
        for timer, change in self._timers.items():
            if change.due is None:
                self._store.timers.pop(timer, None)
            elif not (change.keep and timer in self._store.timers):
                self._store.timers[timer] = change
        self._timers.clear()


def event(data: EventData, *, sequence: int = 1, at: datetime = NOW, tenant: str = "acme") -> Event[Any]:
    """*data* as if it had just been received."""
    return Event(
        id=f"{data.TYPE}:{data.subject}:{sequence}",
        source="urn:test",
        type=data.TYPE,
        tenant=tenant,
        subject=data.subject,
        sequence=sequence,
        time=at,
        correlation_id="correlation-1",
        traceparent=None,
        data=data,
    )
