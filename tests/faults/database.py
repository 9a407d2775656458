"""F9, F10: PostgreSQL crashes, drops every connection, deadlocks and refuses to serialise."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from shared.contracts import SERVICES
from tests.faults.processes import Background
from tests.faults.world import PATIENCE_SECONDS, World

_OURS: Final = "usename LIKE 'mentoring_%' AND usename NOT LIKE '%_clock' AND usename NOT LIKE '%_check'"


@dataclass(slots=True)
class DatabaseCrash(Background):
    """PostgreSQL ends at once, as in a crash, and recovers from its log five seconds later."""

    matrix: str = "F9"
    name: str = "PostgreSQL crash and recovery"
    crashes: int = 0

    async def strike(self, world: World) -> None:
        for _ in range(4):
            async with self.blow(world):
                async with world.clock.gate:
                    await world.stack.postgres.kill()
                    self.crashes += 1
                    world.say("  PostgreSQL has crashed")
                    await asyncio.sleep(5)
                    await world.stack.postgres.restart(ready_seconds=PATIENCE_SECONDS)
                await world.recovered(since=time.monotonic())
        self.injected = f"{self.crashes} crashes"


@dataclass(slots=True)
class ConnectionsKilled(Background):
    """Every connection of every service is ended by the administrator, again and again."""

    matrix: str = "F9"
    name: str = "every connection killed at once"
    rounds: int = 0
    killed: int = 0

    async def strike(self, world: World) -> None:
        admin = await asyncpg.connect(world.stack.postgres.admin_dsn)
        try:
            while not await self.pause(1.5):
                self.killed += await admin.fetchval(
                    f"SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS}"
                )
                self.rounds += 1
        finally:
            await admin.close()
        await world.recovered(since=time.monotonic())
        self.injected = f"{self.killed} connections, {self.rounds} times"

    async def end(self) -> None:
        await Background.end(self)
        assert self.rounds >= 10
        assert self.killed >= 100


_WAITS: Final = (
    "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    " WHERE c.relname = 'outbox' AND NOT l.granted AND l.database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_DEADLOCKS: Final = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(slots=True)
class Deadlocks(Background):
    """Somebody locks the outbox and, as soon as a service waits for it, the inbox that this service has written.

    PostgreSQL ends the service's transaction (40P01): the other one is told to be more patient.
    """

    matrix: str = "F10"
    name: str = "deadlocks"
    provoked: dict[str, int] = field(default_factory=dict)

    async def strike(self, world: World) -> None:
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._provoke(world, service))

    async def _provoke(self, world: World, service: str) -> None:
        name = f"mentoring_{service}"
        here = await asyncpg.connect(world.stack.postgres.admin_dsn, database=name)
        watch = await asyncpg.connect(world.stack.postgres.admin_dsn, database=name)
        try:
            await here.execute("SET deadlock_timeout = '60s'")
            while not await self.pause(0.3):
                await self._once(here, watch)
            self.provoked[service] = int(await watch.fetchval(_DEADLOCKS))
        finally:
            await here.close()
            await watch.close()

    async def _once(self, here: "asyncpg.Connection[Any]", watch: "asyncpg.Connection[Any]") -> None:
        async with here.transaction():
            await here.execute("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE")
            while not await watch.fetchval(_WAITS):
                if await self.pause(0.01):
                    return
            await here.execute("LOCK TABLE inbox IN SHARE ROW EXCLUSIVE MODE")

    async def end(self) -> None:
        await Background.end(self)
        told = ", ".join(f"{service} {count}" for service, count in sorted(self.provoked.items()))
        self.injected = f"{sum(self.provoked.values())} deadlocks ({told})"
        assert all(self.provoked.get(service) for service in SERVICES), self.provoked
        assert sum(self.provoked.values()) >= 10


@dataclass(slots=True)
class Serialisation(Background):
    """All transactions of the services run SERIALIZABLE, so that PostgreSQL refuses many of them (40001)."""

    matrix: str = "F10"
    name: str = "serialisation failures"
    stack: dict[str, Any] = field(default_factory=lambda: {"replicas": dict.fromkeys(SERVICES, 2)})
    refused: int = 0

    async def begin(self, world: World) -> None:
        admin = await asyncpg.connect(world.stack.postgres.admin_dsn)
        try:
            for service in SERVICES:
                await admin.execute(
                    f"ALTER ROLE mentoring_{service}_app SET default_transaction_isolation = 'serializable'"
                )
        finally:
            await admin.close()
        replicas = [r for replicas in world.stack.services.values() for r in replicas]
        await asyncio.gather(*(replica.restart(ready_seconds=PATIENCE_SECONDS) for replica in replicas))
        await Background.begin(self, world)

    async def strike(self, world: World) -> None:
        await self._over.wait()
        log = world.stack.postgres.log_path.read_text(errors="replace")
        self.refused = log.count("could not serialize access")
        self.injected = f"{self.refused} refusals"
        assert self.refused >= 20
