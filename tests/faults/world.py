"""The platform of one fault run: where requests go, what is measured, when a backlog is gone."""

import asyncio
import importlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import httpx
from aiokafka.errors import KafkaError

from deploy.local.clock import LocalClock
from deploy.local.service import ServiceProcess
from deploy.local.stack import LocalStack
from shared.contracts import SERVICES
from shared.messaging.kafka import LagReader, group_name, topic_name
from shared.runtime.settings import KafkaSettings
from tests.support.waiting import eventually

PATIENCE_SECONDS: Final = 600.0
"""How long anything may take before the platform counts as stuck: a deadline, not an expectation."""
CONSUMES: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(importlib.import_module(f"services.{name}.main").SERVICE.handlers.topics) for name in SERVICES
}
"""Which topics each service hears."""

_COUNTERS: Final = {
    "redelivered": re.compile(
        r'^mentoring_records_total\{[^}]*outcome="duplicate"[^}]*\} (\S+)', re.MULTILINE
    ),
    "batch retries": re.compile(r"^mentoring_batch_retries_total\{[^}]*\} (\S+)", re.MULTILINE),
    "failed sends": re.compile(r"^mentoring_outbox_send_failures_total\{[^}]*\} (\S+)", re.MULTILINE),
}


class Router(Mapping[str, str]):
    """A load balancer: each question for a service's address names the next replica that is in service."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._turn: Counter[str] = Counter()
        self.out: set[str] = set()
        """Names of replicas that get no requests: frozen or being stopped."""

    def __getitem__(self, service: str) -> str:
        replicas = self._stack.services[service]
        serving = [r for r in replicas if r.running and r.name not in self.out] or replicas
        self._turn[service] += 1
        return serving[self._turn[service] % len(serving)].url

    def __iter__(self) -> Iterator[str]:
        return iter(self._stack.services)

    def __len__(self) -> int:
        return len(self._stack.services)


class GatedClock(LocalClock):
    """The clock behind a gate: whoever takes PostgreSQL away holds it, so that time moves whole or not at all."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        super().__init__(dsns)
        self.gate = asyncio.Lock()

    async def now(self) -> datetime:
        async with self.gate:
            return await super().now()

    async def advance(self, delta: timedelta) -> timedelta:
        async with self.gate:
            return await super().advance(delta)


class Meter:
    """Sums counters over all processes that ever ran; what a process counted after the last look is missed."""

    _EVERY_SECONDS = 2.0

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._seen: dict[int, Counter[str]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Meter":
        self._task = asyncio.create_task(self._run(), name="meter")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def totals(self) -> Counter[str]:
        return sum(self._seen.values(), Counter[str]())

    async def look(self) -> None:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            replicas = [r for replicas in self._stack.services.values() for r in replicas if r.running]
            await asyncio.gather(*(self._look_at(http, replica) for replica in replicas))

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._EVERY_SECONDS)

    async def _look_at(self, http: httpx.AsyncClient, replica: ServiceProcess) -> None:
        pid = replica.pid
        try:
            answer = await http.get(f"{replica.url}/metrics")
        except httpx.TransportError:
            return  # it is being killed or frozen: what it has counted is asked for again, or lost
        if answer.is_success:
            self._seen[pid] = _counters(answer.text)


def _counters(text: str) -> Counter[str]:
    return Counter({name: sum(map(int, map(float, p.findall(text)))) for name, p in _COUNTERS.items()})


@dataclass(slots=True)
class World:
    """What a fault may touch, and what it must tell: how often it struck, and how long recovery took."""

    stack: LocalStack
    router: Router
    clock: GatedClock
    meter: Meter
    settings: KafkaSettings
    say: Callable[[str], None]
    recoveries: list[float] = field(default_factory=list)

    async def busy(self, *services: str, over: asyncio.Event) -> None:
        """Return in the middle of work: one of *services* (any of the four) has just written to its log.

        Or when the story is *over*, and there is no work any more.
        """
        watched = [r for name in services or SERVICES for r in self.stack.services[name]]
        before = {r.name: _size(r) for r in watched}

        async def writes() -> bool:
            return over.is_set() or any(_size(r) > before[r.name] + 500 for r in watched)

        await eventually(writes, seconds=PATIENCE_SECONDS, every=0.01, what="work in progress")

    async def start(self, replica: ServiceProcess) -> float:
        """Start a replica that has died; the seconds until it is ready count as recovery."""
        began = time.monotonic()
        await replica.start(ready_seconds=PATIENCE_SECONDS)
        self.recoveries.append(time.monotonic() - began)
        return self.recoveries[-1]

    async def recovered(self, *, since: float, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until every record is handled and every outbox empty; notes how long after *since* that was."""
        async with LagReader(self.settings) as lag:

            async def nothing_left() -> bool:
                try:
                    return await self._backlog(lag) == 0
                except (KafkaError, OSError):
                    return False  # still coming back

            await eventually(nothing_left, seconds=seconds, every=0.3, what="end of the backlog")
        self.recoveries.append(time.monotonic() - since)

    async def _backlog(self, lag: LagReader) -> int:
        groups = [
            (group_name(self.settings, service, topic), topic_name(self.settings, topic))
            for service, topics in CONSUMES.items()
            for topic in topics
        ]
        outboxes = await asyncio.gather(*(self.ask(name, "SELECT count(*) FROM outbox") for name in SERVICES))
        return sum(outboxes) or sum((await lag.behind(groups)).values())

    async def ask(self, service: str, query: str) -> int:
        """One number from a service's database, as the role that reads everything and writes nothing."""
        connection = await asyncpg.connect(self.stack.dsn(service, "check"), timeout=10)
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()


def _size(replica: ServiceProcess) -> int:
    try:
        return replica.log_path.stat().st_size
    except FileNotFoundError:
        return 0
