"""Deletes what has outlived its use: inbox rows and ledger rows older than the retention, settled dead letters.

Small bounded deletes, so that they never hold up the work.
"""

import asyncio
from typing import Final

import sqlalchemy as sa
import structlog

from shared.runtime.service import WorkerContext

log = structlog.get_logger()

_EVERY_SECONDS: Final = 600.0
_CHUNK: Final = 5000

_STATEMENTS: Final = tuple(
    sa.text(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
        f" WHERE {column} < clock_timestamp() - :days * interval '1 day' {more} LIMIT {_CHUNK}))"
    )
    for table, column, more in (
        ("inbox", "received_at", ""),
        ("outbox_ledger", "written_at", ""),
        ("dead_letter", "settled_at", "AND state <> 'open'"),
    )
)


async def run_janitor(context: WorkerContext) -> None:
    """Sweep every ten minutes until stopped."""
    while not context.stopping.is_set():
        deleted = await sweep(context)
        if deleted:
            log.info("old rows deleted", rows=deleted)
        try:
            await asyncio.wait_for(context.stopping.wait(), _EVERY_SECONDS)
        except TimeoutError:
            continue


async def sweep(context: WorkerContext) -> int:
    """Delete everything that is due, chunk by chunk; returns the number of rows."""
    total = 0
    for statement in _STATEMENTS:
        while not context.stopping.is_set():
            async with context.database.plumbing_transaction() as connection:
                result = await connection.execute(statement, {"days": context.settings.retention_days})
            total += result.rowcount
            if result.rowcount < _CHUNK:
                break
    return total
