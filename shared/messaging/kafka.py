"""The one place where Kafka clients are made and Kafka defaults are set.

The defaults of client and framework are at-most-once or lose data in one way or another (see the trap
tests); nobody else in the house constructs a broker, a subscriber or a producer.
"""

import asyncio
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, ProducerClosed
from aiokafka.helpers import create_ssl_context
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.contracts import Topic
from shared.contracts.topics import MIB
from shared.runtime.settings import KafkaSettings

MAX_RECORD: Final = 10 * MIB
"""Above every topic's own limit, so that the topic decides and not the client."""


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    if settings.kafka_security_protocol not in ("SSL", "SASL_SSL"):
        return None
    context: ssl.SSLContext = create_ssl_context(
        cafile=_path(settings.kafka_ca_file),
        certfile=_path(settings.kafka_cert_file),
        keyfile=_path(settings.kafka_key_file),
    )
    return context


def _path(value: object) -> str | None:
    return None if value is None else str(value)


def _password(settings: KafkaSettings) -> str | None:
    return settings.kafka_sasl_password.get_secret_value() if settings.kafka_sasl_password else None


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Where and how to connect: arguments of every aiokafka client."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": ssl_context(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": _password(settings),
        }
    return arguments


def make_producer(settings: KafkaSettings, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas and sends at once."""
    return AIOKafkaProducer(
        **connection(settings),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=0,
        max_batch_size=128 * 1024,
        max_request_size=MAX_RECORD,
        request_timeout_ms=10_000,
    )


async def stop_producer(producer: AIOKafkaProducer, seconds: float) -> bool:
    """Stop *producer* within *seconds*; False when it had to be torn down with sends still waiting.

    An idempotent producer of aiokafka 0.14 retries for ever and waits for its batches when it is stopped. So
    after the time its connections are aborted (closing them would wait for a peer that does not read, and
    send it the rest when it reads again) and its sender task is cancelled: it can send nothing more.
    """
    try:
        await asyncio.wait_for(producer.stop(), seconds)
        return True
    except (TimeoutError, KafkaError):
        for connection in producer.client._conns.values():
            if connection._writer is not None:
                connection._writer.transport.abort()
        task = producer._sender.sender_task
        if task is not None:
            task.remove_done_callback(producer._sender._fail_all)  # fails without transactions
            while not task.done():
                task.cancel()  # the first time it goes on to wait for the requests in flight
                await asyncio.wait([task], timeout=0.05)
        producer._message_accumulator.fail_all(ProducerClosed())
        await producer.client.close()
        return False


def make_reader(settings: KafkaSettings, *topics: str, client_id: str) -> AIOKafkaConsumer:
    """A consumer outside any group, for looking at topics; it commits nothing."""
    return AIOKafkaConsumer(
        *topics,
        **connection(settings),
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_RECORD,
    )


def make_admin(settings: KafkaSettings, client_id: str = "mentoring-admin") -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(**connection(settings), client_id=client_id)


def topic_name(settings: KafkaSettings, topic: Topic | str) -> str:
    """The name on the cluster of a topic of the catalogue."""
    return settings.kafka_topic_prefix + (topic if isinstance(topic, str) else topic.name)


def group_name(settings: KafkaSettings, service: str, topic: str) -> str:
    """One group per service and topic: a slow topic never holds up another."""
    return f"{settings.kafka_group_prefix}{service}.{topic}"


def _security(settings: KafkaSettings) -> BaseSecurity | None:
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    context = ssl_context(settings)
    if settings.kafka_security_protocol == "SSL":
        return BaseSecurity(ssl_context=context)
    kinds: dict[str, Any] = {
        "PLAIN": SASLPlaintext,
        "SCRAM-SHA-256": SASLScram256,
        "SCRAM-SHA-512": SASLScram512,
    }
    security: BaseSecurity = kinds[settings.kafka_sasl_mechanism](
        username=settings.kafka_sasl_username or "",
        password=_password(settings) or "",
        ssl_context=context,
        use_ssl=context is not None,
    )
    return security


def make_broker(settings: KafkaSettings, client_id: str) -> KafkaBroker:
    """The FastStream broker of a service process."""
    return KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        client_id=client_id,
        security=_security(settings),
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        graceful_timeout=30.0,
        apply_types=False,
        logger=None,
    )


async def reachable(settings: KafkaSettings, timeout_seconds: float = 3.0) -> bool:
    """Whether some broker answers a metadata request."""
    admin = make_admin(settings)
    try:
        async with asyncio.timeout(timeout_seconds):
            await admin.start()
            await admin.list_topics()
        return True
    except Exception:  # noqa: BLE001 - whatever it is, the answer is no
        return False
    finally:
        await admin.close()


class LagReader:
    """Asks Kafka how far groups are behind; keeps its connections between questions."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._admin = make_admin(settings, "mentoring-lag")
        self._reader = make_reader(settings, client_id="mentoring-lag")
        self._known: dict[str, list[TopicPartition]] = {}

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.stop()
        await self._admin.close()

    async def groups(self) -> set[str]:
        """The consumer groups that exist."""
        return {str(entry[0]) for entry in await self._admin.list_consumer_groups()}

    async def behind(self, groups: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Records that each (group, topic on the cluster) has not committed yet; missing topics are left out."""
        partitions = self._known
        if not all(topic in partitions for _, topic in groups):
            partitions = self._known = await self._partitions()
        asked = [(group, topic) for group, topic in groups if topic in partitions]
        everything = [partition for _, topic in asked for partition in partitions[topic]]
        # Commits before ends: in the other order a record that comes between would not be counted.
        committed = dict(
            zip(asked, await asyncio.gather(*(self._committed(group) for group, _ in asked)), strict=True)
        )
        starts = await self._reader.beginning_offsets(everything) if everything else {}
        ends = await self._reader.end_offsets(everything) if everything else {}
        return {
            key: sum(ends[p] - max(committed[key].get(p, 0), starts[p]) for p in partitions[key[1]])
            for key in asked
        }

    async def _partitions(self) -> dict[str, list[TopicPartition]]:
        # From the admin client: a consumer knows the partitions of its own topics only, and says "none" of others.
        return {
            entry["topic"]: [TopicPartition(entry["topic"], p["partition"]) for p in entry["partitions"]]
            for entry in await self._admin.describe_topics()
        }

    async def _committed(self, group: str) -> dict[TopicPartition, int]:
        for _ in range(50):
            try:
                offsets = await self._admin.list_consumer_group_offsets(group)
                break
            except GroupCoordinatorNotAvailableError:
                # A cluster makes its offsets topic when it is first asked for a group.
                await asyncio.sleep(0.1)
        else:
            offsets = await self._admin.list_consumer_group_offsets(group)
        return {partition: found.offset for partition, found in offsets.items() if found.offset >= 0}
