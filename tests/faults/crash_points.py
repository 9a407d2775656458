"""F1: every service is killed at each of its named crash points, one after the other, while it works."""

import asyncio
import signal
from dataclasses import dataclass, field
from typing import Final

from deploy.local.demo.command import TENANT
from deploy.local.demo.people import People
from deploy.local.hr.organisation import make_organisation
from deploy.local.service import ServiceProcess
from shared.contracts import SERVICES, person_id
from shared.runtime.failpoints import POINTS
from tests.faults.story import PEOPLE, SEED, Fault
from tests.faults.world import PATIENCE_SECONDS, World
from tests.support.waiting import eventually

CONSUMER: Final = (
    "received_before_transaction",
    "before_transaction",
    "after_write_before_commit",
    "after_commit",
    "committed_before_offset_commit",
)
RELAY: Final = ("outbox_read_before_produce", "produced_before_outbox_delete")
COMMAND: Final = (
    "command_before_transaction",
    "command_written_before_commit",
    "command_committed_before_reply",
)
_STORY_SECONDS: Final = 1800.0

STOP: Final = "in_graceful_stop"
TIMER: Final = "timer_claimed_before_firing"
MAIL: Final = "side_effect_before_mark"

ORDER: Final = {
    # In the order in which the story gets there: profiles' timers are the last days that HR announced.
    "profiles": (*CONSUMER, *COMMAND, *RELAY, STOP, TIMER),
    "matching": (*CONSUMER, *RELAY, TIMER, *COMMAND, STOP),
    "feedback": (*CONSUMER, *RELAY, *COMMAND, STOP, TIMER),
    "notifications": (*CONSUMER, *COMMAND, *RELAY, STOP, MAIL, TIMER),
}

ELSEWHERE: Final = {
    "in_migration": "a migration is a process of its own: test_migrations.py kills it there",
} | {
    point: "nobody in the story asks for a run: tests/integration/services/test_run_crashes.py does, and kills it there"
    for point in POINTS
    if point.startswith("run_")
}
NOT_THERE: Final = {
    (service, MAIL): "only notifications has an effect outside its database"
    for service in SERVICES
    if service != "notifications"
}


def unaccounted() -> set[tuple[str, str]]:
    """Pairs of service and point that are neither tried nor said to be impossible."""
    tried = {(service, point) for service, points in ORDER.items() for point in points}
    return {(s, p) for s in SERVICES for p in POINTS - ELSEWHERE.keys()} - tried - NOT_THERE.keys()


@dataclass(slots=True)
class EveryCrashPoint(Fault):
    """A supervisor per service starts it armed with a point, and again with the next one when it has died."""

    matrix: str = "F1"
    name: str = "SIGKILL at every crash point of every service"
    died_at: list[tuple[str, str]] = field(default_factory=list)
    waiting_for: dict[str, str] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, world: World) -> None:
        for service in SERVICES:
            replica = world.stack.replica(service)
            self._tasks.append(asyncio.create_task(self._supervise(world, replica, ORDER[service])))
        self._tasks.append(asyncio.create_task(self._write_preferences(world)))

    async def end(self) -> None:
        self._over.set()
        self.senders_cut_off = sum(service == "notifications" for service, _ in self.died_at)
        await asyncio.gather(*self._tasks)
        self.injected = f"{len(self.died_at)} kills at {len(set(self.died_at))} points"
        assert not self.waiting_for, f"never got to {self.waiting_for}"

    async def _supervise(self, world: World, replica: ServiceProcess, points: tuple[str, ...]) -> None:
        for number, point in enumerate(points):
            self.waiting_for[replica.service] = point
            replica.extra_environment = {
                "MENTORING_FAILPOINT": point,
                "MENTORING_FAILPOINTS_ALLOWED": "1",
            }
            if number == 0:
                await replica.terminate()
            # Not waited for: it may die before it says that it is ready.
            await replica.start(ready_seconds=None)
            if point == STOP:
                await replica.wait_ready(PATIENCE_SECONDS)
                replica.process.send_signal(signal.SIGTERM)
            await self._until_dead(replica)
            if replica.running:
                return
            assert replica.exit_code == -signal.SIGKILL, f"{replica.name} ended by itself at {point}"
            world.say(f"  {replica.name} died at {point}")
            self.died_at.append((replica.service, point))
        del self.waiting_for[replica.service]
        replica.extra_environment = {}
        await world.start(replica)

    async def _until_dead(self, replica: ServiceProcess) -> None:
        """Return when it has died, or the story is over."""
        died = asyncio.create_task(replica.process.wait(_STORY_SECONDS))
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({died, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in (died, over):
            task.cancel()
        await asyncio.gather(died, over, return_exceptions=True)

    async def _write_preferences(self, world: World) -> None:
        """The story has no command of notifications, so somebody chooses what is chosen anyway, again and again."""
        member = make_organisation(PEOPLE, SEED).members[0]
        person = person_id(TENANT, member.employee_id)
        async with People(
            world.router, TENANT, world.stack.token, patience_seconds=PATIENCE_SECONDS
        ) as people:

            async def had() -> bool:
                if self._over.is_set():
                    return True
                await people.call(
                    person, "PUT", "notifications", f"/people/{person}/preferences", {"email_enabled": True}
                )
                return self.waiting_for.get("notifications") not in (*CONSUMER, *COMMAND)

            await eventually(had, seconds=_STORY_SECONDS, every=0.2, what="turn of notifications' commands")
