"""The real services on real servers, inside the test process, moved part by part.

Three layers: :class:`Databases`, the four migrated databases of a test package; :class:`Platform`, a topic
prefix and groups of its own on top of them, for one test module; :class:`Instance`, one replica of one
service, wired as its process would be, of which a test starts the parts that it needs: HTTP, a consumer, the
relay, the timers. Tests share the databases and keep apart by tenant, so every test takes a new one.
"""

import asyncio
import importlib
import itertools
import json
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import sqlalchemy as sa
from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker
from pydantic import SecretStr

from deploy.local.clock import LocalClock
from deploy.local.issuer import Issuer
from shared.contracts import TOPIC, EventData
from shared.contracts.topics import SERVICES
from shared.messaging.consumer import TopicConsumer
from shared.messaging.handlers import Outcome
from shared.messaging.kafka import LagReader, group_name, make_broker, make_producer
from shared.messaging.topics import create_topics
from shared.persistence.bootstrap import CLOCK_ROLE, ROLES, bootstrap, database_name, role_name
from shared.persistence.database import is_transient
from shared.persistence.migrate import migrate
from shared.persistence.outbox import OutboxRecord, Said, encode_said
from shared.persistence.uow import Cause
from shared.runtime.process import Process
from shared.runtime.service import Service, WorkerContext
from shared.runtime.settings import Settings
from tests.support.servers import Servers
from tests.support.waiting import eventually

_MARK: Final = "made by the tests"
"""The comment on databases that the tests may drop."""


def new_tenant() -> str:
    """A tenant that nobody has used before."""
    return f"t-{uuid.uuid4().hex[:12]}"


def service_of(name: str) -> Service:
    """The service as its ``main`` module declares it."""
    service = importlib.import_module(f"services.{name}.main").SERVICE
    assert isinstance(service, Service)
    return service


class Databases:
    """The databases of all services, at head, and how to log in as each of their roles."""

    def __init__(self, servers: Servers, passwords: Mapping[tuple[str, str], str]) -> None:
        self.servers = servers
        self._passwords = passwords

    def password(self, service: str, role: str) -> SecretStr:
        return SecretStr(self._passwords[service, role])

    def dsn(self, service: str, role: str, *, database: str | None = None) -> str:
        """A connection string; *database* is another service's, for those who try."""
        address = urlsplit(self.servers.admin_dsn)
        user, password = role_name(service, role), self._passwords[service, role]
        place = f"{address.hostname or '127.0.0.1'}:{address.port or 5432}"
        return f"postgresql://{user}:{password}@{place}/{database_name(database or service)}"

    @asynccontextmanager
    async def login(
        self, service: str, role: str, *, database: str | None = None
    ) -> AsyncIterator["asyncpg.Connection[Any]"]:
        """A connection as one role of one service; ``admin`` is the server's administrator."""
        if role == "admin":
            connection = await asyncpg.connect(self.servers.admin_dsn, database=database_name(service))
        else:
            connection = await asyncpg.connect(self.dsn(service, role, database=database))
        try:
            yield connection
        finally:
            await connection.close()

    async def nothing_under_way(self) -> None:
        """Forget what an earlier module left to be sent or to become due: its topics are not this one's."""
        for service in SERVICES:
            async with self.login(service, "admin") as connection:
                await connection.execute("TRUNCATE outbox, timer")


@asynccontextmanager
async def prepared_databases(servers: Servers) -> AsyncIterator[Databases]:
    """All four databases, made and migrated as an installation would, and dropped at the end.

    Databases of these names are replaced if tests have made them. Raises ``RuntimeError`` for any others.
    """
    await _drop(servers.admin_dsn)
    passwords = {
        (service, role): secrets.token_urlsafe(18) for service in SERVICES for role in (*ROLES, CLOCK_ROLE)
    }
    await bootstrap(servers.admin_dsn, services=SERVICES, passwords=passwords, with_clock=True)
    databases = Databases(servers, passwords)
    for service in SERVICES:
        async with databases.login(service, "admin") as admin:
            await admin.execute(f"COMMENT ON DATABASE {database_name(service)} IS '{_MARK}'")
    try:
        for service in SERVICES:
            await migrate(service, settings_for(databases, service))
        yield databases
    finally:
        await _drop(servers.admin_dsn)


