"""Waiting until nothing moves any more, and only then letting time pass."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError

from deploy.local.demo.people import People
from deploy.local.demo.watch import Watch
from shared.contracts import SERVICES
from shared.messaging.kafka import LagReader, group_name, topic_name
from shared.runtime.settings import KafkaSettings

_PATIENCE_SECONDS: Final = 900.0


class Clock(Protocol):
    """Business time, and the privilege to move it."""

    async def now(self) -> datetime: ...

    async def advance(self, delta: timedelta) -> timedelta: ...


class Restless(Exception):
    """The platform did not come to rest; the message says what is still moving."""


class Quiet:
    """Knows whether anything is still under way anywhere in the platform."""

    def __init__(
        self, people: People, watch: Watch, settings: KafkaSettings, lag: LagReader, clock: Clock
    ) -> None:
        self._people, self._watch, self._settings = people, watch, settings
        self._lag_reader, self._clock = lag, clock
        self._groups: list[tuple[str, str]] | None = None

    async def wait(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Return when lag, outboxes, due timers and queued mails are all 0, twice in a row.

        Twice, and with nothing said in between: one look asks one place after the other, and an event may
        hop from a place not asked yet to one asked already.
        Raises :class:`Restless` after fifteen minutes without rest.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        calm = 0
        said_before = -1
        pause = 0.1
        while calm < 2:
            moving = await self.moving()
            said = self._watch.total
            calm = 0 if moving else calm + 1 if said == said_before else 1
            said_before = said
            if moving:
                progress(", ".join(f"{what} {count}" for what, count in moving.items()))
                if time.monotonic() > deadline:
                    raise Restless(f"not at rest after {_PATIENCE_SECONDS:.0f} s: {moving}")
                pause = min(0.5, pause * 1.3)
            await asyncio.sleep(pause if moving else 0.1)

    async def moving(self) -> dict[str, int]:
        """What is under way, by name; empty at rest. The cheap questions first, the dear ones only at rest."""
        status = await asyncio.gather(
            *(self._people.operator(name, "/management/status") for name in SERVICES)
        )
        found: dict[str, int] = {}
        for name, state in zip(SERVICES, status, strict=True):
            found[f"outbox of {name}"] = state["outbox_pending"]
            found[f"timers of {name}"] = state["timers_due"]
        if not any(found.values()):
            mails = await self._people.operator("notifications", "/management/summary")
            found["mails queued"] = mails["queued"]
        if not any(found.values()):
            try:
                found["lag"] = sum((await self._lag(status)).values())
                found["unread by the demo"] = 0 if await self._watch.caught_up() else 1
            except (KafkaError, OSError):
                found["answers that Kafka owes"] = 1
        return {what: count for what, count in found.items() if count}

    async def _lag(self, status: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
        if self._groups is None:
            self._groups = [
                (
                    group_name(self._settings, state["service"], consumer["topic"]),
                    topic_name(self._settings, consumer["topic"]),
                )
                for state in status
                for consumer in state["consumers"]
            ]
        return await self._lag_reader.behind(self._groups)

    async def let_pass(self, delta: timedelta, progress: Callable[[str], None] = lambda _: None) -> datetime:
        """Rest, move the clock of all four services, rest again; returns the new business time."""
        await self.wait(progress)
        await self._clock.advance(delta)
        await self.wait(progress)
        return await self._clock.now()

    async def now(self) -> datetime:
        return await self._clock.now()
