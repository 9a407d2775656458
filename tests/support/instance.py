"""One replica of one service, wired as its process would be, inside the test's process. A test starts what it needs:
HTTP, a consumer, the relay, the timers."""

import asyncio
import importlib
import itertools
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import sqlalchemy as sa
from faststream.kafka import KafkaBroker

from deploy.local.issuer import Issuer
from shared.contracts import EventData
from shared.messaging.consumer import TopicConsumer
from shared.messaging.handlers import Outcome
from shared.messaging.kafka import make_broker
from shared.persistence.database import is_transient
from shared.persistence.outbox import OutboxRecord
from shared.runtime.process import Process
from shared.runtime.service import Service, WorkerContext
from shared.runtime.settings import Settings
from tests.support.records import record_of, said_by
from tests.support.waiting import eventually


def service_of(name: str) -> Service:
    """The service as its ``main`` module declares it."""
    service = importlib.import_module(f"services.{name}.main").SERVICE
    assert isinstance(service, Service)
    return service


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who calls: what a token says about them."""

    subject: str
    tenant: str
    roles: tuple[str, ...] = ()


class Instance:
    """One replica of one service. Nothing of it runs by itself."""

    def __init__(self, service: Service, settings: Settings, issuer: Issuer) -> None:
        self.name = service.name
        self.settings = settings
        self.process = Process(service, settings)
        self._issuer = issuer
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.process.app, raise_app_exceptions=False),
            base_url=f"http://{service.name}",
        )
        self._consuming: dict[str, tuple[TopicConsumer, KafkaBroker]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Start consumers, relay and workers. Timers are fired by hand still, for the sake of order."""
        process = self.process
        await process.broker.start()
        context = WorkerContext(self.settings, process.database, process.stopping)
        self._tasks = [
            asyncio.create_task(process.relay.run()),
            *(asyncio.ensure_future(worker.run(context)) for worker in process.service.workers),
        ]

    async def close(self) -> None:
        for topic in list(self._consuming):
            await self.stop_consuming(topic)
        if self._tasks:
            await asyncio.gather(*(consumer.drain() for consumer in self.process.consumers))
            await self.process.broker.stop()
            self.process.stopping.set()
            self.process.relay.stop()
            await asyncio.gather(*self._tasks)
        await self._http.aclose()
        await self.process.relay.close()
        await self.process.database.close()
        self.process.tracing.close()

    # HTTP

    async def call(self, who: Who | None, method: str, path: str, **options: Any) -> httpx.Response:
        """A request with *who*'s token, or with none. *options* are those of httpx."""
        headers = dict(options.pop("headers", {}))
        if who is not None:
            token = self._issuer.token(who.subject, who.tenant, who.roles)
            headers["authorization"] = f"Bearer {token}"
        return await self._http.request(method, path, headers=headers, **options)

    async def ask(self, who: Who, method: str, path: str, **options: Any) -> Any:
        """The same for a request that must succeed; returns the answer's body."""
        answer = await self.call(who, method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    # events in

    async def hear(self, tenant: str, *events: EventData, version: int = 1) -> None:
        """Handle contract events as if they had just been consumed. None may be refused."""
        now, before = await self.now(), await self.dead(tenant)
        await self.handle(*(said_by(tenant, event, version=version, now=now) for event in events))
        assert await self.dead(tenant) == before

    async def handle(self, *rows: OutboxRecord) -> None:
        """Hand records to the batch processors, topic by topic, without a broker between."""
        for topic, group in itertools.groupby(rows, key=lambda row: row.topic):
            await self._processor(topic).process([record_of(row) for row in group])

    def hears(self, topic: str) -> bool:
        return topic in self.process.service.handlers.topics

    async def consume(self, topic: str) -> None:
        """Start this replica's consumer of *topic*."""
        broker = make_broker(self.settings, f"{self.name}-{self.settings.replica}-{topic}")
        consumer = TopicConsumer(self.settings, broker, self._processor(topic), self.process.metrics)
        self._consuming[topic] = consumer, broker
        await broker.start()

    async def stop_consuming(self, topic: str) -> None:
        consumer, broker = self._consuming.pop(topic)
        await consumer.drain()
        await broker.stop()

    def _processor(self, topic: str) -> Any:
        return next(each.processor for each in self.process.consumers if each.topic == topic)

    async def outcomes(self, tenant: str) -> dict[str, int]:
        """How many records of the tenant have ended how."""
        rows = await self.plumbing(
            "SELECT outcome, count(*) AS number FROM inbox WHERE tenant = $1 GROUP BY 1", tenant
        )
        return {row["outcome"]: row["number"] for row in rows}

    async def dead(self, tenant: str) -> list[tuple[str, str]]:
        """Reason and detail of the tenant's open dead letters."""
        rows = await self.plumbing(
            "SELECT reason, detail FROM dead_letter WHERE tenant = $1 AND state = 'open' ORDER BY died_at, id",
            tenant,
        )
        return [(row["reason"], row["detail"]) for row in rows]

    async def settled(self, tenant: str, records: int) -> None:
        """Wait until so many of the tenant's records have reached an outcome, none of them a dead letter."""

        async def all_of_them() -> bool:
            outcomes = await self.outcomes(tenant)
            assert Outcome.DEAD not in outcomes, await self.dead(tenant)
            return sum(outcomes.values()) >= records

        await eventually(all_of_them, what=f"{records} records settled at {self.name}")

    # events out, and time

    async def say(self) -> int:
        """Relay everything that the outbox holds; returns how many rows."""
        sent = 0
        while moved := await self.process.relay.move_batch():
            sent += moved
        return sent

    async def take_outbox(self) -> list[OutboxRecord]:
        """What a relay would send, taken away and not sent."""
        rows = await self.plumbing(
            "DELETE FROM outbox RETURNING id, topic, key, sequence, event_id, type, payload, headers::text"
        )
        return [
            OutboxRecord(
                row["topic"], row["key"], row["sequence"], row["event_id"], row["type"], row["payload"],
                json.loads(row["headers"]),
            )
            for row in sorted(rows, key=lambda row: int(row["id"]))
        ]  # fmt: skip

    async def fire_timers(self) -> int:
        """Fire what is due until nothing is, as the worker does; returns how many timers fired."""
        fired = 0
        async with asyncio.timeout(30):
            while True:
                try:
                    some = await self.process.timers.fire_due()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    await asyncio.sleep(0.05)
                    continue
                fired += some
                if not some:
                    return fired

    async def timers(self, tenant: str) -> list[tuple[str, str]]:
        """Kind and key of the tenant's timers."""
        rows = await self.plumbing("SELECT kind, key FROM timer WHERE tenant = $1 ORDER BY 1, 2", tenant)
        return [(row["kind"], row["key"]) for row in rows]

    # looking

    async def now(self) -> datetime:
        """Business time."""
        moment = (await self.plumbing("SELECT app_now() AS now"))[0]["now"]
        assert isinstance(moment, datetime)
        return moment

    async def plumbing(self, query: str, *values: Any) -> list[Any]:
        """Rows of a query across tenants, on what the plumbing role may see."""
        async with self.process.database.plumbing_transaction() as connection:
            return list((await connection.exec_driver_sql(query, values)).mappings())

    async def rows(self, tenant: str, query: str) -> list[Any]:
        """Rows of a query as the service itself would see them, with ``:tenant`` bound."""
        async with self.process.database.transaction(tenant, read_only=True) as uow:
            return list(await uow.rows(sa.text(query)))
