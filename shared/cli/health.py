"""How every service does: asked over its health and management routes and from Kafka, then judged.

A service that does not answer is a finding like any other; only what nobody could ask is left open (None).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.errors import KafkaError

from shared.cli.client import ServiceProblem, Services
from shared.cli.kafka import lags, sentence
from shared.cli.output import counted, duration
from shared.cli.target import Target
from shared.runtime.settings import KafkaSettings

OUTBOX_OLD_SECONDS: Final = 30.0
"""The relay sends within milliseconds; a row as old as this says that it cannot."""
TIMER_LATE_SECONDS: Final = 900.0
"""Business time. A timer whose handler fails is tried again every 5 minutes at least, and a round takes less."""
LAG_MANY: Final = 10_000
"""Records: more than a service works off in a few seconds."""


@dataclass(slots=True)
class Replica:
    """One address of a service, and what it said."""

    service: str
    url: str
    ready: bool | None = None
    live: bool | None = None
    schema: str | None = None
    backlog: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Health:
    """One service: its replicas, its groups' lag by topic, and its problems as sentences."""

    service: str
    replicas: list[Replica]
    lag: dict[str, int] | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        return not self.problems

    @property
    def backlog(self) -> dict[str, Any]:
        """The numbers of the service's database: the same from whichever replica could say them."""
        return next((replica.backlog for replica in self.replicas if replica.backlog), {})

    def document(self) -> dict[str, Any]:
        names = (
            "outbox_pending",
            "outbox_oldest_seconds",
            "timers_due",
            "timers_oldest_seconds",
            "timers_pending",
            "dead_letters_open",
            "erasures_overdue",
        )
        return {
            "service": self.service,
            "healthy": self.healthy,
            "problems": self.problems,
            **{name: self.backlog.get(name) for name in (*names, "business_time")},
            "lag": self.lag,
            "replicas": [
                {
                    "url": replica.url,
                    "ready": replica.ready,
                    "live": replica.live,
                    "schema": replica.schema,
                    "consumers": (replica.backlog or {}).get("consumers"),
                    "relay_waiting_for": (replica.backlog or {}).get("relay_waiting_for"),
                    "timers_waiting_for": (replica.backlog or {}).get("timers_waiting_for"),
                }
                for replica in self.replicas
            ],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The whole platform at one moment."""

    services: Sequence[Health]
    kafka_problem: str | None

    @property
    def healthy(self) -> bool:
        return self.kafka_problem is None and all(health.healthy for health in self.services)

    @property
    def problems(self) -> list[str]:
        """Every problem as a sentence."""
        return [
            *([self.kafka_problem] if self.kafka_problem else []),
            *(problem for health in self.services for problem in health.problems),
        ]

    def document(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "kafka": {"reachable": self.kafka_problem is None, "problem": self.kafka_problem},
            "services": [health.document() for health in self.services],
        }


async def examine(target: Target) -> Report:
    """Ask everybody at the same time."""
    settings = target.kafka()
    addresses = {service: target.urls_of(service) for service in target.services}
    async with Services(target, "operator") as services:
        services.token()  # whoever cannot have one is told so once
        asked = [_service(services, service, urls) for service, urls in addresses.items()]
        (behind, kafka_problem), found = await asyncio.gather(
            _lags(settings, target.services), asyncio.gather(*asked)
        )
    for health in found:
        health.lag = None if behind is None else behind[health.service]
        health.problems += _judge(health)
    return Report(found, kafka_problem)


async def _lags(
    settings: KafkaSettings, services: Sequence[str]
) -> tuple[dict[str, dict[str, int]] | None, str | None]:
    try:
        return await lags(settings, services), None
    except KafkaError as error:
        return None, sentence(settings, error)


async def _service(services: Services, service: str, urls: Sequence[str]) -> Health:
    replicas = [Replica(service, url) for url in urls]
    await asyncio.gather(*(_replica(services, replica) for replica in replicas))
    problems = [
        problem if len(replicas) == 1 else f"{problem.rstrip('.')} ({replica.url})."
        for replica in replicas
        for problem in replica.problems
    ]
    return Health(service, replicas, problems=problems)


async def _replica(services: Services, replica: Replica) -> None:
    name = replica.service
    try:
        ready = await services.ask_at(name, replica.url, "GET", "/health/ready", also=(503,))
        live = await services.ask_at(name, replica.url, "GET", "/health/live", also=(503,))
    except ServiceProblem as problem:
        replica.problems.append(str(problem))
        return
    replica.ready, replica.live = bool(ready.get("ready")), bool(live.get("live"))
    why = str(ready.get("why", ""))
    if replica.ready:
        replica.schema = "at head"
    else:
        replica.problems.append(f"{name} is not ready: {why}.")
        if why.startswith("the schema is at "):
            replica.schema = why.removeprefix("the schema is ").partition(",")[0]
    for task, state in live.get("tasks", {}).items():
        if state == "dead":
            replica.problems.append(f"{name}: its task `{task}` has ended; restart this replica.")
        elif state != "running":
            replica.problems.append(f"{name}: its task `{task}` waits for {state}.")
    try:
        headers = {"authorization": f"Bearer {services.token()}"}
        replica.backlog = await services.ask_at(
            name, replica.url, "GET", "/management/status", headers=headers
        )
    except ServiceProblem as problem:
        replica.problems.append(f"No backlog is known of {problem}")


def _judge(health: Health) -> list[str]:
    """What the numbers say, whoever of the replicas said them."""
    name, backlog, problems = health.service, health.backlog, []
    for topic, behind in (health.lag or {}).items():
        if behind > LAG_MANY:
            problems.append(f"{name} is {counted(behind, 'record')} behind on {topic}.")
    if (oldest := float(backlog.get("outbox_oldest_seconds") or 0)) > OUTBOX_OLD_SECONDS:
        problems.append(f"{name} has had an event to send for {duration(oldest)}.")
    if (oldest := float(backlog.get("timers_oldest_seconds") or 0)) > TIMER_LATE_SECONDS:
        problems.append(f"{name} has had a timer to fire for {duration(oldest)}.")
    if dead := int(backlog.get("dead_letters_open") or 0):
        letters = counted(dead, "open dead letter")
        problems.append(f"{name} has {letters}, all tenants together: `mentoring dlq list --service {name}`.")
    if overdue := int(backlog.get("erasures_overdue") or 0):
        problems.append(
            f"{counted(overdue, 'erasure')} not confirmed in time, all tenants together:"
            " `mentoring person erasures --overdue`."
        )
    return problems
