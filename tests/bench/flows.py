"""Figures 4 to 8: the whole platform in processes of its own."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from shared.contracts import SERVICES, person_id
from shared.contracts.pairs import RelationshipEnded
from shared.contracts.people import PersonChanged
from shared.messaging.kafka import make_reader, topic_name
from shared.persistence.outbox import event_id
from shared.runtime.collector import spare_collections
from tests.bench.arrivals import from_now_on
from tests.bench.live import Live, recorded, terminated
from tests.bench.timing import cpu_of, memory_of, percentile

_TENANT = "bench"


@dataclass(slots=True)
class Latency:
    """Milliseconds from the moment at which something was due to the moment at which it had its effect."""

    rate: float
    values: list[float]
    hops: dict[str, float] = field(default_factory=dict)
    """Median of each hop, milliseconds."""
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU milliseconds of each process for one of them."""

    def __post_init__(self) -> None:
        # A reader may have a record a moment before its writer has heard of the commit; more is a defect of the bench.
        if self.values and min(self.values) < -1:
            raise AssertionError(f"an effect came {-min(self.values):,.1f} ms before its cause")

    def at(self, percent: float) -> float:
        return percentile(self.values, percent)


@dataclass(slots=True)
class Idle:
    """An idle platform: percent of one core and MiB, by process."""

    seconds: float
    cpu: dict[str, float]
    memory: dict[str, float]


@dataclass(slots=True)
class Burst:
    """HR events published at once and carried through the platform until nothing moves."""

    replicas: int
    people: int
    events: int
    seconds: float
    memory: dict[str, float]
    problems: list[str]

    @property
    def rate(self) -> float:
        return self.events / self.seconds


async def idle(live: Live, seconds: float) -> Idle:
    """CPU and memory while nothing happens."""
    await live.quiet()
    pids = live.pids
    before = {name: cpu_of(pid) for name, pid in pids.items()}
    started = time.monotonic()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - started
    used = {name: (cpu_of(pid) - before[name]) / passed * 100 for name, pid in pids.items()}
    return Idle(passed, used, {name: memory_of(pid) for name, pid in pids.items()})


async def burst(live: Live, tenant: str, people: int) -> Burst:
    """Everybody recorded by HR, and then everybody again with another department."""
    await live.tenant(tenant)
    await live.quiet()
    rows = [recorded(tenant, n) for n in range(people)]
    rows += [recorded(tenant, n, 2, "Research") for n in range(people)]
    started = time.monotonic()
    await live.publish(rows)
    await live.quiet()
    seconds = time.monotonic() - started
    replicas = len(live.stack.services["profiles"])
    memory = {name: memory_of(pid) for name, pid in live.pids.items()}
    return Burst(replicas, people, len(rows), seconds, memory, await problems(live, tenant, people))


async def problems(live: Live, tenant: str, people: int) -> list[str]:
    """What was lost, doubled or out of order; empty if nothing was."""
    found: list[str] = []
    for service, query in (
        ("profiles", "SELECT count(*) FROM person WHERE tenant = $1 AND version = 2"),
        ("matching", "SELECT count(*) FROM person WHERE tenant = $1 AND version = 2"),
        ("notifications", "SELECT count(*) FROM contact WHERE tenant = $1 AND version = 2"),
    ):
        count = (await live.fetch(service, query, tenant))[0][0]
        if count != people:
            found.append(f"{service} has {count} of {people} people as they are now")
    for service in SERVICES:
        dead = (await live.fetch(service, "SELECT count(*) FROM dead_letter WHERE tenant = $1", tenant))[0][0]
        if dead:
            found.append(f"{service} has {dead} dead letters")
    ledger = await live.fetch(
        "profiles", "SELECT event_id FROM outbox_ledger WHERE tenant = $1 AND topic = 'person'", tenant
    )
    ids, disorder = await _read_topic(live, "person", tenant)
    if {row[0] for row in ledger} != set(ids):
        found.append(f"the ledger has {len(ledger)} events of people, the topic {len(set(ids))}")
    if disorder:
        found.append(f"{disorder} events of people came after a newer one of the same person")
    return found


