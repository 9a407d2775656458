"""Measuring: wall and CPU time of a piece of work, percentiles, and medians of interleaved rounds."""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Spent:
    """What one piece of work took. Seconds; ``server_cpu`` is PostgreSQL's (0 when it is not a child here)."""

    wall: float = 0.0
    cpu: float = 0.0
    server_cpu: float = 0.0


@dataclass(slots=True)
class Rounds:
    """The same work done several times by one contender."""

    name: str
    events: int
    spent: list[Spent] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Events a second of each round."""
        return [self.events / each.wall for each in self.spent]

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def cpu_us(self) -> float:
        """Median CPU of our process for one event, microseconds."""
        return statistics.median(each.cpu for each in self.spent) / self.events * 1e6

    def server_cpu_us(self) -> float:
        """Median CPU of PostgreSQL for one event, microseconds."""
        return statistics.median(each.server_cpu for each in self.spent) / self.events * 1e6


def ratio(ours: Rounds, other: Rounds) -> float:
    """Median over the rounds of our rate through theirs; both of a pair ran one after the other."""
    return statistics.median(a / b for a, b in zip(ours.rates, other.rates, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of *values*."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def cpu_of(pid: int, *, with_dead_children: bool = False) -> float:
    """CPU seconds that a process has had, with those of its children that have ended if wanted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(value) for value in fields[11 : 15 if with_dead_children else 13]) / _TICK


def memory_of(pid: int) -> float:
    """Resident memory of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


class Server:
    """PostgreSQL's processes, seen from outside; *backend* is the pid of one connection's process."""

    def __init__(self, backend: int) -> None:
        try:
            status = Path(f"/proc/{backend}/status").read_text()
            parent = next(line for line in status.splitlines() if line.startswith("PPid"))
            self._master = int(parent.split()[1])
        except OSError:
            self._master = 0  # a server on another machine

    def cpu(self) -> float:
        """CPU seconds of all its processes, with those that have ended."""
        if not self._master:
            return 0.0
        tasks = Path(f"/proc/{self._master}/task/{self._master}/children").read_text().split()
        total = cpu_of(self._master, with_dead_children=True)
        for pid in tasks:
            try:
                total += cpu_of(int(pid))
            except OSError:
                continue
        return total


@contextmanager
def spending(server: Server | None = None) -> Iterator[Spent]:
    """Measures its body."""
    spent = Spent()
    wall, cpu = time.perf_counter(), time.process_time()
    before = server.cpu() if server else 0.0
    yield spent
    spent.wall, spent.cpu = time.perf_counter() - wall, time.process_time() - cpu
    spent.server_cpu = (server.cpu() - before) if server else 0.0
