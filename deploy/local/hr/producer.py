"""The Kafka client of the HR side: the few calls that are used, and how it is set up."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypedDict

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

_STOP_SECONDS: Final = 5.0


class Security(TypedDict, total=False):
    """How to log in, in aiokafka's own words; nothing of it for a broker without logins."""

    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str


class Producer(Protocol):
    """What is used of ``AIOKafkaProducer``; tests put something simpler in its place."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def partitions_for(self, topic: str) -> set[int]: ...

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> Awaitable[Any]: ...


MakeProducer = Callable[[str | Sequence[str], Security, int], Producer]
"""Makes a producer from bootstrap servers, security and the largest record in bytes."""


class IdempotentProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """All replicas confirm, retries make no duplicates and keep the order, batches are compressed."""

    def __init__(self, bootstrap_servers: str | Sequence[str], security: Security, max_bytes: int) -> None:
        super().__init__(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=5,
            max_batch_size=256 * 1024,
            max_request_size=max_bytes,
            request_timeout_ms=15_000,
            **security,
        )

    async def stop(self) -> None:
        """Send what is waiting, and stop: within seconds, even where no broker answers any more.

        aiokafka first waits for every batch, and an idempotent producer retries a batch for ever.
        """
        try:
            await asyncio.wait_for(super().stop(), _STOP_SECONDS)
        except (KafkaError, TimeoutError):
            # Else the client's tasks would go on retrying after everybody has gone. Its own callback is
            # taken away because it fails for a producer without transactions (aiokafka 0.14).
            self._message_accumulator.fail_all(ProducerClosed())
            if (task := self._sender.sender_task) is not None:
                task.remove_done_callback(self._sender._fail_all)
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
                task.cancel()
            await self.client.close()