async def _read_topic(live: Live, topic: str, tenant: str) -> tuple[Counter[str], int]:
    """Ids of the tenant's events on a topic, and how many stand behind a newer version of their key."""
    reader = make_reader(live.kafka, topic_name(live.kafka, topic), client_id="bench")
    await reader.start()
    ids: Counter[str] = Counter()
    disorder = 0
    newest: dict[bytes, int] = {}
    try:
        ends = await reader.end_offsets(reader.assignment())
        left = {partition for partition, end in ends.items() if end > 0}
        while left:
            for partition, records in (await reader.getmany(timeout_ms=1000)).items():
                for record in records:
                    headers = dict(record.headers)
                    if headers.get("ce_tenant") != tenant.encode():
                        continue
                    ids[headers["ce_id"].decode()] += 1
                    version = int(headers["ce_sequence"])
                    disorder += version < newest.get(record.key, 0)
                    newest[record.key] = max(version, newest.get(record.key, 0))
                if records and records[-1].offset + 1 >= ends[partition]:
                    left.discard(partition)
    finally:
        await reader.stop()
    return ids, disorder


async def terminations(
    live: Live, rates: Sequence[float], most: int, say: Callable[[str], None]
) -> list[Latency]:
    """HR says that a mentee has left; the mentor's mail is in the queue. Ten seconds of each rate, or *most*."""
    await live.tenant(_TENANT)
    counts = [min(most, int(rate * 10)) for rate in rates]
    mentees = [str(n) for n in range(sum(counts))]
    mentors = [str(len(mentees) + n) for n in range(max(20, len(mentees) // 10))]
    say(f"recording {len(mentees) + len(mentors):,} people")
    await live.publish([recorded(_TENANT, int(n)) for n in (*mentees, *mentors)])
    await live.quiet()
    say("making them pairs")
    relationships = await live.pairs(_TENANT, mentees, mentors)
    await live.quiet()
    done, start = [], 0
    for rate, count in zip(rates, counts, strict=True):
        say(f"{rate:,.0f} terminations a second")
        chosen = range(start, start + count)
        start += count
        before = {name: cpu_of(pid) for name, pid in live.pids.items()}
        due = await live.publish_at([terminated(_TENANT, n) for n in chosen], rate)
        await live.quiet()
        await live.mailed()
        used = {name: (cpu_of(pid) - before[name]) / count * 1000 for name, pid in live.pids.items()}
        done.append(await _latency(live, rate, due, [(mentees[n], relationships[n]) for n in chosen], used))
    return done


async def _latency(
    live: Live, rate: float, due: Sequence[float], chosen: Sequence[tuple[str, str]], used: dict[str, float]
) -> Latency:
    """From the times of the commits, which PostgreSQL has kept."""
    query = (
        "SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM inbox"
        " WHERE tenant = $1 AND consumer = $2"
    )
    heard = dict(await live.fetch("notifications", query, _TENANT, "relationship"))
    people = dict(await live.fetch("matching", query, _TENANT, "person"))
    said = dict(await live.fetch("profiles", _SAID, _TENANT, "person"))
    queued = await live.fetch(
        "notifications",
        "SELECT count(DISTINCT about_id) FROM notification"
        " WHERE tenant = $1 AND template = 'pair-ended' AND about_id = ANY($2)",
        _TENANT,
        [relationship for _, relationship in chosen],
    )
    if queued[0][0] != len(chosen):
        raise AssertionError(f"{queued[0][0]} of {len(chosen)} mails are in the queue")
    ends = [
        heard[_derived("matching", RelationshipEnded.TYPE, relationship, 2)] for _, relationship in chosen
    ]
    changes = [
        _derived("profiles", PersonChanged.TYPE, person_id(_TENANT, mentee), 2) for mentee, _ in chosen
    ]
    known, left = [said[each] for each in changes], [people[each] for each in changes]
    values = [(end - moment) * 1000 for end, moment in zip(ends, due, strict=True)]
    hops = {
        "HR to profiles": percentile([(b - a) * 1000 for a, b in zip(due, known, strict=True)], 50),
        "profiles to matching": percentile([(b - a) * 1000 for a, b in zip(known, left, strict=True)], 50),
        "matching to notifications": percentile(
            [(b - a) * 1000 for a, b in zip(left, ends, strict=True)], 50
        ),
    }
    return Latency(rate, values, hops, used)


_SAID = (
    "SELECT event_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM outbox_ledger"
    " WHERE tenant = $1 AND topic = $2"
)


def _derived(service: str, type_: str, subject: str, version: int) -> str:
    data: Any = type("Fact", (), {"TYPE": type_, "subject": subject})()
    return event_id(service, _TENANT, data, version)


async def commands(live: Live, rate: float, seconds: float, *, alone: bool = False) -> Latency:
    """People change their profiles by REST; their events are read from Kafka. Everybody does so once at the same
    rate before anything is measured: their tokens are known then, and the connections are there.

    *alone*: the other services do not run meanwhile, so that nobody hears the events beside the reader.
    """
    tenant, count = f"{_TENANT}-{'alone' if alone else 'rest'}", int(rate * seconds)
    await live.tenant(tenant)
    people = min(count, 1000)
    await live.publish([recorded(tenant, n) for n in range(people)])
    await live.quiet()
    if not alone:
        return await _commands(live, tenant, people, rate, count)
    async with live.without("matching", "feedback", "notifications"):
        return await _commands(live, tenant, people, rate, count)


async def _commands(live: Live, tenant: str, people: int, rate: float, count: int) -> Latency:
    async with from_now_on(live.kafka, "person") as reader:
        return await _timed_commands(live, reader, tenant, people, rate, count)


async def _timed_commands(
    live: Live, reader: AIOKafkaConsumer, tenant: str, people: int, rate: float, count: int
) -> Latency:
    run = f"rest-{uuid.uuid4().hex[:8]}-"
    ids = [person_id(tenant, str(n)) for n in range(people)]
    tokens = [live.stack.token(identity, tenant) for identity in ids]
    spare_collections()  # of what the bench has made so far: one would delay the requests that are due
    pid = live.stack.replica("profiles").pid
    seen: dict[str, float] = {}

    async def watch() -> None:
        while len(seen) < people + count:
            for records in (await reader.getmany(timeout_ms=1000)).values():
                now = time.time()
                for record in records:
                    name = dict(record.headers)["ce_correlationid"].decode()
                    if name.startswith(run):
                        seen.setdefault(name, now)

    waiting: asyncio.Queue[int | None] = asyncio.Queue()

    async def caller() -> None:
        async with live.client("profiles") as client:
            while (number := await waiting.get()) is not None:
                who = number % people
                form = {"goals": f"goal {number}", "skills_offered": {"Python": 3}}
                path = f"/people/{ids[who]}/profile"
                await client.ask("PUT", path, tokens[who], form, correlation=f"{run}{number}")

    watching = asyncio.create_task(watch())
    callers = [asyncio.create_task(caller()) for _ in range(16)]
    due: dict[str, float] = {}
    before = 0.0
    began = time.time() + 0.2
    try:
        for number in range(people + count):
            moment = began + number / rate
            if (wait := moment - time.time()) > 0.001:
                await asyncio.sleep(wait)
            if number == people:
                before = cpu_of(pid)
            if number >= people:
                due[f"{run}{number}"] = moment
            waiting.put_nowait(number)
        for _ in callers:
            waiting.put_nowait(None)
        async with asyncio.timeout(120):
            await asyncio.gather(*callers, watching)
    finally:
        for task in (watching, *callers):
            task.cancel()
        await asyncio.gather(watching, *callers, return_exceptions=True)
    used = (cpu_of(pid) - before) / count * 1000
    return Latency(
        rate, [(seen[name] - moment) * 1000 for name, moment in due.items()], {}, {"profiles-0": used}
    )
