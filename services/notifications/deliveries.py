"""The queue of deliveries, as the sender sees it: take some, and say for each what became of it.

A lease is by the machine's clock and ends by itself, so what a killed sender held is sent by another. Only
the holder of the lease gives a message back; but *sent* counts whoever says it, because it is a fact.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from services.notifications.domain.messages import SETTLED, Notification, Reason, State, pause_before
from services.notifications.letters import Letter, collect
from services.notifications.post import record
from services.notifications.store import (
    NOTIFICATION,
    extend,
    lease_due,
    release,
    retry_later,
    tenants_with_mail,
)
from shared.messaging.processor import log_said
from shared.persistence.database import Database
from shared.persistence.uow import Uow, want


class Deliveries(Protocol):
    """What a sender needs of a queue."""

    async def tenants(self) -> list[str]: ...

    async def lease(self, tenant: str, limit: int, lease: timedelta) -> list[Letter]: ...

    async def extend(self, letters: Sequence[Letter], lease: timedelta) -> None: ...

    async def sent(self, letters: Sequence[Letter]) -> None: ...

    async def refused(self, letter: Letter, code: str, *, permanent: bool) -> None: ...

    async def suppressed(self, letter: Letter, reason: Reason) -> None: ...

    async def release(self, letters: Sequence[Letter]) -> None: ...


class DatabaseDeliveries:
    """The queue in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self) -> list[str]:
        """Tenants that have something to send now."""
        return await tenants_with_mail(self._database)

    async def lease(self, tenant: str, limit: int, lease: timedelta) -> list[Letter]:
        """Take up to *limit* messages; nobody else gets them before the lease ends."""
        async with self._database.transaction(tenant) as uow:
            ids = await lease_due(uow, limit, lease)
        if not ids:
            return []
        async with self._database.transaction(tenant, read_only=True) as uow:
            return await collect(uow, ids)

    async def extend(self, letters: Sequence[Letter], lease: timedelta) -> None:
        """Keep the lease of these letters of one tenant."""
        if letters:
            async with self._database.transaction(letters[0].tenant) as uow:
                await extend(uow, [letter.notification for letter in letters], lease)

    async def sent(self, letters: Sequence[Letter]) -> None:
        """The mail server has taken these letters of one tenant."""
        async with self._database.transaction(letters[0].tenant) as uow:
            await mark_sent(uow, [letter.notification.id for letter in letters])
        log_said(uow)

    async def refused(self, letter: Letter, code: str, *, permanent: bool) -> None:
        """The attempt failed: give up, or try again later."""
        async with self._database.transaction(letter.tenant) as uow:
            pause = await mark_refused(uow, letter.notification, code, permanent=permanent)
            if pause is not None:
                await retry_later(uow, letter.notification, pause)
        log_said(uow)

    async def suppressed(self, letter: Letter, reason: Reason) -> None:
        """It is not to be sent after all."""
        async with self._database.transaction(letter.tenant) as uow:
            held = await held_by(uow, letter.notification)
            if held is not None:
                record(uow, held, held.suppressed(reason, uow.now))
        log_said(uow)

    async def release(self, letters: Sequence[Letter]) -> None:
        """Back to the queue: nothing was tried."""
        if letters:
            async with self._database.transaction(letters[0].tenant) as uow:
                await release(uow, [letter.notification for letter in letters])


async def held_by(uow: Uow, leased: Notification) -> Notification | None:
    """The message's present row, if the lease of *leased* still holds."""
    row = await uow.get(NOTIFICATION, leased.id)
    return row if row is not None and row.state is State.SENDING and row.leases == leased.leases else None


async def mark_sent(uow: Uow, ids: Sequence[str]) -> None:
    """Mark each as sent, unless its story has ended already."""
    await uow.prefetch([want(NOTIFICATION, each) for each in ids])
    for each in ids:
        row = await uow.get(NOTIFICATION, each)
        if row is not None and row.state not in SETTLED:
            record(uow, row, row.sent(uow.now))


async def mark_refused(uow: Uow, leased: Notification, code: str, *, permanent: bool) -> timedelta | None:
    """Give up, or say how long to wait before the next attempt. Neither when the lease was lost."""
    held = await held_by(uow, leased)
    if held is None:
        return None
    pause = None if permanent else pause_before(held.attempts + 2)
    if pause is None:
        record(uow, held, held.failed(code, uow.now))
    return pause
