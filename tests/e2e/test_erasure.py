"""One person is erased in mid-job on the whole platform, and then their bytes are looked for everywhere.

What is looked through, and what each look shows:

- every table by binary ``COPY``: what anybody could still read;
- every file of PostgreSQL (tables, catalogue with its samples, WAL) after ``VACUUM FULL`` and checkpoints: what
  lies on disk. Without ``VACUUM FULL`` freed space keeps its bytes until it is used again;
- every record on every topic by a consumer, which decompresses: what anybody could still consume;
- every file of Kafka's log, raw: what has been compacted or deleted is off the disk too. Batches are compressed
  with lz4, which leaves short strings readable, but this look alone would prove nothing;
- logs of all processes and servers, and traces.

The mailbox is not looked through: mails that were sent are the recipients'.
"""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.paths import CHECKOUT
from deploy.local.stack import LocalStack
from shared.contracts import SERVICES, TOPICS, person_id
from shared.contracts.people import PersonChanged
from shared.persistence.bootstrap import database_name
from shared.persistence.outbox import OutboxRecord
from tests.support.platform import hr_event, said_by
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

TENANT, PROGRAMME = "acme", "p-main"
RECORDED = "hr.person.recorded.v1"
ZQ, MENTOR, MENTEE, COORDINATOR = "EMP-ZQ-7781", "E-mentor", "E-mentee", "E-coordinator"

PERSONAL: Final = {
    "given name": "Zebediahq",
    "family name": "Quixworthyz",
    "address": "zq.personal@erase.example",
    "employee number": ZQ,
    "goals": "circumnavigate-zq-goals",
    "skill in own wording": "ZQSAIL-Marker",
    "words by": "zq-words-by-the-person",
    "words about": "zq-words-about-the-person",
}
"""What only this person has, or what only this person's partner wrote about them."""

BROKER: Final = {"log.retention.check.interval.ms": "500", "log.cleaner.backoff.ms": "500"}
SOON: Final = {"segment.ms": "1000", "file.delete.delay.ms": "1000"}
FORGET: Final = {
    "compact": SOON | {"max.compaction.lag.ms": "1000", "delete.retention.ms": "1000"},
    "delete": SOON | {"retention.ms": "1000"},
}
"""What takes days in production, in seconds. Only times differ: the policies stay the catalogue's."""


def record_of(employee: str, level: int, **more: Any) -> dict[str, Any]:
    return {
        "employee_id": employee,
        "given_name": f"Given-{employee}",
        "family_name": "Other",
        "email": f"{employee.lower()}@other.example",
        "department": "Engineering",
        "time_zone": "UTC",
        "languages": ["en"],
        "job_level": level,
    } | more


ZQ_RECORD: Final = record_of(
    ZQ, 4, given_name=PERSONAL["given name"], family_name=PERSONAL["family name"], email=PERSONAL["address"],
    hired_on="2020-01-01",
)  # fmt: skip


