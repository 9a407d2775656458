"""F4, F6, F8: brokers that go, freeze and lead no more; groups that never settle; members that come back late."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from deploy.local.service import ServiceProcess
from shared.contracts import SERVICES
from shared.messaging.kafka import make_admin
from tests.faults.processes import Background
from tests.faults.world import PATIENCE_SECONDS, World
from tests.support.waiting import eventually

_DOWN_SECONDS: Final = 60.0
_FROZEN_SECONDS: Final = 20.0


@dataclass(slots=True)
class BrokerDown(Background):
    """The services start while no broker is there; later the broker is away for a minute, amid work."""

    matrix: str = "F4"
    name: str = "broker down at boot, and for 60 s"

    async def begin(self, world: World) -> None:
        replicas = [world.stack.replica(service) for service in SERVICES]
        await asyncio.gather(*(replica.terminate() for replica in replicas))
        await world.stack.kafka.kill()
        # Ready without Kafka: commands are taken, and what they say waits in the outbox.
        await asyncio.gather(*(replica.start(ready_seconds=PATIENCE_SECONDS) for replica in replicas))
        await world.stack.kafka.restart(ready_seconds=PATIENCE_SECONDS)
        began = time.monotonic()
        await world.recovered(since=began)
        await Background.begin(self, world)

    async def strike(self, world: World) -> None:
        async with self.blow(world, "matching"):
            await world.stack.kafka.kill()
            world.say("  the broker is down")
            await asyncio.sleep(_DOWN_SECONDS)
            for service in SERVICES:
                assert world.stack.replica(service).running, f"{service} did not outlive the outage"
            await world.stack.kafka.restart(ready_seconds=PATIENCE_SECONDS)
            world.say("  the broker is back")
            await world.recovered(since=time.monotonic())
        self.injected = "2 outages"


@dataclass(slots=True)
class LeaderLoss(Background):
    """Three brokers, three replicas of every partition: each broker is killed in turn, amid work."""

    matrix: str = "F4"
    name: str = "SIGKILL of every partition's leader, 3 brokers"
    stack: dict[str, Any] = field(default_factory=lambda: {"brokers": 3})
    led: set[tuple[str, int]] = field(default_factory=set)
    """Partitions whose leader has been killed."""
    everything: set[tuple[str, int]] = field(default_factory=set)
    kills: int = 0

    async def strike(self, world: World) -> None:
        for node in (1, 2, 3):
            async with self.blow(world):
                await self._kill(world, node)
        while missing := self.everything - self.led:
            async with self.blow(world):
                await self._kill(world, (await _leaders(world))[min(missing)])
        self.injected = f"{self.kills} kills, {len(self.led)} partitions"

    async def _kill(self, world: World, node: int) -> None:
        leaders = await _leaders(world)
        self.everything |= leaders.keys()
        self.led |= {partition for partition, leader in leaders.items() if leader == node}
        await world.stack.kafka.kill(node)
        self.kills += 1
        world.say(f"  broker {node} is dead")
        killed = time.monotonic()
        await asyncio.sleep(12)  # longer than a broker's session: the others must take over
        await world.recovered(since=killed)
        await world.stack.kafka.restart(node, ready_seconds=PATIENCE_SECONDS)

        async def in_sync() -> bool:
            return all(count == 3 for count in (await _in_sync(world)).values())

        await eventually(in_sync, seconds=PATIENCE_SECONDS, every=0.5, what="three replicas in sync")


async def _partitions(world: World) -> list[tuple[str, dict[str, Any]]]:
    admin = make_admin(world.settings, "faults")
    await admin.start()
    try:
        return [
            (entry["topic"], partition)
            for entry in await admin.describe_topics()
            for partition in entry["partitions"]
        ]
    finally:
        await admin.close()


async def _leaders(world: World) -> dict[tuple[str, int], int]:
    return {(topic, p["partition"]): p["leader"] for topic, p in await _partitions(world)}


async def _in_sync(world: World) -> dict[tuple[str, int], int]:
    return {(topic, p["partition"]): len(p["isr"]) for topic, p in await _partitions(world)}


@dataclass(slots=True)
class FrozenBroker(Background):
    """The broker freezes with relays and consumers in flight: connections stay open and nothing answers."""

    matrix: str = "F6"
    name: str = "frozen broker, 20 s, twice"
    freezes: int = 0

    async def strike(self, world: World) -> None:
        for _ in range(2):
            async with self.blow(world, "matching"):
                world.stack.kafka.pause()
                world.say("  the broker is frozen")
                try:
                    await asyncio.sleep(_FROZEN_SECONDS)
                finally:
                    world.stack.kafka.resume()
                self.freezes += 1
                await world.recovered(since=time.monotonic())
        self.injected = f"{self.freezes} freezes"


@dataclass(slots=True)
class RebalanceStorm(Background):
    """A third and a fourth replica of each service come and go, gracefully and killed, all the time."""

    matrix: str = "F8"
    name: str = "rebalance storm, 2→4→2 replicas"
    stack: dict[str, Any] = field(default_factory=lambda: {"replicas": dict.fromkeys(SERVICES, 2)})
    changes: int = 0

    async def strike(self, world: World) -> None:
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._come_and_go(world, service))

    async def _come_and_go(self, world: World, service: str) -> None:
        guests = [await world.stack.add_replica(service, number) for number in ("2", "3")]
        self.changes += 2
        graceful = True
        while not self._over.is_set():
            for guest in guests:
                world.router.out.add(guest.name)
                await (guest.terminate() if graceful else guest.kill())
                self.senders_cut_off += service == "notifications" and not graceful
                if not await self.pause(1):
                    await guest.start(ready_seconds=PATIENCE_SECONDS)
                    world.router.out.discard(guest.name)
                self.changes += 2
            graceful = not graceful
        await asyncio.gather(*(guest.terminate() for guest in guests))

    async def end(self) -> None:
        await Background.end(self)
        self.injected = f"{self.changes} joins and leaves"
        assert self.changes >= 4 * len(SERVICES)


_ZOMBIE_SECONDS: Final = 25.0
_ZOMBIES: Final = (
    ("matching", "after_write_before_commit"),
    ("notifications", "after_write_before_commit"),
    ("matching", "outbox_read_before_produce"),
    ("notifications", "outbox_read_before_produce"),
)


@dataclass(slots=True)
class Zombies(Background):
    """A replica is frozen with a transaction open, past every timeout, and wakes when others have its work.

    A consumer has written everything and committed nothing; a relay holds the lock and rows that it will send.
    """

    matrix: str = "F8"
    name: str = "zombie consumers and zombie relays, 25 s"
    stack: dict[str, Any] = field(default_factory=lambda: {"replicas": dict.fromkeys(SERVICES, 2)})
    frozen: int = 0
    remarks: str = (
        "frozen past the group session (10 s) and PostgreSQL's limit for idle transactions"
        " (set to 12 s for this run)"
    )

    async def begin(self, world: World) -> None:
        admin = await asyncpg.connect(world.stack.postgres.admin_dsn)
        try:
            for service in SERVICES:
                for role in ("app", "plumbing"):
                    await admin.execute(
                        f"ALTER ROLE mentoring_{service}_{role} SET idle_in_transaction_session_timeout = '12s'"
                    )
        finally:
            await admin.close()
        # Anew, because a role's settings hold for new sessions.
        replicas = [r for replicas in world.stack.services.values() for r in replicas]
        await asyncio.gather(*(replica.restart(ready_seconds=PATIENCE_SECONDS) for replica in replicas))
        await Background.begin(self, world)

    async def strike(self, world: World) -> None:
        for service, point in _ZOMBIES:
            await self._freeze(world, world.stack.replica(service), point)
        self.injected = f"{self.frozen} zombies"

    async def _freeze(self, world: World, replica: ServiceProcess, point: str) -> None:
        world.router.out.add(replica.name)
        replica.extra_environment = {
            "MENTORING_FAILPOINT": f"{point}:2:freeze",
            "MENTORING_FAILPOINTS_ALLOWED": "1",
        }
        await replica.restart(ready_seconds=None)
        replica.extra_environment = {}

        async def stopped() -> bool:
            return self._over.is_set() or _state(replica.pid) == "T"

        await eventually(stopped, seconds=PATIENCE_SECONDS, what=f"{replica.name} at {point}")
        assert not self._over.is_set(), f"{replica.name} never got to {point}"
        world.say(f"  {replica.name} is frozen at {point}")
        async with self._blow:
            try:
                await asyncio.sleep(_ZOMBIE_SECONDS)
            finally:
                replica.resume()
            self.frozen += 1
            self.senders_cut_off += replica.name.startswith(
                "notifications"
            )  # for longer than a lease is left
            await world.recovered(since=time.monotonic())
        world.router.out.discard(replica.name)


def _state(pid: int) -> str:
    """What Linux says the process does: T for one that is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