async def _drop(admin_dsn: str) -> None:
    """Drop what tests have made; before anything else, make sure that it is that."""
    admin = await asyncpg.connect(admin_dsn)
    try:
        found = await admin.fetch(
            "SELECT datname, shobj_description(oid, 'pg_database') AS mark FROM pg_database"
            " WHERE datname = ANY($1)",
            [database_name(service) for service in SERVICES],
        )
        for name, mark in found:
            if mark != _MARK and not await _is_toy(admin_dsn, name):
                raise RuntimeError(f"tests have not made the database {name}, so they do not touch it")
        for name, _ in found:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def _is_toy(admin_dsn: str, name: str) -> bool:
    """Whether the toy service of other tests lives there (it borrows a real service's name)."""
    connection = await asyncpg.connect(admin_dsn, database=name)
    try:
        return await connection.fetchval("SELECT to_regclass('thing')") is not None
    finally:
        await connection.close()


def settings_for(databases: Databases, service: str, **changes: Any) -> Settings:
    """Settings of one service on these databases; *changes* replace or add some."""
    address = urlsplit(databases.servers.admin_dsn)
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": databases.servers.bootstrap_servers,
        "database_host": address.hostname or "127.0.0.1",
        "database_port": address.port or 5432,
        "database_sslmode": "disable",
        "replica": "r0",
        "http_host": "127.0.0.1",
    }
    values |= {
        f"database_{role}_password": databases.password(service, role)
        for role in ("app", "plumbing", "owner")
    }
    return Settings(**(values | changes))


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who calls: what a token says about them."""

    subject: str
    tenant: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """A record as a consumer would get it, for handing over without a broker."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int = field(default_factory=lambda: int(time.time() * 1000))


_BY_HAND: Final = 9999
"""The partition of records that no broker has seen."""

_offsets = itertools.count()


def record_of(row: OutboxRecord) -> KafkaRecord:
    """What a consumer would get of this outbox row."""
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    return KafkaRecord(row.topic, _BY_HAND, next(_offsets), row.key.encode(), row.payload, headers)


def hr_event(
    tenant: str, type_: str, data: Mapping[str, Any], *, sequence: int = 1, source: str = "urn:hr:test"
) -> OutboxRecord:
    """An event as an HR system would publish it; *data* may hold more than the contract knows."""
    identity, employee = uuid.uuid4().hex, str(data["employee_id"])
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": source,
        "type": type_,
        "subject": employee,
        "time": "2026-03-02T09:00:00Z",
        "datacontenttype": "application/json",
        "sequence": str(sequence),
        "tenant": tenant,
        "data": dict(data),
    }
    payload = json.dumps(event).encode()
    headers = {"content-type": "application/cloudevents+json"}
    return OutboxRecord("hr-intake", employee, sequence, identity, type_, payload, headers)


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
        await self.process.relay.discard_producer()
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


def said_by(
    tenant: str, event: EventData, *, version: int = 1, now: datetime, correlation_id: str = "c-test"
) -> OutboxRecord:
    """*event* as the service that owns its topic would say it."""
    return encode_said(TOPIC[event.TOPIC].owner, tenant, Said(event, version, Cause(correlation_id), now))


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


async def rows_of(admin: "asyncpg.Connection[Any]", tenant: str) -> list[tuple[str, str]]:
    """Every row of a tenant in every table of a service, as (table, text)."""
    tables = await admin.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    parts = [
        f"SELECT '{name}' AS name, t::text AS row FROM \"{name}\" t WHERE tenant = $1" for (name,) in tables
    ]
    rows = await admin.fetch(" UNION ALL ".join(parts) + " ORDER BY 1, 2", tenant)
    return [(row["name"], row["row"]) for row in rows]
