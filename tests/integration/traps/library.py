"""FastStream and aiokafka as they come, without the platform's factory: what they do is on record in tests."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream.kafka import KafkaBroker, KafkaRouter

from tests.support.waiting import eventually

F = TypeVar("F", bound=Callable[..., Awaitable[None]])


class Library:
    """A topic of two partitions, a group, and brokers made by hand."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topic = f"trap-{uuid.uuid4().hex[:8]}"
        self.group = f"{self.topic}-group"
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
        self._brokers: list[KafkaBroker] = []

    @classmethod
    async def open(cls, bootstrap_servers: str) -> Self:
        made = cls(bootstrap_servers)
        await made._admin.start()
        await made._producer.start()
        await made.make_topic(made.topic)
        return made

    async def make_topic(self, name: str) -> None:
        """Make it; a broker that has only just started may refuse, and says so in its answer only."""

        async def there() -> bool:
            if name in await self._admin.list_topics():
                return True
            await self._admin.create_topics([NewTopic(name, 2, 1)])
            return False

        await eventually(there, what=f"topic {name}")

    async def close(self) -> None:
        for broker in self._brokers:
            await broker.stop()
        await self._producer.stop()
        await self._admin.close()

    def broker(self, **options: Any) -> KafkaBroker:
        """A broker that is stopped at the end."""
        made = KafkaBroker(self.bootstrap_servers, logger=None, **options)
        self._brokers.append(made)
        return made

    def hears(self, broker: KafkaBroker | KafkaRouter, *topics: str, **options: Any) -> Callable[[F], F]:
        """Decorator: the function hears the topic from its beginning, subscribed to with *options*."""
        chosen = {"group_id": self.group, "auto_offset_reset": "earliest"} | options

        def register(handle: F) -> F:
            subscriber: Any = broker.subscriber(*(topics or (self.topic,)), **chosen)
            subscriber(handle)
            return handle

        return register

    async def send(
        self,
        *values: bytes | None,
        partition: int = 0,
        topic: str | None = None,
        headers: Sequence[tuple[str, Any]] = (),
    ) -> None:
        for value in values:
            await self._producer.send_and_wait(
                topic or self.topic, value, key=b"k", partition=partition, headers=list(headers)
            )

    async def committed(self, partition: int = 0) -> int | None:
        """The group's committed offset, None without one."""
        offsets = await self._admin.list_consumer_group_offsets(self.group)
        found = offsets.get(TopicPartition(self.topic, partition))
        return None if found is None or found.offset < 0 else int(found.offset)

    async def commits(self, offset: int, partition: int = 0) -> None:
        """Wait until the group has committed *offset*."""

        async def there() -> bool:
            return await self.committed(partition) == offset

        await eventually(there, what=f"committed offset {offset}")
