"""The real services on real servers, inside the test process: a topic prefix and groups of its own for one test module,
on the databases of :mod:`tests.support.databases`, with replicas of :mod:`tests.support.instance`."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.local.clock import LocalClock
from deploy.local.issuer import Issuer
from shared.contracts import TOPIC, EventData
from shared.contracts.topics import SERVICES
from shared.messaging.kafka import LagReader, group_name, make_producer
from shared.messaging.topics import create_topics
from shared.persistence.bootstrap import CLOCK_ROLE
from shared.persistence.outbox import OutboxRecord
from shared.runtime.settings import Settings
from tests.support.databases import Databases, settings_for
from tests.support.instance import Instance, service_of
from tests.support.records import said_by
from tests.support.waiting import eventually


class Platform:
    """Services under one topic prefix, and what moves all of them."""

    def __init__(self, databases: Databases, issuer: Issuer, prefix: str) -> None:
        self.databases = databases
        self.issuer = issuer
        self.prefix = prefix
        self.clock = LocalClock({service: databases.dsn(service, CLOCK_ROLE) for service in SERVICES})
        self._instances: dict[tuple[str, str], Instance] = {}
        self._producer: AIOKafkaProducer | None = None
        self._running = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, databases: Databases, folder: Path, *, topics: Iterable[str] = ()
    ) -> AsyncIterator["Platform"]:
        """A platform of one's own with these topics on the broker; the issuer's key is made in *folder*."""
        await databases.nothing_under_way()
        platform = cls(databases, Issuer.open(folder), f"t{uuid.uuid4().hex[:8]}.")
        wanted = [TOPIC[name] for name in topics]
        if wanted:
            await create_topics(platform.settings("profiles"), wanted)
        try:
            yield platform
        finally:
            for instance in platform._instances.values():
                await instance.close()
            if platform._producer is not None:
                await platform._producer.stop()

    def settings(self, service: str, replica: str = "r0", **changes: Any) -> Settings:
        return settings_for(
            self.databases,
            service,
            replica=replica,
            kafka_topic_prefix=self.prefix,
            kafka_group_prefix=self.prefix,
            auth_issuer=self.issuer.issuer,
            auth_audience=self.issuer.audience,
            auth_jwks_file=self.issuer.jwks_file,
            **changes,
        )

    def __getitem__(self, service: str) -> Instance:
        """The first replica of a service, made when it is first asked for."""
        return self.replica(service, "r0")

    def replica(self, service: str, replica: str, **changes: Any) -> Instance:
        """A replica of a service, made with these settings when it is first asked for."""
        if (service, replica) not in self._instances:
            self._instances[service, replica] = Instance(
                service_of(service), self.settings(service, replica, **changes), self.issuer
            )
        return self._instances[service, replica]

    # Kafka

    async def publish(self, tenant: str, *events: EventData, version: int = 1) -> None:
        """Publish contract events as the services that own them would."""
        now = await self["profiles"].now()
        await self.send(*(said_by(tenant, event, version=version, now=now) for event in events))

    async def send(self, *rows: OutboxRecord) -> None:
        """Publish finished records, in order, and wait until the broker has them."""
        if self._producer is None:
            self._producer = make_producer(self.settings("profiles"), "test")
            await self._producer.start()
        pending = [
            await self._producer.send(
                self.prefix + row.topic,
                row.payload,
                row.key.encode(),
                headers=[(name, value.encode()) for name, value in row.headers.items()],
            )
            for row in rows
        ]
        for each in pending:
            await each

    # all services at once

    async def run(self) -> None:
        """Let all services run on the real broker, on which all topics must be."""
        for service in SERVICES:
            await self[service].run()
        self._running = True

    async def hear_hr(self, *rows: OutboxRecord) -> None:
        """What an HR system publishes reaches *profiles*."""
        if self._running:
            await self.send(*rows)
            await self._quiet()
        else:
            await self["profiles"].handle(*rows)

    async def _quiet(self) -> None:
        """Wait until nothing is under way: outboxes empty and every topic consumed by whoever hears it."""
        groups = [
            (group_name(self[service].settings, service, topic), self.prefix + topic)
            for service in SERVICES
            for topic in self[service].process.service.handlers.topics
        ]

        async with LagReader(self.settings("profiles")) as reader:

            async def still() -> bool:
                before = await self._said()
                if any((await reader.behind(groups)).values()):
                    return False
                # Whatever was consumed meanwhile has said nothing, so nothing is left to be consumed.
                return all(pending == 0 for _, pending in before) and before == await self._said()

            await eventually(still, what="quiet")

    async def _said(self) -> list[tuple[int, int]]:
        """For each service, how much it has ever said and how much of it waits to be sent."""
        query = (
            "SELECT (SELECT count(*) FROM outbox_ledger) AS ever, (SELECT count(*) FROM outbox) AS pending"
        )
        rows = [(await self[service].plumbing(query))[0] for service in SERVICES]
        return [(row["ever"], row["pending"]) for row in rows]

    async def carry(self, *services: str) -> None:
        """Bring what these services (all, if none is named) have said to those that hear it, until it is quiet.

        Unless the platform runs it is done by hand, from outbox to handlers: what relay, broker and consumers
        do, without them, for tests that are about something else.
        """
        if self._running:
            await self._quiet()
            return
        instances = [self[service] for service in services or SERVICES]
        while rows := [row for instance in instances for row in await instance.take_outbox()]:
            for instance in instances:
                await instance.handle(*(row for row in rows if instance.hears(row.topic)))

    async def pass_time(self, delta: timedelta) -> None:
        """Move business time in all databases. Timers that become due are not fired."""
        await self.clock.advance(delta)
