"""Figure 1: *matching* hears ``person.changed``, in production configuration, against the same by hand."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer
from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from shared.contracts.people import PersonChanged, PersonStatus
from shared.messaging.consumer import TopicConsumer
from shared.messaging.kafka import connection as kafka_connection
from shared.messaging.kafka import make_broker, make_producer, topic_name
from shared.messaging.lanes import LANES
from shared.persistence.outbox import OutboxRecord
from shared.runtime.process import Process
from shared.runtime.settings import Settings
from tests.bench import bare
from tests.bench.orm import subscribe
from tests.bench.timing import Rounds, Server, Spent, spending
from tests.bench.workload import TENANT
from tests.support.instance import service_of
from tests.support.platform import Platform
from tests.support.waiting import eventually

TOPIC = "person"
_TABLES = "inbox, person, departure, enrolment, mentee, mentor_load, timer, outbox, outbox_ledger, gate"
_DIGEST = "SELECT md5(string_agg(p::text, '' ORDER BY person_id)) FROM person p"


async def publish(settings: Settings, records: Sequence[OutboxRecord]) -> None:
    """Put the records on their topic, in order."""
    producer = make_producer(settings, "bench")
    await producer.start()
    try:
        for start in range(0, len(records), 500):
            await asyncio.gather(
                *[
                    await producer.send(
                        topic_name(settings, record.topic),
                        record.payload,
                        record.key.encode(),
                        headers=[(name, value.encode()) for name, value in record.headers.items()],
                    )
                    for record in records[start : start + 500]
                ]
            )
    finally:
        await producer.stop()


class Contest:
    """The contenders on one topic, each time from its start and into empty tables."""

    def __init__(self, platform: Platform, admin: "asyncpg.Connection[Any]", events: int) -> None:
        self._platform, self._admin, self._events = platform, admin, events
        self._server = Server(admin.get_server_pid())
        self._round = 0
        self._digest = ""

    async def _fresh(self, **changes: Any) -> Settings:
        """Empty tables, a group that has read nothing, and nothing of the round before for the collector to find."""
        self._round += 1
        gc.collect()
        await self._admin.execute(f"TRUNCATE {_TABLES}")
        await self._admin.execute("CHECKPOINT")
        settings = self._platform.settings("matching", **changes)
        return settings.model_copy(update={"kafka_group_prefix": f"{self._platform.prefix}{self._round}."})

    async def written(self) -> tuple[int, int, int]:
        """Rows left behind: inbox, people, sum of their versions."""
        row = await self._admin.fetchrow(
            "SELECT (SELECT count(*) FROM inbox WHERE outcome = 'applied'), count(*), sum(version) FROM person"
        )
        assert row is not None
        return row[0], row[1], int(row[2] or 0)

    async def _check(self, events: int) -> None:
        people = events // 2
        found = await self.written()
        if found != (events, people, 2 * people):
            raise AssertionError(f"{found} rows are not those of {events} events")
        digest = await self._admin.fetchval(_DIGEST)
        if digest != (self._digest or digest):
            raise AssertionError("the contenders have not written the same people")
        self._digest = digest

    async def ours(self, rounds: Rounds, *, validate: bool = True, **changes: Any) -> None:
        """One round of the platform: broker, subscriber, processor and handlers as the process wires them."""
        with nullcontext() if validate else _trust():
            await self._ours(rounds, await self._fresh(**changes))

    async def _ours(self, rounds: Rounds, settings: Settings) -> None:
        process = Process(service_of("matching"), settings)
        async with AsyncExitStack() as connected:  # before time is taken, as the other contender does
            for _ in range(LANES):
                await connected.enter_async_context(process.database.transaction(TENANT))
        processor = next(each.processor for each in process.consumers if each.topic == TOPIC)
        broker = make_broker(settings, "bench")  # with this topic only: the others are not on this server
        consumer = TopicConsumer(settings, broker, processor, process.metrics)
        handled = 0
        begun, done = asyncio.Event(), asyncio.Event()
        decode, commit = processor.decoder.decode, consumer._commit

        def watched(record: Any) -> Any:
            begun.set()
            processor.decoder.decode = decode  # type: ignore[method-assign]
            return decode(record)

        async def watched_commit(records: Any) -> None:
            nonlocal handled
            await commit(records)
            handled += len(records)
            if handled >= self._events:
                done.set()

        processor.decoder.decode = watched  # type: ignore[method-assign]
        consumer._commit = watched_commit  # type: ignore[method-assign]
        rounds.spent.append(await self._timed(broker, begun, done))
        await consumer.drain()
        await broker.stop()
        await process.database.close()
        await self._check(self._events)

    async def _timed(self, broker: KafkaBroker, begun: asyncio.Event, done: asyncio.Event) -> Spent:
        """From the first record in hand to the last one's offset committed."""
        async with asyncio.timeout(600):
            await broker.start()
            await begun.wait()
            with spending(self._server) as spent:
                await done.wait()
        return spent

    async def orm(self, rounds: Rounds) -> None:
        """One round of one event at a time with an ORM, on the first of the same events."""
        settings = await self._fresh()
        address = sa.make_url(self._platform.databases.servers.admin_dsn)
        engine = create_async_engine(
            address.set(drivername="postgresql+asyncpg", database="mentoring_matching")
        )
        broker = KafkaBroker(settings.kafka_bootstrap_servers, logger=None)
        begun, done = asyncio.Event(), asyncio.Event()
        handled = 0

        def count() -> None:
            nonlocal handled
            begun.set()
            handled += 1
            if handled >= rounds.events:
                done.set()

        sessions = async_sessionmaker(engine, expire_on_commit=False)
        subscribe(broker, topic_name(settings, TOPIC), f"{settings.kafka_group_prefix}orm", sessions, count)
        rounds.spent.append(await self._timed(broker, begun, done))
        await broker.stop()
        await engine.dispose()
        inbox, _, _ = await self.written()
        if inbox < rounds.events:
            raise AssertionError(f"{inbox} of {rounds.events} events were written")

    async def bare(self, rounds: Rounds, *, reading: bool = False) -> None:
        """One round by hand; with *reading* it looks at all that the service looks at."""
        settings = await self._fresh()
        limit = settings.batch_max_records
        async with self._bare_consumer(settings) as consumer:
            found = await eventually(lambda: bare.poll(consumer, limit), what="records", seconds=120)
            async with (
                self._platform.databases.login("matching", "admin") as connection,
                asyncio.timeout(600),
            ):
                with spending(self._server) as spent:
                    handled = await bare.apply(consumer, connection, found, reading=reading)
                    while handled < self._events:
                        found = await bare.poll(consumer, limit)
                        handled += await bare.apply(consumer, connection, found, reading=reading)
        await self._check(self._events)
        rounds.spent.append(spent)

    @asynccontextmanager
    async def _bare_consumer(self, settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            topic_name(settings, TOPIC),
            **kafka_connection(settings),
            group_id=f"{settings.kafka_group_prefix}bare",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=1024 * 1024,
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


@contextmanager
def _trust() -> Iterator[None]:
    """Take a person's data as they come, into an object that has the contract's fields and asks nothing of them, as
    :mod:`tests.bench.bare` does. Services have no such switch."""
    defaults = {
        n: field.default for n, field in PersonChanged.model_fields.items() if not field.is_required()
    }
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    statuses = {str(status): status for status in PersonStatus}
    person = type("Believed", (), {"subject": PersonChanged.subject, "SUBJECT": PersonChanged.SUBJECT})

    def believe(raw: bytes) -> Any:
        believed, fields = person(), decode(raw)
        fields["status"] = statuses[fields["status"]]  # as handlers know it from Pydantic
        believed.__dict__ = defaults | fields
        return believed

    validator = PersonChanged.__pydantic_validator__
    PersonChanged.__pydantic_validator__ = SimpleNamespace(validate_json=believe)  # type: ignore[assignment]
    try:
        yield
    finally:
        PersonChanged.__pydantic_validator__ = validator