class Job:
    """A small programme on real processes: what people do there by HTTP, and HR by Kafka."""

    def __init__(self, stack: LocalStack, http: httpx.AsyncClient) -> None:
        self.stack, self._http = stack, http
        self.relationship = self.open_proposal = ""

    async def ask(self, service: str, who: str, method: str, path: str, *roles: str, **options: Any) -> Any:
        """The JSON answer; ``not_yet_known`` is asked again, as a client should."""
        token = self.stack.token(who if roles else person_id(TENANT, who), TENANT, roles)
        headers = {"authorization": f"Bearer {token}"}
        url = self.stack.url(service) + path

        async def answered() -> httpx.Response | None:
            answer = await self._http.request(method, url, headers=headers, **options)
            waits = answer.status_code == 409 and answer.json()["code"] == "not_yet_known"
            return None if waits else answer

        answer = await eventually(answered, seconds=60, what=f"{method} {path}")
        assert answer is not None
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()

    async def publish(self, *rows: OutboxRecord) -> None:
        async with AIOKafkaProducer(**self.stack.kafka.client_options(), acks="all") as producer:
            for row in rows:
                headers = [(name, value.encode()) for name, value in row.headers.items()]
                await producer.send_and_wait(
                    f"mentoring.{row.topic}", row.payload, row.key.encode(), headers=headers
                )

    async def begin(self) -> None:
        """People, a programme, enrolments; one pair, and one proposal that nobody has answered."""
        await self.ask("profiles", "cli", "PUT", "/tenant", "admin", json={"name": "Acme"})
        await self.publish(
            hr_event(TENANT, RECORDED, ZQ_RECORD),
            hr_event(TENANT, RECORDED, record_of(MENTOR, 6)),
            hr_event(TENANT, RECORDED, record_of(MENTEE, 2)),
            hr_event(TENANT, RECORDED, record_of(COORDINATOR, 5)),
            # One that is refused, with everything in it, for the dead letters.
            hr_event(TENANT, RECORDED, ZQ_RECORD | {"time_zone": "Nowhere/None"}, sequence=2),
        )
        form = {"name": "Main", "coordinator_ids": [person_id(TENANT, COORDINATOR)]}
        await self.ask("profiles", "cli", "PUT", f"/programmes/{PROGRAMME}", "admin", json=form)
        skill = PERSONAL["skill in own wording"]
        for name, role, profile in (
            (ZQ, "mentee", {"skills_wanted": {skill: 5}, "skills_offered": {"chess": 5},
                            "goals": PERSONAL["goals"]}),
            (ZQ, "mentor", None),
            (MENTOR, "mentor", {"skills_offered": {skill.lower(): 5}}),
            (MENTEE, "mentee", {"skills_wanted": {"chess": 5}}),
        ):  # fmt: skip
            identity = person_id(TENANT, name)
            if profile is not None:
                await self.ask("profiles", name, "PUT", f"/people/{identity}/profile", json=profile)
            path = f"/programmes/{PROGRAMME}/enrolments/{role}/{identity}"
            await self.ask("profiles", name, "PUT", path, json={"consent_to_matching": True})
        await self.quiet()
        await self.ask("matching", COORDINATOR, "POST", f"/programmes/{PROGRAMME}/rounds")
        await eventually(self._proposed, seconds=120, what="proposals")
        for name in (ZQ, MENTOR):
            await self.ask("matching", name, "POST", f"/proposals/{self._pair_proposal}/accept")
        (pair,) = (await self.ask("matching", ZQ, "GET", "/me/relationships"))["items"]
        self.relationship = pair["relationship_id"]

    async def _proposed(self) -> bool:
        found = (await self.ask("matching", ZQ, "GET", "/me/proposals", params={"status": "open"}))["items"]
        me = person_id(TENANT, ZQ)
        as_mentee = [each for each in found if each["mentee_id"] == me]
        as_mentor = [each for each in found if each["mentor_id"] == me]
        if not (as_mentee and as_mentor):
            return False
        assert PERSONAL["skill in own wording"] in str(as_mentee[0]["reasons"])
        self._pair_proposal, self.open_proposal = as_mentee[0]["proposal_id"], as_mentor[0]["proposal_id"]
        return True

    async def meet(self) -> None:
        """Two sessions held, one of them answered by both; one to come, whose mails cannot be sent now."""
        for session in ("s-0", "s-1"):
            await self.book(session, timedelta(hours=1))
        await self.quiet()
        await self.stack.clock.advance(timedelta(hours=2))
        for session in ("s-0", "s-1"):
            path = f"/relationships/{self.relationship}/sessions/{session}/complete"
            await self.ask("feedback", MENTOR, "POST", path)
        await self.quiet()
        for name, words in ((ZQ, PERSONAL["words by"]), (MENTOR, PERSONAL["words about"])):
            found = await self.ask("feedback", name, "GET", "/me/feedback-requests")
            identity = next(r for r in found["feedback_requests"] if r["session_id"] == "s-0")[
                "feedback_request_id"
            ]
            answer = {"audience": "partner", "ratings": {"empathy": 5}, "behaviour": words}
            await self.ask("feedback", name, "PUT", f"/feedback-requests/{identity}/answer", json=answer)
        await self.quiet()
        await eventually(self._mail_is_out, seconds=180, what="mails sent")
        self.stack.mail.behave("refuse")
        await self.book("s-2", timedelta(days=3))
        await self.quiet()

    async def book(self, session: str, ahead: timedelta) -> None:
        starts_at = (await self.stack.clock.now() + ahead).isoformat()
        path = f"/relationships/{self.relationship}/sessions/{session}"
        await self.ask("feedback", MENTOR, "PUT", path, json={"starts_at": starts_at, "minutes": 30})

    async def _mail_is_out(self) -> bool:
        states = await rows(self.stack, "notifications", "SELECT DISTINCT state FROM notification")
        return {state for (state,) in states} <= {"sent", "suppressed"}

    async def quiet(self) -> None:
        """Nothing is under way: outboxes empty, no due timer, every consumer at the end of its topics."""

        async def still() -> bool:
            first = await self._said()
            for service in SERVICES:
                status = await self.ask(service, "cli", "GET", "/management/status", "operator")
                busy = status["outbox_pending"] or status["timers_due"]
                if busy or any(consumer["behind"] for consumer in status["consumers"]):
                    return False
            return first == await self._said()

        await eventually(still, seconds=180, every=0.2, what="quiet")

    async def _said(self) -> list[Any]:
        return [await rows(self.stack, name, "SELECT count(*) FROM outbox_ledger") for name in SERVICES]

    def mails_to(self, address: str) -> int:
        return sum(address in mail.recipients for mail in self.stack.mail.messages())


