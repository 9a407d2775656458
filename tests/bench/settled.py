"""A server as it is after a day, not as it is after `initdb`."""

from typing import Any

import asyncpg

_FILES = 60


async def settle(admin: "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]") -> None:
    """Give PostgreSQL the log files that it will need, and put a checkpoint behind it.

    A server that has run for a while writes into log files that it has used before (`min_wal_size` says how many it
    keeps). A new one makes each of them, and whoever commits meanwhile waits 50 ms: once a second at 16 MB/s. The
    checkpoint turns used files into files to be used, and writes what the work before has left in memory. *admin* is
    a superuser."""
    for _ in range(_FILES):
        await admin.execute("SELECT pg_logical_emit_message(false, 'bench', '')")
        await admin.execute("SELECT pg_switch_wal()")
    await admin.execute("CHECKPOINT")
