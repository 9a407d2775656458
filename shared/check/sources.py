"""Where the check reads, and how: cursors on the databases, plain consumers on the topics."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

_CONNECT_SECONDS: Final = 10
_CLIENT: Final = "mentoring-check"
_PREFETCH: Final = 5_000
_PATIENCE_SECONDS: Final = 60.0


class CheckError(RuntimeError):
    """The check cannot read what it must; one sentence says what."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that is compared.

    A service without a connection string is left out, with every rule that needs it.
    """

    databases: Mapping[str, str] = field(repr=False)
    """Connection strings by service, each of a role that may read everything and write nothing."""
    kafka: Mapping[str, Any] = field(repr=False)
    """Where and how to connect: arguments of every aiokafka client."""
    topic_prefix: str = "mentoring."
    group_prefix: str = "mentoring."
    ledger: Path | None = None
    """The driver's requests, as JSON lines (``docs/architecture/check.md``)."""
    mails: Path | None = None
    """A folder of ``*.eml`` files: what the mail server has kept."""
    wait: float = 0.0
    """Seconds to wait for rest."""
    retention: timedelta = timedelta(days=45)
    """How long services keep inbox and outbox ledger."""


class Reading:
    """Connections for one check: ``async with Reading(sources) as reading``."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._databases: dict[str, asyncpg.Connection[Any]] = {}
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: dict[str, list[int]] = {}

    async def __aenter__(self) -> Self:
        """Raises :class:`CheckError`."""
        try:
            for service, dsn in self.sources.databases.items():
                await self._connect(service, dsn)
            self._admin = AIOKafkaAdminClient(**self.sources.kafka, client_id=_CLIENT)
            try:
                await self._admin.start()
                await self.look_for_topics()
                await self._start_consumer()
            except KafkaError as error:
                raise CheckError(f"Kafka does not answer the check: {type(error).__name__}.") from error
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()
        if self._admin is not None:
            await self._admin.close()
        for connection in self._databases.values():
            await connection.close()

    async def _start_consumer(self) -> None:
        """A consumer in no group, which commits nothing."""
        consumer = self._consumer = AIOKafkaConsumer(
            **self.sources.kafka,
            client_id=_CLIENT,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=10 * 1024 * 1024,
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        # aiokafka's stop() raises CancelledError when its coordinator's task has not run once.
        await asyncio.sleep(0)

    async def _connect(self, service: str, dsn: str) -> None:
        try:
            connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
            await connection.execute("SET default_transaction_read_only = on")
            migrated = await connection.fetchval("SELECT to_regclass('outbox_ledger') IS NOT NULL")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CheckError(
                f"The database of {service} does not answer the check: {type(error).__name__}."
            ) from error
        self._databases[service] = connection
        if not migrated:
            raise CheckError(f"The database of {service} has not been migrated.")

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(self._databases)

    # databases

    async def value(self, service: str, query: str, *values: Any) -> Any:
        """The one value of a query."""
        return await self._databases[service].fetchval(query, *values)

    async def fetch(self, service: str, query: str, *values: Any) -> list[asyncpg.Record]:
        """All rows of a query that has few."""
        return list(await self._databases[service].fetch(query, *values))

    async def rows(self, service: str, query: str, *values: Any) -> AsyncIterator[asyncpg.Record]:
        """The rows of a query, through a cursor: as many in memory as PostgreSQL sends at a time."""
        connection = self._databases[service]
        async with connection.transaction(readonly=True):
            async for row in connection.cursor(query, *values, prefetch=_PREFETCH):
                yield row

    # Kafka

    async def look_for_topics(self) -> None:
        """Learn which topics there are, and their partitions."""
        assert self._admin is not None
        self._partitions = {
            entry["topic"]: sorted(part["partition"] for part in entry["partitions"])
            for entry in await self._admin.describe_topics()
        }

    def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic of the catalogue; none when the cluster does not have it."""
        name = self.sources.topic_prefix + topic
        return [TopicPartition(name, number) for number in self._partitions.get(name, ())]

    async def committed(self, service: str, topic: str) -> dict[TopicPartition, int]:
        """What the group of a service has committed on a topic."""
        assert self._admin is not None
        group = f"{self.sources.group_prefix}{service}.{topic}"
        for _ in range(50):
            try:
                offsets = await self._admin.list_consumer_group_offsets(group)
            except GroupCoordinatorNotAvailableError:  # a cluster that has never been asked for a group
                await asyncio.sleep(0.1)
            else:
                return {place: found.offset for place, found in offsets.items() if found.offset >= 0}
        raise CheckError("Kafka's group coordinator does not answer the check.")

    async def offsets(
        self, places: list[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Where these partitions begin and end now."""
        assert self._consumer is not None
        starts = await self._consumer.beginning_offsets(places)
        return starts, await self._consumer.end_offsets(places)

    async def records(
        self, topic: str, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[list[ConsumerRecord]]:
        """The records of a topic between *starts* and *ends*, in the order of each partition, in batches."""
        left = {place for place, end in ends.items() if starts[place] < end}
        if not left:
            return
        consumer = self._consumer
        assert consumer is not None
        consumer.assign(sorted(left))
        for place in left:
            consumer.seek(place, starts[place])
        clock = asyncio.get_running_loop().time
        last = clock()
        while left:
            batches = await consumer.getmany(*left, timeout_ms=500, max_records=5_000)
            for place, records in batches.items():
                last = clock()
                yield [record for record in records if record.offset < ends[place]]
            if clock() - last > _PATIENCE_SECONDS:
                raise CheckError(f"Kafka gives no more records of {topic} before their end.")
            # Positions, not records: compaction leaves gaps, also at the end.
            left = {place for place in left if await consumer.position(place) < ends[place]}
