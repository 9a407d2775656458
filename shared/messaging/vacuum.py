"""Clearing away what the relay has deleted, while it is at work and not a minute later."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.persistence.database import Database

log = structlog.get_logger()

VACUUM_ROWS: Final = 50_000
# Without truncation no lock is needed that readers and writers would meet; a neighbour's vacuum is not waited for.
_VACUUM: Final = "VACUUM (SKIP_LOCKED, TRUNCATE off) outbox"


class OutboxVacuum:
    """Vacuums the outbox beside the relay, after so many deleted rows.

    Every read begins at the oldest row, past the index entries of all that were deleted since the last vacuum, and
    new rows go to new pages until then. Autovacuum looks once a minute (``autovacuum_naptime``): at ten thousand rows
    a second that is half a million of them, and a table that PostgreSQL's memory does not hold.
    """

    def __init__(self, database: Database, rows: int = VACUUM_ROWS) -> None:
        self._database, self._rows = database, rows
        self._deleted = 0
        self._task: asyncio.Task[None] | None = None

    def deleted(self, count: int) -> None:
        """So many rows more; begins a vacuum when it is time and none is under way."""
        self._deleted += count
        if self._deleted >= self._rows and (self._task is None or self._task.done()):
            self._deleted = 0
            self._task = asyncio.create_task(self._vacuum(), name="outbox vacuum")

    async def _vacuum(self) -> None:
        try:
            await self._database.maintain(_VACUUM)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the outbox was not vacuumed", error=type(error).__name__)

    async def close(self) -> None:
        """Wait for the vacuum that is under way."""
        if self._task is not None:
            await self._task
