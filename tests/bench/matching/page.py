"""The results as a page: goals, one table of contenders, newcomers, where the time goes."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from tests.bench.matching.people import Size
from tests.bench.matching.running import Peer
from tests.bench.report import machine
from tests.bench.timing import percentile

_ABOUT = """Made by `make bench-matching` (`ARGS=--quick` for the two smaller sizes). One run on one machine; every
contender in a process of its own with at most 8 GB and {limit:g} minutes.

- **People** (`tests/bench/matching/people.py`): 300 skills in 25 families, 3 to 8 weighted wants, 4 to 14 offers with
  strength, goals of 8 to 30 words, 40 departments, 60 offices in ten time zones, 16 languages, levels 1 to 10, one
  reporting tree, ranked choices, avoid lists, earlier failures, priorities. *Ample*: 1 to 5 places. *Scarce*: at most
  2, so that more than a quarter find nobody. All factors and rules of the default configuration, and another
  department as a rule; most people matched first, value second.
- **Ours, whole run**: from people as objects to pairs with reasons, certificate and figures; machine code loaded
  before. Memory is all of the process, with Python, compiler and the people as objects.
- **Same graph**: the candidates on which our run ended, for our assignment alone and for the peers (with building their
  own data structures). *scipy dense* has all pairs instead. *matching* makes stable pairs, beside our stable variant.
