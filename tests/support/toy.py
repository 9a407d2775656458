"""A small service for testing the plumbing: it counts programmes and says an enrolment for each change.

Its handlers misbehave on request: the programme's name says how. Everything else about it is as in a
real service: own database and roles, migrations' plumbing, real topics under a prefix of its own.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from shared.contracts import TOPIC
from shared.contracts.people import EnrolmentChanged, EnrolmentStatus, ProgrammeChanged, Role
from shared.errors import Conflict
from shared.messaging.consumer import TopicConsumer
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers, Outcome
from shared.messaging.kafka import group_name, make_broker
from shared.messaging.metrics import Metrics
from shared.messaging.processor import BatchProcessor, Circuit
from shared.messaging.relay import Relay
from shared.messaging.timer_worker import TimerWorker
from shared.messaging.topics import create_topics
from shared.messaging.tracing import Tracing
from shared.persistence.bootstrap import bootstrap
from shared.persistence.database import Database
from shared.persistence.kinds import Kind
from shared.persistence.plumbing import create_table, install_plumbing
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow, want
from shared.runtime.settings import Settings
from tests.support.servers import Servers

PASSWORD = "secret-of-the-toy"
"""Of every role of the toy's database."""


@dataclass(frozen=True, slots=True)
class Thing:
    thing_id: str
    version: int
    name: str
    effects: int


METADATA = sa.MetaData()
THINGS = Kind(
    sa.Table(
        "thing",
        METADATA,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("thing_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer),
        sa.Column("name", sa.Text),
        sa.Column("effects", sa.Integer),
    ),
    Thing,
    order=1,
)


def make_handlers() -> Handlers:
    """Fresh handlers: programme changed -> one enrolment event; name decides about misbehaviour."""
    handlers = Handlers()

    @handlers.on(ProgrammeChanged, needs=lambda event: [want(THINGS, event.subject)])
    async def programme_changed(event: Event[ProgrammeChanged], uow: Uow) -> Outcome | None:
        thing = await uow.get(THINGS, event.subject) or Thing(event.subject, 0, "", 0)
        if event.sequence <= thing.version:
            return Outcome.STALE
        name = event.data.name
        thing = replace(thing, version=event.sequence, name=name, effects=thing.effects + 1)
        uow.put(thing)
        uow.say(
            EnrolmentChanged(
                enrolment_id=event.subject,
                programme_id=event.subject,
                person_id="p",
                role=Role.MENTEE,
                status=EnrolmentStatus.ACTIVE,
            ),
            version=thing.effects,
        )
        if name == "refuse":
            raise Conflict("refused", "This one is refused.")
        if name == "defect":
            raise KeyError(name)
        if name == "too long for the table":
            uow.put(replace(thing, name="x" * 300))
        if name == "timer":
            uow.set_timer("tick", event.subject, uow.now + timedelta(hours=1))
        return None

    @handlers.timer("tick")
    async def tick(timer: Timer, uow: Uow) -> None:
        thing = await uow.get(THINGS, timer.key)
        assert thing is not None
        uow.put(replace(thing, effects=thing.effects + 1))

    return handlers


class Toy:
    """The toy service's parts, wired like a real process but started one by one."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self.settings = settings
        self.handlers = make_handlers()
        self.database = Database(name, settings, [THINGS])
        self.metrics = Metrics(name)
        self.tracing = Tracing(name)
        self.broker = make_broker(settings, name)
        self.circuit = Circuit(retry_seconds=0.5)
        self.processor = BatchProcessor(
            service=name,
            topic="programme",
            group=group_name(settings, name, "programme"),
            handlers=self.handlers,
            database=self.database,
            metrics=self.metrics,
            tracing=self.tracing,
            circuit=self.circuit,
        )
        self.consumer = TopicConsumer(settings, self.broker, self.processor, self.metrics)
        self.relay = Relay(settings, self.database, self.metrics)
        self.timers = TimerWorker(self.database, self.handlers, self.metrics, self.tracing, lanes=2)

    async def close(self) -> None:
        self.relay.stop()
        self.timers.stop()
        await self.relay.close()
        await self.broker.stop()
        await self.database.close()

    async def things(self, tenant: str = "acme") -> dict[str, Thing]:
        async with self.database.transaction(tenant, read_only=True) as uow:
            rows = await uow.rows(
                sa.text("SELECT thing_id, version, name, effects FROM thing WHERE tenant = :tenant")
            )
        return {row.thing_id: Thing(*row) for row in rows}

    async def plumbing(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a plumbing query, across tenants."""
        async with self.database.plumbing_transaction() as connection:
            return [tuple(row) for row in await connection.execute(sa.text(query))]


async def make_toy_settings(servers: Servers) -> tuple[str, Settings]:
    """A database of its own (a service named like one of the four owns the dead letter topic) and topics."""
    # The dead letter topic must be in the catalogue, so the toy borrows the name of a real service.
    name = "feedback"
    roles = ("owner", "app", "plumbing", "check", "clock")
    await bootstrap(
        servers.admin_dsn,
        services=[name],
        passwords={(name, role): PASSWORD for role in roles},
        with_clock=True,
    )
    address = urlsplit(servers.admin_dsn)
    prefix = f"t{uuid.uuid4().hex[:8]}."
    settings = Settings(
        kafka_bootstrap_servers=servers.bootstrap_servers,
        kafka_topic_prefix=prefix,
        kafka_group_prefix=prefix,
        database_host=address.hostname or "127.0.0.1",
        database_port=address.port or 5432,
        database_sslmode="disable",
        database_app_password=SecretStr(PASSWORD),
        database_plumbing_password=SecretStr(PASSWORD),
        replica="r0",
        http_host="127.0.0.1",
        batch_max_records=500,
    )
    engine = create_async_engine(
        sa.URL.create(
            "postgresql+asyncpg",
            f"mentoring_{name}_owner",
            PASSWORD,
            settings.database_host,
            settings.database_port,
            f"mentoring_{name}",
        )
    )
    async with engine.begin() as connection:
        await connection.run_sync(_install, name)
    await engine.dispose()
    await create_topics(settings, [TOPIC[topic] for topic in ("programme", "enrolment", f"dlt.{name}")])
    return name, settings


def _install(connection: Connection, name: str) -> None:
    if connection.scalar(sa.text("SELECT to_regclass('inbox')")) is not None:
        for table in ("inbox", "outbox", "outbox_ledger", "timer", "dead_letter", "thing"):
            connection.execute(sa.text(f"TRUNCATE {table}"))
        return
    connection.execute(sa.text("CREATE TABLE IF NOT EXISTS alembic_version (version_num text PRIMARY KEY)"))
    with Operations.context(MigrationContext.configure(connection)):
        install_plumbing(name)
        create_table(
            name,
            """CREATE TABLE thing (
                tenant text NOT NULL, thing_id text NOT NULL, version integer NOT NULL,
                name varchar(200) NOT NULL, effects integer NOT NULL, PRIMARY KEY (tenant, thing_id))""",
        )
