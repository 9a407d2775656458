"""The results as a page: goals and whether they are reached, raw numbers, machine, versions, seed."""

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.flows import Burst, Idle, Latency
from tests.bench.timing import Rounds, ratio
from tests.bench.words import ABOUT, WHERE

_LIBRARIES = ("aiokafka", "faststream", "asyncpg", "sqlalchemy", "pydantic", "msgspec", "fastapi", "uvloop")


@dataclass(slots=True)
class Consuming:
    """Figures 1 and 2."""

    bare: Rounds
    reading: Rounds
    ours: Rounds
    trusting: Rounds
    tracing: Rounds
    orm: Rounds


@dataclass(slots=True)
class Relaying:
    """Figure 3."""

    bare: Rounds
    ours: Rounds
    latencies: list[Latency]

    @property
    def latency(self) -> Latency:
        """Of several the middle one, by its slowest percent."""
        return sorted(self.latencies, key=lambda each: each.at(99))[len(self.latencies) // 2]


@dataclass(slots=True)
class Growth:
    """Figure 7: small bursts, and between them some of ten times the size."""

    small: list[Burst]
    large: list[Burst]

    @property
    def factor(self) -> float:
        small, large = ([burst.seconds for burst in each] for each in (self.small, self.large))
        return statistics.median(large) / statistics.median(small)

    @property
    def memory(self) -> float:
        """Memory of all services after the last large burst through that after the first one."""
        return sum(self.large[-1].memory.values()) / sum(self.large[0].memory.values())

    @property
    def first_backlog(self) -> float:
        """The same after the first large burst through that of processes that were never far behind."""
        return sum(self.large[0].memory.values()) / sum(self.small[0].memory.values())


@dataclass(slots=True)
class Results:
    """What one run has measured; a figure that was not asked for is None or empty."""

    seed: int
    quick: bool
    servers: str = ""
    minutes: float = 0.0
    load: tuple[float, float, float] = field(default_factory=os.getloadavg)
    """Load of the machine before anything was started."""
    consuming: Consuming | None = None
    relaying: Relaying | None = None
    idle: Idle | None = None
    growth: Growth | None = None
    rest: Latency | None = None
    rest_alone: Latency | None = None
    terminations: list[Latency] = field(default_factory=list)
    replicas: list[Burst] = field(default_factory=list)


Row = tuple[str, str, str, str]


def write(results: Results, path: Path | None) -> str:
    """The page's text; also written to *path*."""
    text = "\n".join(_page(results)) + "\n"
    if path is not None:
        path.write_text(text)
    return text


def _page(results: Results) -> Iterator[str]:
    yield "# How fast it is"
    yield ""
    yield ABOUT
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, seed {results.seed}, {results.minutes:.0f} minutes" + (
        ", **a quick run: a tenth of the work**" if results.quick else ""
    )
    yield ""
    yield f"- Machine: {machine()}; load before the run {results.load[0]:.1f}"
    yield f"- Servers, on the same machine: {results.servers}"
    yield f"- Python {platform.python_version()}; " + ", ".join(f"{n} {version(n)}" for n in _LIBRARIES)
    yield ""
    yield "| figure | goal | measured | reached |"
    yield "|---|---|---|---|"
    for row in _goals(results):
        yield f"| {' | '.join(row)} |"
    yield ""
    yield "## Raw numbers"
    yield ""
    yield from _raw(results)
    yield WHERE


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"


