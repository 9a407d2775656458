"""The plumbing taken apart into steps: real code on a real PostgreSQL, with a log in memory for Kafka.

A :class:`World` runs commands, the relay, consumers and redrive one step at a time, lets each of them die at
any failpoint, and knows from its own books what must be in the database and in the log.
"""

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
import sqlalchemy as sa
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError

from shared.contracts.people import EnrolmentChanged, EnrolmentStatus, ProgrammeChanged, Role
from shared.errors import Conflict
from shared.http.auth import Caller
from shared.messaging import consumer, processor, redrive, relay
from shared.messaging.consumer import TopicConsumer
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers
from shared.messaging.kafka import make_broker
from shared.messaging.metrics import Metrics
from shared.messaging.processor import BatchProcessor, Circuit
from shared.messaging.redrive import Redrive
from shared.messaging.relay import Relay
from shared.messaging.tracing import Tracing
from shared.persistence.database import Database
from shared.persistence.uow import Uow, want
from shared.runtime.settings import Settings
from tests.support.books import Books
from tests.support.memory_log import Fate, Log, Member, Producer, Reader
from tests.support.publishing import STRUCTURED, programme_event
from tests.support.toy import THINGS, Thing

PARTITIONS: Final = 2
TROUBLE: Final = {
    "deadlock": "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '40P01'; END $$",
    "serialisation": "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END $$",
    "killed connection": "SELECT pg_terminate_backend(pg_backend_pid())",
}
"""What may happen to a handler's transaction: the database says it itself."""


_examples = itertools.count(1)


class Crash(BaseException):
    """The process is gone at this point; nothing below may catch it."""


class Crashes:
    """Stands for ``failpoint``: dies the n-th time it comes to the armed point."""

    def __init__(self) -> None:
        self._point, self._left = "", 0
        self.reached: set[str] = set()
        """Where something has died so far."""

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                self.reached.add(point)
                raise Crash(point)

    @contextmanager
    def at(self, point: str, times: int = 1) -> Iterator[None]:
        """Crash at *point* within this block and nowhere else."""
        self._point, self._left = point, times
        try:
            yield
        finally:
            self._point = ""


@dataclass(slots=True)
class Worker:
    """One replica's consumer and its membership."""

    consumer: TopicConsumer
    member: Member


