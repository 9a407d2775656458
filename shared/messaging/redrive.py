"""Redrive: a dead letter's original record handled once more, inside the service that refused it.

It is read back from ``dlt.<service>`` and never published again: other groups on the source topic have
had it already. The inbox row goes from ``dead`` to its new outcome in the same transaction, so two
operators who press the button at once have one effect.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
import structlog
from aiokafka import TopicPartition

from shared.contracts import dead_letter_topic
from shared.errors import Conflict, Invalid, NotFound, NotYetKnown, ServiceError
from shared.http.auth import Caller
from shared.messaging import inbox
from shared.messaging.codec import UNATTRIBUTED, Decoder, Item
from shared.messaging.dead_letters import original_headers
from shared.messaging.handlers import Handlers, Outcome
from shared.messaging.kafka import make_reader, topic_name
from shared.messaging.processor import log_said
from shared.persistence.database import Database
from shared.persistence.uow import Uow
from shared.runtime.settings import Settings

log = structlog.get_logger()

_LIST = sa.text(
    "SELECT id, topic, partition, record_offset, source, event_id, event_type, reason, detail, attempts, state,"
    " died_at FROM dead_letter WHERE tenant = :tenant AND state = :state"
    " AND (died_at, id) > (:died_at, :id) ORDER BY died_at, id LIMIT :limit"
)
_PLACE = sa.text("SELECT died_at, id FROM dead_letter WHERE tenant = :tenant AND id = :id")
_BEGINNING: Final = (datetime.min.replace(tzinfo=UTC), "")
_ONE = sa.text(
    "SELECT id, topic, state, died_at FROM dead_letter WHERE tenant = :tenant AND id = :id FOR UPDATE"
)
_SETTLE = sa.text(
    "UPDATE dead_letter SET state = :state, settled_at = clock_timestamp(), settled_by = :by"
    " WHERE tenant = :tenant AND id = :id"
)
_UNSENT = sa.text("SELECT EXISTS (SELECT FROM outbox WHERE event_id = :id)")
_SEARCH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Original:
    topic: str
    partition: int
    offset: int
    key: Any
    value: Any
    headers: Sequence[tuple[str, Any]]
    timestamp: int


class Redrive:
    """The dead letters of one service."""

    def __init__(self, settings: Settings, service: str, handlers: Handlers, database: Database) -> None:
        self._settings, self._service, self._handlers, self._database = settings, service, handlers, database

    async def listing(
        self, tenant: str, state: str, after: str | None, limit: int, *, unattributed: bool
    ) -> dict[str, Any]:
        """A page of dead letters in *state* (open, redriven, discarded), oldest first: ``items`` and ``next``.

        *after* is the id of the last one seen, whatever has become of it since. Raises ``Invalid`` when there is no
        such dead letter (any more).
        """
        async with self._database.transaction(
            UNATTRIBUTED if unattributed else tenant, read_only=True
        ) as uow:
            place = [_BEGINNING] if after is None else await uow.rows(_PLACE, id=after)
            if not place:
                raise Invalid("bad_page", "This is not what an earlier page said as its next.")
            ((died_at, last),) = place
            rows = await uow.rows(_LIST, state=state, died_at=died_at, id=last, limit=limit)
        return {
            "items": [{**row._asdict(), "died_at": row.died_at.isoformat()} for row in rows],
            "next": rows[-1].id if len(rows) == limit else None,
        }

    async def redrive(self, caller: Caller, identity: str, *, dry_run: bool) -> dict[str, Any]:
        """Handle the record again. Raises ``Conflict`` with the reason when it is refused again, or when it turns
        out to be another tenant's."""
        tenant, row = await self._find(caller, identity)
        if await self._waits_in_outbox(identity):
            raise NotYetKnown("dead letter's record on Kafka")
        original = await self._read_back(identity, row.died_at.timestamp())
        item = Decoder(row.topic, self._handlers).decode(original)
        if item.verdict is Outcome.DEAD:
            raise Conflict("still_dead", f"It is refused again: {item.detail}")
        if item.verdict is Outcome.UNKNOWN:
            raise Conflict("not_handled", "This service has no handler for its type.")
        if item.tenant != caller.tenant:
            raise Conflict("of_another_tenant", "It is another tenant's, whose operators may redrive it.")
        if dry_run:
            return {"id": identity, "would": "handle", "event_type": item.type}
        if item.tenant == tenant:
            async with self._database.transaction(tenant) as uow:
                outcome = await self._handle(uow, row.topic, item)
                await self._settle(uow, identity, "redriven", caller)
            log_said(uow)
        else:
            outcome = await self._redrive_unattributed(row.topic, item, caller, identity)
        log.info("dead letter redriven", id=identity, outcome=outcome, by=caller.subject)
        return {"id": identity, "outcome": str(outcome)}

    async def _redrive_unattributed(self, topic: str, item: Item, caller: Caller, identity: str) -> Outcome:
        """A letter that named no readable tenant when it died, and does by now.

        Its effect and its settling are two tenants', so two transactions: where the second did not come, the
        event has had its effect when it is redriven again, and the letter is settled all the same."""
        outcome = Outcome.APPLIED
        try:
            async with self._database.transaction(item.tenant) as uow:
                outcome = await self._handle(uow, topic, item)
            log_said(uow)
        except Conflict as conflict:
            if conflict.code != "already_applied":
                raise
        async with self._database.transaction(UNATTRIBUTED) as uow:
            await self._settle(uow, identity, "redriven", caller)
        return outcome

    async def discard(self, caller: Caller, identity: str) -> dict[str, Any]:
        """Settle it without handling it."""
        tenant, _ = await self._find(caller, identity)
        async with self._database.transaction(tenant) as uow:
            await self._settle(uow, identity, "discarded", caller)
        log.info("dead letter discarded", id=identity, by=caller.subject)
        return {"id": identity, "outcome": "discarded"}

    async def _find(self, caller: Caller, identity: str) -> tuple[str, Any]:
        for tenant in (caller.tenant, UNATTRIBUTED):
            async with self._database.transaction(tenant) as uow:
                rows = await uow.rows(_ONE, id=identity)
            if rows:
                if rows[0].state != "open":
                    raise Conflict("already_settled", f"This dead letter is {rows[0].state} already.")
                return tenant, rows[0]
        raise NotFound("dead_letter_unknown", "There is no such dead letter.")

    async def _waits_in_outbox(self, identity: str) -> bool:
        async with self._database.plumbing_transaction() as connection:
            return bool(await connection.scalar(_UNSENT, {"id": identity}))

    async def _settle(self, uow: Uow, identity: str, state: str, caller: Caller) -> None:
        rows = await uow.rows(_ONE, id=identity)
        if rows[0].state != "open":
            raise Conflict("already_settled", f"This dead letter is {rows[0].state} already.")
        await uow.connection.execute(
            _SETTLE, {"tenant": uow.tenant, "id": identity, "state": state, "by": caller.subject}
        )

    async def _handle(self, uow: Uow, topic: str, item: Item) -> Outcome:
        assert item.event is not None and item.handling is not None
        if not await inbox.revive(uow, topic, item):
            claimed = await inbox.claim(uow, topic, [item])
            if not claimed.fresh or item.verdict is not None:
                raise Conflict("already_applied", "The event has had its effect by another way.")
        uow.cause = item.event.cause()
        try:
            outcome = await item.handling.handle(item.event, uow) or Outcome.APPLIED
        except ServiceError as refusal:
            raise Conflict("still_dead", f"It is refused again: {refusal.message}") from refusal
        if outcome is not Outcome.APPLIED:
            item.verdict = outcome
            await inbox.settle(uow, topic, [item])
        return outcome

    async def _read_back(self, identity: str, died_at: float) -> _Original:
        """The dead letter's record, found by its id from the time at which it died."""
        topic = topic_name(self._settings, dead_letter_topic(self._service))
        reader = make_reader(self._settings, client_id=f"{self._service}-redrive")
        await reader.start()
        try:
            partition = TopicPartition(topic, 0)
            reader.assign([partition])
            found = await reader.offsets_for_times({partition: int((died_at - 60) * 1000)})
            start = found.get(partition)
            if start is None:
                raise NotFound("dead_letter_expired", "Its bytes are not in the dead letter topic any more.")
            reader.seek(partition, start.offset)
            end = (await reader.end_offsets([partition]))[partition]
            async with asyncio.timeout(_SEARCH_SECONDS):
                while await reader.position(partition) < end:
                    for records in (await reader.getmany(timeout_ms=500)).values():
                        for record in records:
                            headers = dict(record.headers)
                            if headers.get("dl_id") == identity.encode():
                                return _restore(record.value, headers)
        finally:
            await reader.stop()
        raise NotFound("dead_letter_expired", "Its bytes are not in the dead letter topic any more.")


def _restore(value: bytes | None, headers: dict[str, bytes]) -> _Original:
    return _Original(
        topic=headers["dl_topic"].decode(),
        partition=int(headers["dl_partition"]),
        offset=int(headers["dl_offset"]),
        key=base64.b64decode(headers["dl_key"]) or None,
        value=value,
        headers=original_headers(headers["dl_headers"].decode()),
        timestamp=int(headers["dl_timestamp"]),
    )