def _goals(results: Results) -> Iterator[Row]:
    if (c := results.consuming) is not None:
        value = ratio(c.ours, c.bare)
        yield "consumer path through bare aiokafka + asyncpg", "≥ 0.8", f"{value:.2f}", _yes(value >= 0.8)
        value = ratio(c.ours, c.reading)
        yield "the same, when the bare one also locks and reads what is decided on", "-", f"{value:.2f}", "-"
        value = ratio(c.trusting, c.bare)
        yield "the same, validation off", "≥ 0.95", f"{value:.2f}", _yes(value >= 0.95)
        value = c.ours.rate / c.orm.rate
        yield "consumer path through FastStream + Pydantic + ORM, event by event", "-", f"{value:.1f}", "-"
    if (r := results.relaying) is not None:
        value = ratio(r.ours, r.bare)
        yield "relay through a bare idempotent producer", "≥ 0.8", f"{value:.2f}", _yes(value >= 0.8)
        late = r.latency.at(99)
        name = f"commit to Kafka at half load ({r.latency.rate:,.0f} rows/s), p99"
        yield name, "≤ 100 ms", f"{late:.0f} ms", _yes(late <= 100)
    for latency in results.terminations:
        late = latency.at(99)
        goal, reached = ("≤ 1,000 ms", _yes(late <= 1000)) if latency.rate == 500 else ("-", "-")
        yield (
            f"HR termination to notification queued, {latency.rate:,.0f}/s, p99",
            goal,
            f"{late:,.0f} ms",
            reached,
        )
    for rest, how in (
        (results.rest, "all four services on the same cores"),
        (results.rest_alone, "*profiles* alone"),
    ):
        if rest is not None:
            late = rest.at(99)
            name = f"REST command to event on Kafka, {rest.rate:,.0f}/s, {how}, p99"
            yield name, "≤ 50 ms", f"{late:.0f} ms", _yes(late <= 50)
    if results.replicas:
        flawless = not any(burst.problems for burst in results.replicas)
        rates = {n: _rate([b for b in results.replicas if b.replicas == n]) for n in (1, 2)}
        measured = f"{rates[1]:,.0f}/s and {rates[2]:,.0f}/s, " + (
            "no flaw" if flawless else "flaws, see below"
        )
        yield "one and two replicas of each service", "no loss, no disorder", measured, _yes(flawless)
    if (growth := results.growth) is not None:
        yield (
            "ten times the events and people: time",
            "≤ 10.5 ×",
            f"{growth.factor:.1f} ×",
            _yes(growth.factor <= 10.5),
        )
        yield (
            "the same: memory of the services, after the last large burst through after the first",
            "flat",
            f"{growth.memory:.2f} ×",
            _yes(growth.memory <= 1.15),
        )
        yield "the first large burst through a small one before it", "-", f"{growth.first_backlog:.2f} ×", "-"
    if (idle := results.idle) is not None:
        total = sum(idle.cpu.values())
        yield "idle: CPU of all four services", "≤ 10 % of one core", f"{total:.1f} %", _yes(total <= 10)


def _rate(bursts: Sequence[Burst]) -> float:
    return statistics.median(burst.rate for burst in bursts)


def _raw(results: Results) -> Iterator[str]:
    rounds = []
    if (c := results.consuming) is not None:
        rounds += [c.bare, c.reading, c.ours, c.trusting, c.tracing, c.orm]
    if (r := results.relaying) is not None:
        rounds += [r.bare, r.ours]
    if rounds:
        yield "| contender | events | each round, events/s | median | CPU, µs | PostgreSQL's CPU, µs |"
        yield "|---|---|---|---|---|---|"
        for each in rounds:
            rates = " ".join(f"{rate:,.0f}" for rate in each.rates)
            yield (
                f"| {each.name} | {each.events:,} | {rates} | {each.rate:,.0f}"
                f" | {each.cpu_us():.0f} | {each.server_cpu_us():.0f} |"
            )
        yield ""
    yield from _latencies(results)
    bursts = [*results.replicas, *([*results.growth.small, *results.growth.large] if results.growth else [])]
    if bursts:
        yield "| burst of HR events | replicas | people | events | seconds | events/s | memory of all, MiB | flaws |"
        yield "|---|---|---|---|---|---|---|---|"
        for b in bursts:
            about = "replicas" if b in results.replicas else "growth"
            flaws = "; ".join(b.problems) or "none"
            yield (
                f"| {about} | {b.replicas} | {b.people:,} | {b.events:,} | {b.seconds:.1f} | {b.rate:,.0f}"
                f" | {sum(b.memory.values()):.0f} | {flaws} |"
            )
        yield ""
    if (idle := results.idle) is not None:
        yield f"| idle for {idle.seconds:.0f} s | % of one core | memory, MiB |"
        yield "|---|---|---|"
        for name, percent in idle.cpu.items():
            yield f"| {name} | {percent:.1f} | {idle.memory[name]:.0f} |"
        yield ""


def _latencies(results: Results) -> Iterator[str]:
    rows: list[tuple[str, Latency]] = [("termination to notification", each) for each in results.terminations]
    if results.rest is not None:
        rows.append(("REST to Kafka", results.rest))
    if results.rest_alone is not None:
        rows.append(("REST to Kafka, *profiles* alone", results.rest_alone))
    if results.relaying is not None:
        rows += [("commit to Kafka", each) for each in results.relaying.latencies]
    if not rows:
        return
    yield "| latency, ms | rate/s | number | p50 | p90 | p99 | max | median of each hop | CPU, ms for one |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, each in rows:
        hops = ", ".join(f"{hop} {value:.0f}" for hop, value in each.hops.items()) or "-"
        cpu = ", ".join(f"{process} {value:.2f}" for process, value in each.cpu.items()) or "-"
        spread = " | ".join(f"{each.at(percent):,.1f}" for percent in (50, 90, 99, 100))
        yield f"| {name} | {each.rate:,.0f} | {len(each.values):,} | {spread} | {hops} | {cpu} |"
    yield ""


def machine() -> str:
    """Cores, processor, memory and kernel, in a line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}"
