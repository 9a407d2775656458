"""F12 to F15: copies, one id with two bodies, any order, poison of every kind, and a source that sends nothing else."""

import asyncio
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from deploy.local.hr.events import HrEvent
from deploy.local.hr.member import Member
from deploy.local.hr.publisher import HrPublisher, Progress
from shared.contracts import SERVICES, TOPIC, TOPICS
from shared.contracts.hr import PersonRecorded
from shared.messaging.kafka import make_producer, make_reader, topic_name
from tests.faults.processes import Background
from tests.faults.story import SEED
from tests.faults.world import CONSUMES, World

HEARD: Final = {topic: [s for s in SERVICES if topic in CONSUMES[s]] for topic in TOPIC}
"""Who hears each topic."""
_ROUNDS: Final = 6
_STRUCTURED: Final = ("content-type", b"application/cloudevents+json")


@dataclass(slots=True)
class Copies(Background):
    """Half of all records come again at once, some a long time later, and a few ids come with another body."""

    matrix: str = "F12"
    name: str = "copies, and ids used for two bodies"
    copied: int = 0
    reused: int = 0
    _late: list[Any] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)

    async def strike(self, world: World) -> None:
        topics = [topic_name(world.settings, t.name) for t in TOPICS if not t.name.startswith("dlt.")]
        reader = make_reader(world.settings, *topics, client_id="copier")
        producer = make_producer(world.settings, "copier")
        luck = random.Random(SEED)
        await reader.start()
        await producer.start()
        try:
            while not self._over.is_set():
                for records in (await reader.getmany(timeout_ms=200)).values():
                    for record in records:
                        await self._maybe(producer, record, luck, world.settings.kafka_topic_prefix)
            for record in self._late:
                await self._again(producer, record, record.value)
        finally:
            await producer.stop()
            await reader.stop()
        self.injected = f"{self.copied} copies, {self.reused} reused ids"

    async def _maybe(self, producer: AIOKafkaProducer, record: Any, luck: random.Random, prefix: str) -> None:
        digest = hashlib.sha256(record.topic.encode() + record.value).digest()
        if digest in self._seen:
            return  # one of our own
        self._seen.add(digest)
        chance = luck.random()
        if chance < 0.5:
            await self._again(producer, record, record.value)
        elif chance < 0.6:
            self._late.append(record)
        elif chance < 0.63:
            other = record.value + b" "  # the same event to a reader, other bytes to the inbox
            self._seen.add(hashlib.sha256(record.topic.encode() + other).digest())
            await self._again(producer, record, other)
            self.copied -= 1
            self.reused += 1
            self.dead_letters += len(HEARD[record.topic.removeprefix(prefix)])

    async def _again(self, producer: AIOKafkaProducer, record: Any, value: bytes) -> None:
        await producer.send_and_wait(
            record.topic, value, record.key, partition=record.partition, headers=list(record.headers)
        )
        self.copied += 1

    async def end(self) -> None:
        await Background.end(self)
        assert self.copied > 100
        assert self.reused > 5


class DisorderlyHr(HrPublisher):
    """An HR system that sends employees in any order, old records after new ones, and cancellations first."""

    swapped = 0
    late = 0
    _held: HrEvent | None = None

    async def record(
        self,
        members: Sequence[Member],
        *,
        at: datetime,
        correlation_id: str | None = None,
        progress: Progress | None = None,
    ) -> list[str]:
        shuffled = random.Random(SEED).sample(list(members), len(members))
        data = [(PersonRecorded.TYPE, member.employee_id, member.hr_data()) for member in shuffled]
        old = [(kind, who, {**hr, "department": "a department of long ago"}) for kind, who, hr in data]
        earlier, last = self._number(old, at, correlation_id)
        self._sequences |= last
        events, last = self._number(data, at, correlation_id)
        self._sequences |= last
        ids = await self.publish(events)
        await self.publish(earlier)
        self.late += len(earlier)
        if progress is not None:
            progress(len(ids))
        return ids

    async def terminate(
        self, employee_id: str, effective_on: date, *, at: datetime, correlation_id: str | None = None
    ) -> str:
        """A leaving in the future is held back until something else has been said."""
        if effective_on <= at.date():
            return await self._then_held(
                await super().terminate(employee_id, effective_on, at=at, correlation_id=correlation_id)
            )
        await self._then_held("")
        data = {"employee_id": employee_id, "effective_on": effective_on.isoformat()}
        (event,), last = self._number([("hr.person.terminated.v1", employee_id, data)], at, correlation_id)
        self._sequences |= last
        self._held = event
        return event.id

    async def cancel_termination(
        self, employee_id: str, *, at: datetime, correlation_id: str | None = None
    ) -> str:
        """Overtakes the termination that it takes back."""
        return await self._then_held(
            await super().cancel_termination(employee_id, at=at, correlation_id=correlation_id)
        )

    async def _then_held(self, said: str) -> str:
        held, self._held = self._held, None
        if held is not None:
            await self.publish([held])
            self.swapped += 1
        return said


