"""Business time of the embedded stack: moved in steps, in all services' databases at once."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from deploy.local.errors import LocalStackError

_OFFSET = "SELECT offset_interval FROM app_clock FOR UPDATE"
_SET_OFFSET = "UPDATE app_clock SET offset_interval = $1"


class LocalClock:
    """Shifts what `app_now()` says, as the one role of each database that may.

    Time only goes forward. Whoever moves it first waits until nothing is under way (consumer lag, outbox and
    due timers all 0), or effects of the old time happen in the new one.
    """

    def __init__(self, dsns: Mapping[str, str]) -> None:
        """`dsns` are connection strings of the clock role, by service."""
        self._dsns = dict(dsns)

    async def now(self) -> datetime:
        """Business time, as the first service's database has it."""
        connection = await asyncpg.connect(next(iter(self._dsns.values())), timeout=10)
        try:
            now = await connection.fetchval("SELECT app_now()")
        finally:
            await connection.close()
        if not isinstance(now, datetime):
            raise LocalStackError(f"app_now() answered {now!r}: has the database been migrated?")
        return now

    async def advance(self, delta: timedelta) -> timedelta:
        """Move time forward in every database; returns the offset from real time that all have now.

        All rows are locked before any is written, and written before any transaction commits. Should the
        databases disagree after a crash in between, the one furthest ahead is what the others catch up with.
        """
        if delta < timedelta(0):
            raise ValueError("business time only goes forward")
        async with asyncio.timeout(30):
            connections: list[asyncpg.Connection[Any]] = []
            try:
                for dsn in self._dsns.values():
                    connections.append(await asyncpg.connect(dsn, timeout=10))
                return await self._move(connections, delta)
            finally:
                await asyncio.gather(*(connection.close() for connection in connections))

    async def _move(self, connections: "list[asyncpg.Connection[Any]]", delta: timedelta) -> timedelta:
        transactions = [connection.transaction() for connection in connections]
        for transaction in transactions:
            await transaction.start()
        offsets: list[timedelta] = [await connection.fetchval(_OFFSET) for connection in connections]
        offset = max(offsets) + delta
        for connection in connections:
            if await connection.execute(_SET_OFFSET, offset) != "UPDATE 1":
                raise LocalStackError("the clock role may not move this database's clock")
        for transaction in transactions:
            await transaction.commit()
        return offset
