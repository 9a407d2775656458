"""F2, F3, F22: processes killed at random, replaced one by one, and in pairs."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.local.service import ServiceProcess
from shared.contracts import SERVICES
from tests.faults.story import LAST_STEP, SEED, Fault
from tests.faults.world import PATIENCE_SECONDS, World
from tests.support.waiting import eventually


@dataclass(slots=True)
class Background(Fault):
    """A fault that strikes from a task of its own until the last step, which begins when it is healed."""

    _task: asyncio.Task[None] | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _blow: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self, world: World) -> None:
        self._task = asyncio.create_task(self.strike(world), name=self.name)

    async def strike(self, world: World) -> None:
        """Do it, and heal it, until `_over` is set."""
        raise NotImplementedError

    async def step(self, name: str) -> None:
        assert self._task is not None
        if self._task.done():
            self._task.result()
        async with self._blow:
            pass
        if name == LAST_STEP:
            self._over.set()
            await self._task

    async def end(self) -> None:
        self._over.set()
        if self._task is not None:
            await self._task

    @asynccontextmanager
    async def blow(self, world: World, *services: str) -> AsyncIterator[None]:
        """Amid work of *services*, or when there is none any more: the next step waits until this is healed."""
        await world.busy(*services, over=self._over)
        async with self._blow:
            yield

    async def pause(self, seconds: float) -> bool:
        """Wait so long, or until it is over; whether it is over."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return False
        return True


_KILLS: Final = 100
_PER_STEP: Final = 13
"""Eight steps come before the last one."""


@dataclass(slots=True)
class RandomKills(Background):
    """Each service is killed at moments that the seed chooses; no step ends before it has had its share."""

    matrix: str = "F2"
    name: str = "random SIGKILL"
    kills: int = 0
    _allowed: int = 0

    async def strike(self, world: World) -> None:
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._kill_again_and_again(world, service))

    async def step(self, name: str) -> None:
        await eventually(self._had, seconds=PATIENCE_SECONDS, what=f"{self._allowed} kills")
        self._allowed += _PER_STEP
        await Background.step(self, name)

    async def _had(self) -> bool:
        assert self._task is not None
        if self._task.done():
            self._task.result()
        return self.kills >= self._allowed

    async def _kill_again_and_again(self, world: World, service: str) -> None:
        luck = random.Random(f"{SEED} {service}")
        replica = world.stack.replica(service)
        start_seconds = 2.0
        # In the measure of a start, so that it also gets something done on a slow machine.
        while not await self.pause(luck.uniform(0.1, 1.2) * start_seconds):
            if await self._had():
                continue
            await replica.kill()
            self.kills += 1
            self.senders_cut_off += service == "notifications"
            start_seconds = await world.start(replica)

    async def end(self) -> None:
        await Background.end(self)
        self.injected = f"{self.kills} kills"
        assert self.kills >= _KILLS


@dataclass(slots=True)
class Rolling(Background):
    """Two replicas of each service; in turn each is stopped with SIGTERM and started again."""

    matrix: str = "F3"
    name: str = "rolling SIGTERM, 2→1→2 replicas"
    stack: dict[str, Any] = field(default_factory=lambda: {"replicas": dict.fromkeys(SERVICES, 2)})
    stops: int = 0

    async def strike(self, world: World) -> None:
        while not self._over.is_set():
            for number in ("0", "1"):
                for service in SERVICES:
                    await self._replace(world, world.stack.replica(service, number))
                    if await self.pause(0.5):
                        return

    async def _replace(self, world: World, replica: ServiceProcess) -> None:
        world.router.out.add(replica.name)
        code = await replica.terminate(PATIENCE_SECONDS)
        assert code == 0, f"{replica.name} did not stop gracefully: exit code {code}"
        self.stops += 1
        await world.start(replica)
        world.router.out.discard(replica.name)

    async def end(self) -> None:
        await Background.end(self)
        self.injected = f"{self.stops} stops"
        assert self.stops >= 2 * len(SERVICES)


@dataclass(slots=True)
class Pairs(Fault):
    """Two replicas of everything: two relays, two timer workers, two senders on one database."""

    matrix: str = "F22"
    name: str = "two relays, two timer workers, two of every consumer"
    stack: dict[str, Any] = field(default_factory=lambda: {"replicas": dict.fromkeys(SERVICES, 2)})

    async def end(self) -> None:
        self.injected = "2 replicas of 4 services"