async def rows(stack: LocalStack, service: str, query: str, *values: Any) -> list[Any]:
    async with login(stack, service) as admin:
        return [tuple(row) for row in await admin.fetch(query, *values)]


@contextlib.asynccontextmanager
async def login(stack: LocalStack, service: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """The server's administrator in one service's database."""
    admin = await asyncpg.connect(stack.postgres.admin_dsn, database=database_name(service))
    try:
        yield admin
    finally:
        await admin.close()


# looking for bytes


def needles(of: Mapping[str, str] = PERSONAL) -> dict[str, list[bytes]]:
    """Each as it is, and as hexadecimal digits."""
    return {what: [word.encode(), word.encode().hex().encode()] for what, word in of.items()}


def found_in(content: bytes) -> set[str]:
    return {what for what, spellings in needles().items() if any(each in content for each in spellings)}


async def in_tables(stack: LocalStack) -> dict[str, set[str]]:
    """By table, the catalogue's included, what can be read in it."""
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        async with login(stack, service) as admin:
            for (name,) in await admin.fetch(
                "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind IN ('r', 'm', 't')"
                " AND (relnamespace = 'public'::regnamespace OR relname = 'pg_statistic')"
            ):
                content = io.BytesIO()
                await admin.copy_from_query(f"SELECT t::text FROM {name} t", output=content, format="binary")
                if hits := found_in(content.getvalue()):
                    found[f"{service}.{name}"] = hits
    return found


async def in_records(stack: LocalStack) -> dict[str, set[str]]:
    """By topic, what can be consumed from it: keys, headers and values, decompressed."""
    found: dict[str, set[str]] = {}
    options = stack.kafka.client_options()
    async with AIOKafkaConsumer(
        **options, enable_auto_commit=False, max_partition_fetch_bytes=2**24
    ) as reader:
        partitions = [TopicPartition(f"mentoring.{t.name}", n) for t in TOPICS for n in range(t.partitions)]
        reader.assign(partitions)
        await reader.seek_to_beginning()
        ends = await reader.end_offsets(partitions)
        # Compaction leaves holes, and a partition may end in one: its position tells, not its records.
        while any([await reader.position(each) < ends[each] for each in partitions]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                for each in records:
                    content = b"\n".join((each.key or b"", each.value or b"", repr(each.headers).encode()))
                    if hits := found_in(content):
                        found.setdefault(each.topic.removeprefix("mentoring."), set()).update(hits)
    return found


def in_files(*folders: Path, but_not: Iterable[Path] = ()) -> dict[str, set[str]]:
    """By file below these folders, what its bytes hold."""
    skipped, found = set(but_not), {}
    for folder in folders:
        for path, _, names in os.walk(folder):
            if any(Path(path).is_relative_to(each) for each in skipped):
                continue
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # servers delete files at any time
                    if hits := found_in((Path(path) / name).read_bytes()):
                        found[str((Path(path) / name).relative_to(folder))] = hits
    return found


async def cluster_of(stack: LocalStack) -> Path:
    """Where PostgreSQL keeps its files."""
    ((place,),) = await rows(stack, "profiles", "SELECT current_setting('data_directory')")
    return Path(place)


def own_files(stack: LocalStack) -> dict[str, set[str]]:
    """Logs, traces and everything else beside the servers' data and the mailbox."""
    data = stack.data_dir
    return in_files(data, but_not=[data / "kafka" / "data", data / "postgres" / "cluster", data / "mail"])


# making servers forget


async def topics_forget_soon(stack: LocalStack) -> None:
    """Retention and compaction in seconds. The whole configuration is set: this call replaces it."""
    admin = AIOKafkaAdminClient(**stack.kafka.client_options())
    await admin.start()
    try:
        for topic in TOPICS:
            if topic.compacted or topic.brief:
                config = dict(topic.config) | FORGET["compact" if topic.compacted else "delete"]
                resource = ConfigResource(ConfigResourceType.TOPIC, f"mentoring.{topic.name}", configs=config)
                for response in await admin.alter_configs([resource]):
                    assert all(result[0] == 0 for result in response.resources), response
    finally:
        await admin.close()


async def databases_forget(stack: LocalStack) -> None:
    """Tables are written anew, and old WAL is deleted instead of being kept for reuse."""
    for service in SERVICES:
        async with login(stack, service) as admin:
            await admin.execute("VACUUM (FULL, ANALYZE)")
    async with login(stack, "profiles") as admin:
        for _ in range(3):
            await admin.execute("SELECT pg_switch_wal()")
            await admin.execute("CHECKPOINT")


@pytest_asyncio.fixture(loop_scope="session")
async def job(tmp_path: Path) -> AsyncIterator[Job]:
    stack = LocalStack(
        tmp_path / "stack", kafka_settings=BROKER, postgres_settings={"wal_recycle": "off"}, progress=print
    )
    await stack.start()
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            yield Job(stack, http)
    finally:
        await stack.destroy()


async def command(job: Job, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `mentoring` against this stack, with the role that it needs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}
    environment |= {f"MENTORING_{name.upper()}_URL": job.stack.url(name) for name in SERVICES}
    environment["MENTORING_TOKEN"] = job.stack.token("officer", TENANT, ["privacy"])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shared.cli.main", *arguments,
        env=environment, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_nothing_is_left_of_a_person_who_is_erased_in_mid_job(job: Job) -> None:
    stack, me = job.stack, person_id(TENANT, ZQ)
    if not stack.postgres.ours:
        pytest.skip("another PostgreSQL server is used, whose files cannot be looked through")
    await job.begin()
    await job.meet()
    cluster, kafka = await cluster_of(stack), stack.data_dir / "kafka"
    async with login(stack, "profiles") as admin:
        await admin.execute("CHECKPOINT")

    # The looks can find: everything is there before, and where it belongs.
    before = await in_tables(stack)
    assert set().union(*before.values()) == set(PERSONAL)
    assert before["profiles.person"] >= {"given name", "family name", "address", "employee number", "goals"}
    assert "words about" in before["feedback.feedback_answer"]
    assert not [place for place in before if "pg_statistic" in place], "ANALYZE has copied personal values"
    on_topics = await in_records(stack)
    assert {"hr-intake", "person", "dlt.profiles", "proposal"} == set(on_topics)
    assert set().union(*in_files(cluster).values()) == set(PERSONAL)
    assert set().union(*in_files(kafka).values()) >= {"given name", "address", "employee number"}

    code, exported = await command(job, "person", "export", ZQ, "--employee")
    document = json.loads(exported)
    assert (code, set(document["services"])) == (0, set(SERVICES))
    seen = found_in(exported.encode())
    assert seen == set(PERSONAL) - {"words by", "words about"}
    assert "feedback" in document["withheld"]
    own = await job.ask("feedback", ZQ, "GET", f"/people/{me}/export")
    assert found_in(json.dumps(own).encode()) == {"words by", "words about"}

    # Erased: four receipts, the pair and the proposal over, nobody writes to them any more.
    had_mails = job.mails_to(PERSONAL["address"])
    assert had_mails > 5
    code, output = await command(job, "person", "erase", ZQ, "--employee", "--yes", "--json", "--wait", "180")
    erasure = json.loads(output)
    assert (code, erasure["missing"]) == (0, [])
    counts = {receipt["service"]: receipt["counts"] for receipt in erasure["receipts"]}
    assert set(counts) == set(SERVICES)
    assert counts["profiles"] == {"people": 1, "consents": 1, "enrolments-withdrawn": 2}
    # Not how many proposals: the withdrawal from the programme is on another topic, and may be heard first.
    assert {"people": 1, "pairs-ended": 1}.items() <= counts["matching"].items()
    assert counts["feedback"] == {"requests-closed": 2, "answers-emptied": 2}
    assert counts["notifications"]["messages-cancelled"] >= 1
    await job.quiet()
    stack.mail.behave("accept")
    await eventually(job._mail_is_out, seconds=180, what="mails sent or cancelled")
    assert job.mails_to(PERSONAL["address"]) == had_mails
    (told,) = [
        mail.message.as_string()
        for mail in stack.mail.by_header("X-Mentoring-Template", "pair-ended")
        if f"{MENTOR.lower()}@other.example" in mail.recipients
    ]
    assert "no longer takes part" in told
    assert not found_in(told.encode())
    sessions = await job.ask("feedback", MENTOR, "GET", f"/relationships/{job.relationship}/sessions")
    assert {s["session_id"]: s["status"] for s in sessions["sessions"]}["s-2"] == "cancelled"
    proposal = await job.ask("matching", MENTEE, "GET", f"/proposals/{job.open_proposal}")
    assert (proposal["status"], proposal["reasons"]) == ("withdrawn", [])

    # HR says it all again, and a relay that was frozen sends an older state after the tombstone.
    await job.publish(
        hr_event(TENANT, RECORDED, ZQ_RECORD),
        hr_event(TENANT, RECORDED, ZQ_RECORD, sequence=50),
        hr_event(
            TENANT, "hr.person.terminated.v1", {"employee_id": ZQ, "effective_on": "2020-02-01"}, sequence=51
        ),
        said_by(TENANT, _older_state(me), version=1, now=datetime.now(UTC), correlation_id="zombie"),
    )
    await job.quiet()
    assert await in_tables(stack) == {}

    # What takes days: the second tombstone after 25 hours, compaction, retention.
    assert "person" in await in_records(stack)
    await topics_forget_soon(stack)
    await stack.clock.advance(timedelta(hours=25))
    await eventually(lambda: _answered_again(job), seconds=120, what="receipts of the second tombstone")
    await eventually(lambda: _nothing(in_records(stack)), seconds=120, every=2, what="topics that forget")
    await eventually(
        lambda: _nothing(asyncio.to_thread(in_files, kafka)), seconds=120, every=2, what="segments deleted"
    )
    await databases_forget(stack)

    assert await in_tables(stack) == {}
    await eventually(
        lambda: _nothing(asyncio.to_thread(in_files, cluster)), seconds=30, every=1, what="files without it"
    )
    assert own_files(stack) == {}
    assert (stack.data_dir / "traces" / "profiles.jsonl").stat().st_size > 1000
    assert await job.ask("matching", MENTOR, "GET", "/me/relationships")


def _older_state(person: str) -> PersonChanged:
    names = {"given_name": PERSONAL["given name"], "family_name": PERSONAL["family name"]}
    return PersonChanged(
        person_id=person, status="active", email=PERSONAL["address"], department="d", **names
    )


async def _answered_again(job: Job) -> bool:
    answered = [
        (await rows(job.stack, service, "SELECT version FROM erasure_receipt"))[0][0] for service in SERVICES
    ]
    return answered == [2, 2, 2, 2]


async def _nothing(looking: Any) -> bool:
    """True when a look has found nothing; says what it has found otherwise."""
    found = await looking
    if found:
        print("still there:", found)
    return not found