- **Violations** are told from the people, by code that is not the engine's (`tests/bench/matching/check.py`).
"""


@dataclass(slots=True)
class Cell:
    size: Size
    ours: dict[str, Any]
    peers: list[Peer] = field(default_factory=list)

    def peer(self, name: str) -> Peer | None:
        return next((one for one in self.peers if one.name == name and one.ran), None)


@dataclass(slots=True)
class Newcomer:
    size: Size
    postgres: str
    figures: dict[str, Any]

    def at(self, figure: str, percent: float) -> float:
        return percentile(self.figures[figure], percent)


@dataclass(slots=True)
class Run:
    quick: bool
    load: tuple[float, float, float]
    minutes: float = 0.0
    most_minutes: float = 15
    cells: list[Cell] = field(default_factory=list)
    newcomers: list[Newcomer] = field(default_factory=list)


def page_of(run: Run) -> str:
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield "# How good and how fast matching is"
    yield ""
    yield _ABOUT.format(limit=run.most_minutes)
    quick = ", **a quick run: the smaller sizes**" if run.quick else ""
    yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {run.minutes:.0f} minutes{quick}"
    yield ""
    yield f"- Machine: {machine()}; load before the run {run.load[0]:.1f}"
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    yield f"- Python {platform.python_version()}, {versions}; two threads on {os.cpu_count()} cores"
    yield ""
    yield "| goal | | measured | reached |"
    yield "|---|---|---|---|"
    for name, goal, measured, reached in _goals(run):
        yield f"| {name} | {goal} | {measured} | {'yes' if reached else '**no**'} |"
    yield ""
    yield "## Contenders"
    yield ""
    yield "| people | contender | seconds | CPU, s | peak, MiB | value | matched | violations | certified gap |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for cell in run.cells:
        yield from _contenders(cell)
    yield ""
    yield "## Where our time goes"
    yield ""
    yield "| people | phase | seconds | CPU, s |"
    yield "|---|---|---|---|"
    for cell in run.cells:
        for phase, spent in cell.ours["phases"].items():
            yield f"| {cell.size.name} | {phase} | {spent['wall']:.2f} | {spent['cpu']:.2f} |"
    yield ""
    yield "## One person more"
    yield ""
    yield "Milliseconds. *Proposals*: the best five of all mentors at the last run's prices. *Joining*: the same for 32"
    yield "candidates. *Re-optimising*: until everybody's assignment is the best again. *SQL*: the five best by score,"
    yield "the same rules and factors in one prepared statement on an index, PostgreSQL on the same machine."
    yield ""
    yield "| people | what | number | p50 | p90 | p99 | max |"
    yield "|---|---|---|---|---|---|---|"
    names = {
        "suggest": "proposals",
        "sql": "proposals by SQL",
        "join": "joining",
        "settle": "re-optimising",
        "leave": "leaving",
    }
    for new in run.newcomers:
        for figure, name in names.items():
            spread = " | ".join(f"{new.at(figure, percent):.3f}" for percent in (50, 90, 99, 100))
            yield f"| {new.size.name} | {name} | {len(new.figures[figure]):,} | {spread} |"
    yield ""
    for new in run.newcomers:
        (came, anew), (left, left_anew) = new.figures["arrived"], new.figures["departed"]
        yield (
            f"- {new.size.name}: after all arrivals {came:,} points with bonuses, anew {anew:,}; after all departures "
            f"{left:,}, anew {left_anew:,}. SQL (PostgreSQL {new.postgres}) finds the same scores: "
            f"{'yes' if new.figures['sql_same'] else 'no'}."
        )


def _contenders(cell: Cell) -> Iterator[str]:
    ours, name = cell.ours, cell.size.name

    def row(
        who: str, spent: dict[str, float], memory: str, value: int, matched: int, wrong: str, gap: str
    ) -> str:
        return (
            f"| {name} | {who} | {spent['wall']:.3f} | {spent['cpu']:.3f} | {memory} | {value:,} | {matched:,} "
            f"| {wrong} | {gap} |"
        )

    gap = f"{100 * ours['gap']:.4f} % in {ours['rounds']}"
    whole = (f"{ours['peak_mib']:.0f}", ours["value"], ours["matched"], str(ours["violations"]), gap)
    yield row("**ours, whole run**", ours["whole"], *whole)
    yield row("ours, same graph", ours["solver"], "-", ours["solver_value"], ours["solver_matched"], "0", "-")
    for peer in cell.peers:
        if peer.name == "matching":
            stable = (ours["stable_value"], ours["stable_matched"])
            blocking = f"{ours['stable_blocking']} blocking pairs"
            yield row("ours, stable", ours["stable"], "-", *stable, "0", blocking)
        if peer.ran:
            spent = {"wall": peer.wall, "cpu": peer.cpu}
            memory = f"{peer.peak_mib:.0f}"
            yield row(peer.name, spent, memory, peer.value, peer.matched, str(peer.violations), "-")
        else:
            yield f"| {name} | {peer.name} | not run: {peer.why} | | | | | | |"


Goal = tuple[str, str, str, bool]


def _goals(run: Run) -> Iterator[Goal]:
    limits = {(100_000, False): 70, (100_000, True): 110, (10_000, False): 1, (10_000, True): 1}
    for cell in run.cells:
        ours, size = cell.ours, cell.size
        limit = limits.get((size.mentees, size.scarce))
        if limit is not None:
            wall = ours["whole"]["wall"]
            yield f"{size.name}, whole run", f"≤ {limit} s", f"{wall:.2f} s", wall <= limit
        if size.mentees == 100_000:
            peak = ours["peak_mib"]
            yield f"{size.name}, memory", "≤ 0.7 GB", f"{peak * 2**20 / 1e9:.2f} GB", peak * 2**20 <= 0.7e9
        good = ours["gap"] <= 0.0001 and ours["violations"] == 0
        measured = f"{100 * ours['gap']:.4f} %, {ours['violations']}"
        yield f"{size.name}, certified gap and violations", "≤ 0.01 %, 0", measured, good
        if (peer := cell.peer("ortools")) is not None:
            least = 1 if size.scarce else 3
            same = (peer.value, peer.matched) == (ours["solver_value"], ours["solver_matched"])
            factor = peer.wall / ours["solver"]["wall"]
            yield (
                f"{size.name}, our assignment through OR-tools'",
                f"{'>' if size.scarce else '≥'} {least} ×, same value",
                f"{factor:.1f} ×, {'same' if same else 'another'} value",
                same and (factor > least if size.scarce else factor >= least),
            )
    for new in run.newcomers:
        late, factor = new.at("suggest", 99), new.at("sql", 50) / new.at("suggest", 50)
        name = new.size.name
        yield f"{name}, proposals for one newcomer, p99", "≤ 5 ms", f"{late:.2f} ms", late <= 5
        yield f"{name}, the same through SQL, p50", "≥ 20 ×", f"{factor:.0f} ×", factor >= 20
        late = new.at("settle", 99)
        came, anew = new.figures["arrived"]
        yield f"{name}, one arrival re-optimised, p99", "≤ 1 ms", f"{late:.2f} ms", late <= 1
        yield f"{name}, and its value is a cold solve's", "equal", f"{came - anew:+,} points", came == anew
