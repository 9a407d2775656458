"""The run: which figures there are, on which servers, with how much work."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import flows
from tests.bench.consumer import Contest, publish
from tests.bench.flows import Burst
from tests.bench.live import Live
from tests.bench.relay import RelayContest
from tests.bench.report import Consuming, Growth, Relaying, Results
from tests.bench.settled import settle
from tests.bench.timing import Rounds, Server
from tests.bench.workload import person_records
from tests.support.databases import prepared_databases
from tests.support.platform import Platform
from tests.support.servers import start_servers

FIGURES = ("consumer", "relay", "idle", "rest", "termination", "growth", "replicas")
_IN_PROCESS = ("consumer", "relay")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, how much of it, and where the servers keep their data."""

    figures: tuple[str, ...]
    quick: bool
    seed: int
    folder: Path

    def of(self, whole: int) -> int:
        """A tenth of the work in a quick run."""
        return max(1, whole // 10) if self.quick else whole

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 7


async def run(options: Options, say: Say) -> Results:
    """All figures that were asked for, one after the other."""
    results = Results(seed=options.seed, quick=options.quick)
    if any(name in _IN_PROCESS for name in options.figures):
        await _in_process(options, results, say)
    if any(name not in _IN_PROCESS for name in options.figures):
        await _in_processes(options, results, say)
    return results


async def _in_process(options: Options, results: Results, say: Say) -> None:
    folder = options.folder / "servers"
    folder.mkdir()
    say("starting Kafka and PostgreSQL")
    async with start_servers(folder) as servers, prepared_databases(servers) as databases:
        results.servers = servers.description
        async with Platform.open(databases, folder, topics=["person", "enrolment"]) as platform:
            if "consumer" in options.figures:
                results.consuming = await _consumer(options, platform, say)
            if "relay" in options.figures:
                results.relaying = await _relay(options, platform, say)


async def _consumer(options: Options, platform: Platform, say: Say) -> Consuming:
    events = options.of(40_000)
    say(f"publishing {events:,} events of people")
    await publish(platform.settings("profiles"), list(person_records(events, options.seed)))
    figure = Consuming(
        bare=Rounds("bare", events),
        reading=Rounds("bare, locking and reading too", events),
        ours=Rounds("matching", events),
        trusting=Rounds("matching, validation off", events),
        tracing=Rounds("matching, spans recorded", events),
        orm=Rounds("ORM", options.of(2_000)),
    )
    async with platform.databases.login("matching", "admin") as admin:
        await settle(admin)
        contest = Contest(platform, admin, events)
        for number in range(options.rounds):
            say(f"consumer path, round {number + 1} of {options.rounds}")
            await contest.bare(figure.bare)
            await contest.bare(figure.reading, reading=True)
            await contest.ours(figure.ours)
            await contest.ours(figure.trusting, validate=False)
        say("consumer path, with spans recorded")
        traces = f"file:{options.folder / 'traces.jsonl'}"
        for _ in range(options.rounds // 2):
            await contest.ours(figure.tracing, traces=traces)
        for number in range(3):
            say(f"one event at a time with an ORM, round {number + 1} of 3")
            await contest.orm(figure.orm)
    return figure


async def _relay(options: Options, platform: Platform, say: Say) -> Relaying:
    events = options.of(40_000)
    records = list(person_records(events, options.seed))
    ours, bare = Rounds("relay", events), Rounds("bare producer", events)
    async with platform.databases.login("matching", "admin") as admin:
        contest = RelayContest(platform, Server(admin.get_server_pid()), records)
        try:
            for number in range(options.rounds):
                say(f"relay, round {number + 1} of {options.rounds}")
                await contest.bare(bare)
                await contest.ours(ours)
            await settle(admin)
            rate = ours.rate / 2
            say(f"relay at half load: {rate:,.0f} rows a second")
            return Relaying(bare, ours, [await contest.latency(rate, options.of(10)) for _ in range(3)])
        finally:
            await contest.close()


async def _in_processes(options: Options, results: Results, say: Say) -> None:
    figures = options.figures
    async with Live.start(options.folder / "stack", say) as live:
        results.servers = results.servers or live.servers
        async with live.pools["profiles"].acquire() as admin:
            await settle(admin)
        if "idle" in figures:
            say("the idle platform")
            results.idle = await flows.idle(live, 60 if not options.quick else 10)
        if "rest" in figures:
            say("REST commands, 200 a second")
            results.rest = await flows.commands(live, 200, 20 if not options.quick else 3)
            say("REST commands, profiles alone")
            results.rest_alone = await flows.commands(live, 200, 20 if not options.quick else 3, alone=True)
        if "termination" in figures:
            rates = (50, 200, 500, 2000)
            results.terminations = await flows.terminations(live, rates, options.of(6_000), say)
        if "growth" in figures:  # not before latencies: PostgreSQL cleans up after 88,000 people for minutes
            results.growth = await _growth(options, live, say)
        if "replicas" in figures:
            results.replicas = await _replicas(options, live, say)


async def _growth(options: Options, live: Live, say: Say) -> Growth:
    people = options.of(4_000)
    await flows.burst(live, "warm-up", people)
    small: list[Burst] = []
    large: list[Burst] = []
    for number in range(3):
        say(f"growth: {people:,} people, round {number + 1} of 3")
        small.append(await flows.burst(live, f"small-{number}", people))
        if number < 2:
            say(f"growth: {10 * people:,} people, round {number + 1} of 2")
            large.append(await flows.burst(live, f"large-{number}", 10 * people))
    return Growth(small, large)


async def _replicas(options: Options, live: Live, say: Say) -> list[Burst]:
    people = options.of(5_000)
    bursts = []
    for replicas in (1, 2):
        if replicas == 2:
            say("starting a second replica of each service")
            for service in live.stack.services:
                await live.stack.add_replica(service, "1")
            await flows.burst(live, "two-warm", options.of(500))
        for number in range(3):
            say(
                f"{replicas} replica{'s' if replicas > 1 else ''}: {people:,} people, round {number + 1} of 3"
            )
            bursts.append(await flows.burst(live, f"replicas-{replicas}-{number}", people))
    return bursts