@dataclass(slots=True)
class Disorder(Background):
    """HR's events come late and in any order, and services stall at random, so topics overtake each other."""

    matrix: str = "F13"
    name: str = "any order, late, topics overtaking each other"
    stalls: int = 0
    _hr: DisorderlyHr | None = None

    def make_hr(self, *arguments: Any, **options: Any) -> HrPublisher:
        self._hr = DisorderlyHr(*arguments, **options)
        return self._hr

    async def strike(self, world: World) -> None:
        luck = random.Random(SEED)
        while not await self.pause(luck.uniform(0.2, 1)):
            replica = world.stack.replica(luck.choice(SERVICES))
            replica.pause()
            self.stalls += 1
            try:
                await asyncio.sleep(luck.uniform(0.5, 3))
            finally:
                replica.resume()

    async def end(self) -> None:
        await Background.end(self)
        assert self._hr is not None
        assert self._hr._held is None
        assert self._hr.swapped > 5
        self.injected = f"{self._hr.late} late, {self._hr.swapped} swapped, {self.stalls} stalls"


Poison = tuple[bytes | None, list[tuple[str, Any]]]


def _event(topic: str, number: int, **changes: Any) -> bytes:
    kind = TOPIC[topic].events[0].TYPE
    event = {
        "specversion": "1.0",
        "id": f"poison-{topic}-{number}",
        "source": "urn:poisoner",
        "type": kind,
        "subject": "nobody",
        "time": "2026-03-02T09:00:00Z",
        "tenant": "poisoner",
        "sequence": "1",
        "data": {},
    }
    return json.dumps({name: v for name, v in (event | changes).items() if v is not None}).encode()


def poisons(topic: str, number: int) -> dict[str, Poison]:
    """Every kind of record that nobody can take, for one topic.

    Those that bear a readable event are for topics where others may speak: in a service's own topic the check
    would rightly call them forged.
    """
    plain = [_STRUCTURED]
    megabytes = min(5, TOPIC[topic].max_bytes // 2**20) * 2**20 - 20_000
    kinds: dict[str, Poison] = {
        "not UTF-8": (b"\xff\xfe{}", plain),
        "bad JSON": (b'{"id": ', plain),
        "bad JSON without headers": (b"}{", []),
        "empty": (b"", plain),
        "null": (None, plain),
        "a list": (b"[1, 2]", plain),
        "a number as id": (_event(topic, number, id=7), plain),
        "no tenant": (_event(topic, number, tenant=None), plain),
        "a header that is not UTF-8": (b"{}", [*plain, ("x", b"\xff")]),
        "a null header": (b"{}", [*plain, ("x", None)]),
        "too deep": (b'{"data":' + b"[" * 100 + b"]" * 100 + b"}", plain),
        "absurdly deep": (b"[" * 50_000, plain),
        "as large as can be": (b"\xff" * megabytes, plain),
    }
    if TOPIC[topic].intake:
        event = _event(topic, number)
        version = TOPIC[topic].events[0].TYPE.rpartition(".")[0] + ".v99"
        kinds |= {
            "an event with a header that is not UTF-8": (event, [*plain, ("x", b"\xff")]),
            "headers that contradict": (event, [*plain, ("ce_id", b"another")]),
            "an unknown version": (_event(topic, number, type=version), plain),
            "data that lack everything": (_event(topic, number, id=f"lacks-{number}"), plain),
        }
    return kinds


@dataclass(slots=True)
class PoisonEverywhere(Background):
    """Every kind of poison on every topic and many partitions, amid the work."""

    matrix: str = "F14"
    name: str = "poison of every kind on every topic"
    sent: int = 0
    unknown: int = 0

    async def strike(self, world: World) -> None:
        producer = make_producer(world.settings, "poisoner")
        await producer.start()
        try:
            for number in range(_ROUNDS):
                async with self.blow(world):
                    for topic, hearers in HEARD.items():
                        if hearers:
                            await self._poison(world, producer, topic, number, len(hearers))
        finally:
            await producer.stop()
        kinds = len(poisons("hr-intake", 0))
        self.injected = f"{self.sent} records of {kinds} kinds, {self.unknown} of unknown type"

    async def _poison(
        self, world: World, producer: AIOKafkaProducer, topic: str, number: int, hearers: int
    ) -> None:
        name, partitions = topic_name(world.settings, topic), TOPIC[topic].partitions
        for place, (value, headers) in enumerate(poisons(topic, number).values()):
            at = (place + number) % partitions
            await producer.send(name, value, b"poison", partition=at, headers=headers)
            self.sent += 1
            self.dead_letters += hearers
        if TOPIC[topic].intake:
            value = _event(topic, number, type="somebody.elses.thing.v1", id=f"unknown-{number}")
            await producer.send(name, value, b"poison", partition=number % partitions, headers=[_STRUCTURED])
            self.unknown += 1
        await producer.flush()


@dataclass(slots=True)
class PoisonousSource(Background):
    """One HR system sends nothing but poison, thousands of records; the other one's go on."""

    matrix: str = "F15"
    name: str = "a source that sends only poison"

    async def strike(self, world: World) -> None:
        producer = make_producer(world.settings, "poisonous-hr")
        await producer.start()
        try:
            for number in range(_ROUNDS):
                async with self.blow(world):
                    await self._flood(world, producer, number)
        finally:
            await producer.stop()
        self.injected = f"{self.dead_letters} records"

    async def _flood(self, world: World, producer: AIOKafkaProducer, number: int) -> None:
        name = topic_name(world.settings, "hr-intake")
        data = {"employee_id": 4711, "who": "nobody can say"}
        for place in range(500):
            value = _event("hr-intake", number, id=f"bad-{number}-{place}", data=data)
            await producer.send(name, value, b"%d" % place, headers=[_STRUCTURED])
            self.dead_letters += 1
        await producer.flush()
