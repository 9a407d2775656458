"""An HR system's publisher: events about employees onto the intake topic, in order per employee.

It numbers the events of each employee and keeps the numbers in ``sequences``; a driver that resumes
sets them again. What Kafka did not confirm comes back in ``PublishFailed`` and can be published again
as it was: same ids, same bytes.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka.errors import MessageSizeTooLargeError

from deploy.local.hr.delivery import Outlet, Sent, why
from deploy.local.hr.errors import EventTooLarge, PublishError, PublishFailed
from deploy.local.hr.events import Encoded, Headers, HrEvent, Mode, make_event
from deploy.local.hr.member import Member
from deploy.local.hr.producer import IdempotentProducer, MakeProducer, Security
from deploy.local.requests import Outcome, RequestLog
from shared.contracts import TOPIC
from shared.contracts.hr import PersonRecorded, PersonTerminated, TerminationCancelled

_INTAKE: Final = TOPIC[PersonRecorded.TOPIC]
_BATCH: Final = 1_000
"""Events that are built, sent and confirmed together: enough to fill Kafka's batches, little to hold."""

Progress = Callable[[int], object]


class Placed(NamedTuple):
    """Where Kafka put a record."""

    partition: int
    offset: int


class HrPublisher:
    """Publishes to ``<prefix>hr-intake``; an async context manager, safe to use from several tasks.

    *seconds* is how long Kafka may take to confirm a batch; the client itself would wait for ever. What was
    sent is noted in *ledger*.
    Methods raise ``EventTooLarge`` before anything of the batch is sent, and ``PublishFailed`` after.
    """

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        tenant: str,
        topic_prefix: str = "",
        *,
        source: str = "urn:example:hris",
        security: Security | None = None,
        mode: Mode = Mode.STRUCTURED,
        seconds: float = 120.0,
        make_producer: MakeProducer = IdempotentProducer,
        ledger: RequestLog | None = None,
    ) -> None:
        self.tenant, self.source, self.mode = tenant, source, mode
        self.topic = f"{topic_prefix}{_INTAKE.name}"
        self._outlet = Outlet(
            self.topic, seconds, lambda: make_producer(bootstrap_servers, security or {}, _INTAKE.max_bytes)
        )
        self._ledger = ledger or RequestLog(None, tenant)
        self._sequences: dict[str, int] = {}
        # Held while events are numbered and handed to the client, so that tasks cannot swap two events
        # of one employee; not while Kafka's answer is awaited.
        self._turn = asyncio.Lock()

    @property
    def sequences(self) -> Mapping[str, int]:
        """The last sequence of each employee, as a copy; whoever is not in it has had no event."""
        return dict(self._sequences)

    @sequences.setter
    def sequences(self, last: Mapping[str, int]) -> None:
        self._sequences = dict(last)

    async def __aenter__(self) -> Self:
        """Raises ``BrokerUnreachable`` or ``TopicMissing``."""
        await self._outlet.connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._outlet.stop()

    async def record(
        self,
        members: Sequence[Member],
        *,
        at: datetime,
        correlation_id: str | None = None,
        progress: Progress | None = None,
    ) -> list[str]:
        """Publish each member's record as of *at*; returns the event ids in the same order.

        *progress* is told after each batch how many are confirmed. A failure leaves later batches
        unsent and unnumbered; its ``published`` says what is in Kafka.
        """
        ids: list[str] = []
        for start in range(0, len(members), _BATCH):
            batch = members[start : start + _BATCH]
            said = [(PersonRecorded.TYPE, member.employee_id, member.hr_data()) for member in batch]
            try:
                ids += await self._say(said, at, correlation_id)
            except PublishError as error:
                error.published = (*ids, *error.published)
                raise
            if progress is not None:
                progress(len(ids))
        return ids

    async def terminate(
        self, employee_id: str, effective_on: date, *, at: datetime, correlation_id: str | None = None
    ) -> str:
        """The employee's last day is *effective_on*; returns the event id."""
        data = PersonTerminated(employee_id=employee_id, effective_on=effective_on)
        return await self._say_one(
            PersonTerminated.TYPE, data.employee_id, data.model_dump(mode="json"), at, correlation_id
        )

    async def cancel_termination(
        self, employee_id: str, *, at: datetime, correlation_id: str | None = None
    ) -> str:
        """The employee stays after all; returns the event id."""
        data = TerminationCancelled(employee_id=employee_id)
        return await self._say_one(
            TerminationCancelled.TYPE, data.employee_id, data.model_dump(mode="json"), at, correlation_id
        )

    async def publish(self, events: Sequence[HrEvent]) -> list[str]:
        """Publish events as they are (those of a ``PublishFailed``, or made by hand); returns their ids."""
        ids: list[str] = []
        for start in range(0, len(events), _BATCH):
            batch = events[start : start + _BATCH]
            try:
                async with self._turn:
                    producer = await self._outlet.connected()
                    sent = await self._outlet.send(producer, self._encode(batch))
                await self._settle(batch, sent)
            except PublishError as error:
                error.published = (*ids, *error.published)
                if isinstance(error, PublishFailed):
                    error.events = (*error.events, *events[start + _BATCH :])
                raise
            ids += [event.id for event in batch]
        return ids

    async def send_raw(
        self,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> Placed:
        """Put any bytes on the topic, as a broken HR system would. Value and key may not both be None."""
        if value is None and key is None:
            raise ValueError("a record needs a key or a value")
        encoded = Encoded(key, value, tuple(headers))
        if encoded.size > _INTAKE.max_bytes:
            raise EventTooLarge(_shown(key), encoded.size, _INTAKE.max_bytes)
        async with self._turn:
            producer = await self._outlet.connected()
            if partition is not None and partition not in await producer.partitions_for(self.topic):
                raise ValueError(f"{self.topic} has no partition {partition}")
            sent = await self._outlet.send(producer, [encoded], partition)
        (done,) = await self._outlet.answers(sent, 1)
        if isinstance(done, BaseException):
            await self._outlet.give_up(sent.producer)
            if isinstance(done, MessageSizeTooLargeError):
                raise EventTooLarge(_shown(key), encoded.size) from done
            raise PublishFailed(f"Kafka did not confirm the record: {why(done)}.", (), ()) from done
        return Placed(done.partition, done.offset)

    async def _say_one(
        self, kind: str, employee_id: str, data: Mapping[str, Any], at: datetime, correlation_id: str | None
    ) -> str:
        (event_id,) = await self._say([(kind, employee_id, data)], at, correlation_id)
        return event_id

    async def _say(
        self, said: Sequence[tuple[str, str, Mapping[str, Any]]], at: datetime, correlation_id: str | None
    ) -> list[str]:
        """Number, send and confirm one batch of (type, employee id, data)."""
        async with self._turn:
            producer = await self._outlet.connected()
            events, last = self._number(said, at, correlation_id)
            encoded = self._encode(events)
            # From here on the numbers are used up: what is not confirmed may have arrived.
            self._sequences |= last
            sent = await self._outlet.send(producer, encoded)
        await self._settle(events, sent)
        return [event.id for event in events]

    def _number(
        self, said: Sequence[tuple[str, str, Mapping[str, Any]]], at: datetime, correlation_id: str | None
    ) -> tuple[list[HrEvent], dict[str, int]]:
        last: dict[str, int] = {}
        events: list[HrEvent] = []
        for kind, employee_id, data in said:
            sequence = last.get(employee_id, self._sequences.get(employee_id, 0)) + 1
            last[employee_id] = sequence
            events.append(
                make_event(
                    source=self.source,
                    tenant=self.tenant,
                    type=kind,
                    subject=employee_id,
                    sequence=sequence,
                    at=at,
                    data=data,
                    correlation_id=correlation_id,
                )
            )
        return events, last

    def _encode(self, events: Sequence[HrEvent]) -> list[Encoded]:
        """All events as records, or ``EventTooLarge`` before any is sent."""
        encoded = [event.encode(self.mode) for event in events]
        for event, record in zip(events, encoded, strict=True):
            if record.size > _INTAKE.max_bytes:
                raise EventTooLarge(event.subject, record.size, _INTAKE.max_bytes)
        return encoded

    async def _settle(self, events: Sequence[HrEvent], sent: Sent) -> None:
        """Wait for Kafka's answers; raises ``PublishFailed`` with the events that were not confirmed."""
        answers = await self._outlet.answers(sent, len(events))
        for event, answer in zip(events, answers, strict=True):
            self._note(event, answer)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if not failures:
            return
        await self._outlet.give_up(sent.producer)
        if len(events) == 1 and isinstance(failures[0], MessageSizeTooLargeError):
            raise EventTooLarge(events[0].subject, events[0].encode(self.mode).size) from failures[0]
        pairs = list(zip(events, answers, strict=True))
        raise PublishFailed(
            f"Kafka did not confirm {len(failures):,} of {len(events):,} events: {why(failures[0])}.",
            tuple(event for event, answer in pairs if isinstance(answer, BaseException)),
            tuple(event.id for event, answer in pairs if not isinstance(answer, BaseException)),
        ) from failures[0]

    def _note(self, event: HrEvent, answer: object) -> None:
        outcome: Outcome = "ok"
        if isinstance(answer, BaseException):
            outcome = "fail" if isinstance(answer, MessageSizeTooLargeError) else "unknown"
        wanted = {
            "topic": _INTAKE.name,
            "type": event.type,
            "subject": event.subject,
            "event_id": event.id,
        }
        self._ledger.note("publish", outcome, wanted)


def _shown(key: bytes | None) -> str:
    return "no key" if key is None else key.decode(errors="replace")[:128]
