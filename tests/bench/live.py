"""The whole platform as processes, and what the figures do with it: people, pairs, load, quiet, timestamps."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy.local.stack import LocalStack
from services.matching.domain.mentees import Mentee, Place, Standing
from services.matching.domain.pairs import MentorLoad, Relationship, RelationshipStatus
from services.matching.domain.people import Enrolment, EnrolmentStatus, Role
from services.matching.store import ENROLMENT, KINDS, MENTEE, MENTOR_LOAD, RELATIONSHIP
from shared.contracts import SERVICES, TOPIC, derived_id, person_id
from shared.messaging.kafka import LagReader, group_name, make_producer, topic_name
from shared.persistence.bootstrap import database_name
from shared.persistence.database import Database
from shared.persistence.outbox import OutboxRecord
from shared.persistence.uow import want
from shared.runtime.settings import KafkaSettings, Settings
from tests.bench.wire import Client
from tests.support.instance import service_of
from tests.support.records import hr_event
from tests.support.waiting import eventually

_CHUNK: Final = 500
_PATIENCE: Final = 900.0
_STARTED: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROGRAMME: Final = "bench"


class Live:
    """A running stack."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.kafka = KafkaSettings(kafka_bootstrap_servers=stack.kafka.bootstrap_servers)
        self._producer = make_producer(self.kafka, "bench")
        self.lag = LagReader(self.kafka)
        self.pools: dict[str, asyncpg.Pool[Any]] = {}

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path, progress: Any) -> AsyncIterator["Live"]:
        """One replica of each service, in the configuration of a production process. PostgreSQL keeps the time of
        every commit, which is how latencies are read afterwards without touching what is measured."""
        stack = LocalStack(
            folder,
            extra_environment={"MENTORING_TRACES": "none"},
            postgres_settings={"track_commit_timestamp": "on"},
            progress=progress,
        )
        await stack.start()
        live = cls(stack)
        try:
            await live._producer.start()
            async with live.lag:
                for service in SERVICES:
                    live.pools[service] = await asyncpg.create_pool(
                        stack.postgres.admin_dsn, database=database_name(service), min_size=1, max_size=1
                    )
                yield live
        finally:
            for pool in live.pools.values():
                await pool.close()
            await live._producer.stop()
            await stack.destroy()

    @property
    def servers(self) -> str:
        return f"Apache Kafka {self.stack.kafka.version}, PostgreSQL {self.stack.postgres.version}"

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the replicas by name."""
        return {each.name: each.pid for replicas in self.stack.services.values() for each in replicas}

    def client(self, service: str) -> Client:
        return Client("127.0.0.1", self.stack.replica(service).port)

    async def fetch(self, service: str, query: str, *values: Any) -> list[Any]:
        """Rows of a service's database, read by the server's administrator."""
        return await self.pools[service].fetch(query, *values)

    async def tenant(self, tenant: str) -> None:
        """Set up a tenant and its programme, whose rounds never come."""
        async with self.client("profiles") as client:
            token = self.stack.token("admin", tenant, ("admin",))
            await client.ask("PUT", "/tenant", token, {"name": "Bench", "time_zone": "UTC"})
            programme = {"name": "Bench", "matching_delay_minutes": 60 * 24 * 30}
            await client.ask("PUT", f"/programmes/{PROGRAMME}", token, programme)

    # events in

    async def publish(self, rows: Sequence[OutboxRecord]) -> None:
        """As fast as the broker takes them, in order."""
        for start in range(0, len(rows), _CHUNK):
            await asyncio.gather(
                *[await send(self._producer, self.kafka, row) for row in rows[start : start + _CHUNK]]
            )

    async def publish_at(self, rows: Sequence[OutboxRecord], rate: float) -> list[float]:
        """At *rate* a second, whatever becomes of them; returns the moment (epoch) at which each was due."""
        began, due, pending = time.time() + 0.2, [], []
        for number, row in enumerate(rows):
            due.append(began + number / rate)
            if (wait := due[-1] - time.time()) > 0.001:
                await asyncio.sleep(wait)
            pending.append(await send(self._producer, self.kafka, row))
        await asyncio.gather(*pending)
        return due

    async def quiet(self, seconds: float = _PATIENCE) -> None:
        """Until every topic is consumed by all that hear it and every outbox is empty, twice in a row."""
        groups = [
            (group_name(self.kafka, service, topic), topic_name(self.kafka, topic))
            for service in SERVICES
            for topic in service_of(service).handlers.topics
        ]
        calm = {"said": -1}

        async def still() -> bool:
            if any((await self.lag.behind(groups)).values()):
                return False
            counts = [
                (
                    await self.fetch(
                        service,
                        "SELECT (SELECT count(*) FROM outbox), pg_sequence_last_value('outbox_id_seq')",
                    )
                )[0]
                for service in SERVICES
            ]
            said = sum(row[1] or 0 for row in counts)
            still_so, calm["said"] = said == calm["said"], said
            return still_so and not any(row[0] for row in counts)

        await eventually(still, seconds=seconds, every=0.05, what="quiet")

    async def mailed(self, seconds: float = _PATIENCE) -> None:
        """Until no mail waits for being sent: the sender lets events go first, and its work belongs to them."""
        query = "SELECT count(*) FROM notification WHERE state IN ('queued', 'sending')"

        async def none_left() -> bool:
            return not any((await self.fetch("notifications", query))[0])

        await eventually(none_left, seconds=seconds, every=0.05, what="all mail sent")
        await self.quiet(seconds)

    @asynccontextmanager
    async def without(self, *services: str) -> AsyncIterator[None]:
        """These services do not run for a while; afterwards they go on where they were."""
        stopped = [replica for service in services for replica in self.stack.services[service]]
        await asyncio.gather(*(replica.terminate() for replica in stopped))
        try:
            yield
        finally:
            await asyncio.gather(*(replica.start() for replica in stopped))
            await self.quiet()

    # seeding

    async def pairs(self, tenant: str, mentees: Sequence[str], mentors: Sequence[str]) -> list[str]:
        """Make each of *mentees* (employee ids) the partner of one of *mentors*, as *matching* itself would
        write it; returns the relationships' ids. Nothing is said of it: the mails of so many beginnings would
        still be under way when the ends are measured."""
        settings = Settings.model_validate(_settings(self.stack.env_for("matching")))
        database = Database("matching", settings, KINDS)
        ids = [derived_id("relationship", tenant, mentee) for mentee in mentees]
        try:
            for start in range(0, len(mentees), _CHUNK):
                async with database.transaction(tenant) as uow:
                    chunk = range(start, min(start + _CHUNK, len(mentees)))
                    people = {i: person_id(tenant, mentees[i]) for i in chunk}
                    leads = {i: person_id(tenant, mentors[i % len(mentors)]) for i in chunk}
                    await uow.prefetch(
                        wanted
                        for i in chunk
                        for wanted in (
                            want(ENROLMENT, f"e-{people[i]}"),
                            want(RELATIONSHIP, ids[i]),
                            want(MENTOR_LOAD, leads[i]),
                            want(MENTEE, PROGRAMME, people[i]),
                        )
                    )
                    for i in chunk:
                        load = await uow.get(MENTOR_LOAD, leads[i]) or MentorLoad(leads[i])
                        uow.put(MentorLoad(leads[i], load.active + 1, load.reserved))
                        enrolment = f"e-{people[i]}"
                        uow.put(
                            Enrolment(enrolment, 1, PROGRAMME, people[i], Role.MENTEE, EnrolmentStatus.ACTIVE)
                        )
                        uow.put(Mentee(PROGRAMME, people[i], enrolment, Standing.NO_CONSENT, Place.PAIRED))
                        relationship = Relationship(
                            relationship_id=ids[i], version=1, programme_id=PROGRAMME, proposal_id=f"p-{ids[i]}",
                            mentor_id=leads[i], mentee_id=people[i], status=RelationshipStatus.ACTIVE,
                            started_at=_STARTED,
                        )  # fmt: skip
                        uow.put(relationship)
        finally:
            await database.close()
        return ids


async def send(producer: AIOKafkaProducer, settings: KafkaSettings, row: OutboxRecord) -> Any:
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    return await producer.send(
        topic_name(settings, TOPIC[row.topic]), row.payload, row.key.encode(), headers=headers
    )


def recorded(tenant: str, number: int, sequence: int = 1, department: str = "Sales") -> OutboxRecord:
    """HR's record of employee *number*."""
    data = {
        "employee_id": str(number), "given_name": f"Given{number}", "family_name": f"Family{number}",
        "email": f"p{number}@example.org", "department": department, "time_zone": "UTC", "job_level": 1 + number % 9,
    }  # fmt: skip
    return hr_event(tenant, "hr.person.recorded.v1", data, sequence=sequence)


def terminated(tenant: str, number: int) -> OutboxRecord:
    """HR's news that employee *number* has left already."""
    data = {"employee_id": str(number), "effective_on": "2020-01-31"}
    return hr_event(tenant, "hr.person.terminated.v1", data, sequence=2)


def _settings(environment: dict[str, str]) -> dict[str, str]:
    prefix = "MENTORING_"
    return {k.removeprefix(prefix).lower(): v for k, v in environment.items() if k.startswith(prefix)}