class World(Books):
    """One service, its database and the log. :meth:`begin` makes a new one of everything but the database."""

    def __init__(self, name: str, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        super().__init__(name, settings.model_copy(update={"relay_batch": 3}))
        self.crashes = Crashes()
        self.trouble: list[str] = []
        self.mended = False
        self.handlers = Handlers()
        self.handlers.on(ProgrammeChanged, needs=_needs)(self._programme_changed)
        self.database = Database(name, self.settings, [THINGS])
        self.redriver = Redrive(self.settings, name, self.handlers, self.database)
        self._metrics, self._tracing = Metrics(name), Tracing(name)
        self._fate, self._at, self._sends = Fate.OK, 0, 0
        self._patch(patch)

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        for module in (processor, relay, consumer):
            patch.setattr(module, "failpoint", self.crashes)
        patch.setattr(relay, "make_producer", lambda *_: Producer(self.log, self._fate_of))
        patch.setattr(relay, "stop_producer", _stopped)
        patch.setattr(redrive, "make_reader", lambda *_, **__: Reader(self.log))
        flush = Uow.flush

        async def flush_and_crash(uow: Uow) -> None:
            await flush(uow)
            self.crashes("flushed")

        patch.setattr(Uow, "flush", flush_and_crash)

    async def begin(self) -> None:
        """A new story: its tenant and its offsets are its own."""
        example = next(_examples)
        async with self.database.plumbing_transaction() as connection:
            await connection.execute(sa.text("DELETE FROM outbox"))
        await self.open_books(f"t{example}", Log({self.topic: PARTITIONS}, base=example * 1_000_000))
        self.caller = Caller("operator", self.tenant, frozenset())
        self.offsets: dict[TopicPartition, int] = {}
        self.trouble.clear()
        self.mended = False
        self.restart()

    async def close(self) -> None:
        await super().close()
        await self.database.close()

    # what may happen

    def restart(self) -> None:
        """A new process: it knows what is committed and nothing else."""
        self.relay = self.make_relay()
        self.worker = self.make_worker()

    def make_relay(self) -> Relay:
        return Relay(self.settings, self.database, self._metrics, hold_seconds=0)

    def make_worker(self) -> Worker:
        batches = BatchProcessor(
            service=self.name,
            topic="programme",
            group="group",
            handlers=self.handlers,
            database=self.database,
            metrics=self._metrics,
            tracing=self._tracing,
            circuit=Circuit(threshold=1_000_000),
        )
        made = TopicConsumer(self.settings, make_broker(self.settings, self.name), batches, self._metrics)
        member = Member(self.log, self.offsets)
        cast(Any, made)._subscriber = SimpleNamespace(consumer=member)
        return Worker(made, member)

    async def command(self, key: str, kind: str, crash: str) -> None:
        with self.crashes.at(crash):
            try:
                async with self.database.transaction(self.tenant) as uow:
                    own = await uow.get(THINGS, f"own:{key}") or Thing(f"own:{key}", 0, "", 0)
                    version = own.version + 1
                    name = f"{kind} {key}:{version}"
                    uow.put(replace(own, version=version))
                    uow.say(ProgrammeChanged(programme_id=key, name=name), version=version)
            except Crash:
                return
        self.committed[key, version] = name

    async def move(self, *relays: Relay, fate: Fate = Fate.OK, at: int = 0, crash: str = "") -> None:
        """One batch of each relay, at the same time."""
        self._fate, self._at, self._sends = fate, at, 0
        with self.crashes.at(crash, at + 1 if crash == "sending" else 1):
            done = await asyncio.gather(*(r.move_batch() for r in relays), return_exceptions=True)
        self._fate = Fate.OK
        self._raise_unless(KafkaError, Crash, found=done)
        if any(isinstance(outcome, Crash) for outcome in done):
            self.relay = self.make_relay()

    async def consume(
        self, *workers: Worker, partition: int, most: int, crash: str = "", times: int = 1
    ) -> int:
        """A batch of one partition for each worker, at the same time; returns how many records there were."""
        place = TopicPartition(self.topic, partition)
        batches = [(worker, worker.member.fetch(place, most)) for worker in workers]
        with self.crashes.at(crash, times):
            done = await asyncio.gather(
                *(worker.consumer._consume(records) for worker, records in batches if records),
                return_exceptions=True,
            )
        self._raise_unless(Crash, found=done)
        if any(isinstance(outcome, Crash) for outcome in done):
            self.worker = self.make_worker()
        return sum(len(records) for _, records in batches)

    def unread(self, partition: int) -> bool:
        """Whether the group has something to read there."""
        place = TopicPartition(self.topic, partition)
        return self.log.end(self.topic, partition) > self.offsets.get(place, self.log.base)

    def foreign(self, kind: str, number: int, key: str) -> None:
        """A record that another system put there: see the kinds below."""
        identity = f"foreign-{len(self.log.all(self.topic))}"
        event = programme_event(identity, key, tenant=self.tenant)
        headers: list[tuple[str, bytes | None]] = [STRUCTURED]
        mine = [record for record in self.log.all(self.topic) if record.value and b'"name"' in record.value]
        value = json.dumps(event).encode()
        if kind == "garbage":
            value = b"{" + identity.encode()
        elif kind == "bad header":
            headers = [STRUCTURED, ("x", b"\xff")]
        elif kind == "invalid":
            value = json.dumps(event | {"data": {}}).encode()
        elif kind == "unknown":
            value = json.dumps(event | {"type": "somebody.elses.thing.v1"}).encode()
        elif not mine:
            return
        else:
            record = mine[number % len(mine)]
            value, headers, key = record.value or b"", list(record.headers), record.key.decode()
            if kind == "other body":
                value = value.replace(b'"name":"', b'"name":"another ').replace(
                    b'"name": "', b'"name": "another '
                )
        self.log.append(self.topic, key.encode(), value, headers)

    async def redrive(self, letter: str, *, operators: int, crash: str = "") -> bool:
        """Handle a dead letter again; whether it went."""
        with self.crashes.at(crash):
            done = await asyncio.gather(
                *(self.redriver.redrive(self.caller, letter, dry_run=False) for _ in range(operators)),
                return_exceptions=True,
            )
        self._raise_unless(Conflict, DBAPIError, KeyError, Crash, found=done)
        gone = [outcome for outcome in done if not isinstance(outcome, BaseException)]
        assert len(gone) <= 1, "two operators had an effect"
        return bool(gone)

    @staticmethod
    def _raise_unless(*expected: type[BaseException], found: list[Any]) -> None:
        for outcome in found:
            if isinstance(outcome, BaseException) and not isinstance(outcome, expected):
                raise AssertionError(f"a step failed with {outcome!r}") from outcome

    async def quiesce(self) -> None:
        """Everything heals and everything is done: nothing may be left over."""
        self.trouble.clear()
        self.mended = True
        self.log.arrive()
        for _ in range(20):
            self.restart()
            while await self.unsent():
                await self.move(self.relay)
            for partition in range(PARTITIONS):
                while await self.consume(self.worker, partition=partition, most=100):
                    continue
            gone = [await self.redrive(letter, operators=1) for letter in await self.letters()]
            if not any(gone) and not await self.unsent():
                return
        raise AssertionError("something is never done")

    # the service

    async def _programme_changed(self, event: Event[ProgrammeChanged], uow: Uow) -> None:
        self.crashes("handling")
        if self.trouble:
            await uow.connection.execute(sa.text(TROUBLE[self.trouble.pop()]))
        name, place = event.data.name, f"{event.subject}:{event.sequence}"
        known = await uow.get(THINGS, event.subject) or Thing(event.subject, 0, "", 0)
        if event.sequence > known.version:
            uow.put(replace(known, version=event.sequence))
        effect = await uow.get(THINGS, place) or Thing(place, event.sequence, "", 0)
        effect = replace(effect, name=name, effects=effect.effects + 1)
        uow.put(effect)
        uow.say(
            EnrolmentChanged(
                enrolment_id=place,
                programme_id=event.subject,
                person_id="p",
                role=Role.MENTEE,
                status=EnrolmentStatus.ACTIVE,
            ),
            version=effect.effects,
        )
        if self.mended:
            return
        if "refuse" in name:
            raise Conflict("refused", "This one is refused.")
        if "defect" in name:
            raise KeyError(name)
        if "too long" in name:
            uow.put(replace(effect, name="x" * 300))

    def _fate_of(self, key: bytes) -> Fate:
        self.crashes("sending")
        sent, self._sends = self._sends, self._sends + 1
        if self._fate is Fate.REFUSED:
            if sent != self._at:
                return Fate.OK
            self.disordered.add(key.decode())
        return self._fate if sent >= self._at else Fate.OK


async def _stopped(*_: object) -> bool:
    return True


def _needs(event: Event[ProgrammeChanged]) -> Any:
    return [want(THINGS, event.subject), want(THINGS, f"{event.subject}:{event.sequence}")]
