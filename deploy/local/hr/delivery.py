"""Records to one topic, with an end to waiting: a producer that is replaced once it has failed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from deploy.local.hr.errors import BrokerUnreachable, TopicMissing
from deploy.local.hr.events import Encoded
from deploy.local.hr.producer import Producer

_START_SECONDS: Final = 30.0
_NO_TOPIC: Final = frozenset({3, 29})
"""Kafka's codes UNKNOWN_TOPIC_OR_PARTITION and TOPIC_AUTHORIZATION_FAILED."""


class Sent(NamedTuple):
    """What the client took: its promises in order, and what it said when it took no more."""

    producer: Producer
    promises: list[Awaitable[Any]]
    refusal: BaseException | None


class Outlet:
    """A topic and the producer that writes to it. *seconds* bounds each wait for Kafka."""

    def __init__(self, topic: str, seconds: float, make_producer: Callable[[], Producer]) -> None:
        self._topic, self._seconds, self._make_producer = topic, seconds, make_producer
        self._producer: Producer | None = None

    async def connected(self) -> Producer:
        """The producer, started; a new one where the last was given up.

        Raises ``BrokerUnreachable`` and ``TopicMissing``.
        """
        if self._producer is not None:
            return self._producer
        producer = self._make_producer()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await producer.start()
                await producer.partitions_for(self._topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await producer.stop()
            if getattr(error, "errno", None) in _NO_TOPIC and isinstance(error, KafkaError):
                raise TopicMissing(f"The topic {self._topic} cannot be written to: {why(error)}.") from error
            raise BrokerUnreachable(f"Kafka cannot be reached: {why(error)}.") from error
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        return producer

    async def send(
        self, producer: Producer, records: Sequence[Encoded], partition: int | None = None
    ) -> Sent:
        """Hand records to the client, as far as it takes them."""
        promises: list[Awaitable[Any]] = []
        try:
            # Behind a partition whose leader is away, a send waits for ever.
            async with asyncio.timeout(self._seconds):
                for record in records:
                    promises.append(
                        await producer.send(
                            self._topic,
                            record.value,
                            key=record.key,
                            partition=partition,
                            headers=list(record.headers),
                        )
                    )
        except (KafkaError, TimeoutError) as error:
            return Sent(producer, promises, error)
        return Sent(producer, promises, None)

    async def answers(self, sent: Sent, count: int) -> list[Any]:
        """Kafka's answer to each of *count* records, or the exception that stands in its place."""
        futures = [asyncio.ensure_future(promise) for promise in sent.promises]
        if futures:
            await asyncio.wait(futures, timeout=self._seconds)
        late = TimeoutError(f"no answer within {self._seconds:g} s")
        answers: list[Any] = []
        for future in futures:
            if not future.done():
                future.cancel()
                answers.append(late)
            else:
                answers.append(late if future.cancelled() else future.exception() or future.result())
        return answers + [sent.refusal or late] * (count - len(answers))

    async def give_up(self, producer: Producer) -> None:
        """Stop *producer*; the next call makes a new one, unless another task has done so already.

        An idempotent producer that lost a batch numbers the next one wrongly: it is of no more use.
        """
        if self._producer is producer:
            self._producer = None
        await producer.stop()

    async def stop(self) -> None:
        """Let go of Kafka."""
        if self._producer is not None:
            await self.give_up(self._producer)


def why(error: BaseException) -> str:
    """An error in a few words, to stand inside a sentence."""
    return str(error).rstrip(".") or type(error).__name__
