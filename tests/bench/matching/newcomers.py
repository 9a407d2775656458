"""One person more: proposals against all mentors, arrivals and departures, ours and by SQL.

``python -m tests.bench.matching.newcomers MENTEES MENTORS KIND NUMBER FOLDER [DSN]``, in a process of its own.
"""

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.matching.engine.encode import Encoder
from services.matching.engine.live import Live
from services.matching.engine.warm import warm
from tests.bench.matching import sql
from tests.bench.matching.people import CONFIGURATION, Size, newcomers, pool_of


@dataclass(slots=True)
class Newcomers:
    """Milliseconds of each, and what shows that the results are right."""

    suggest: list[float] = field(default_factory=list)
    join: list[float] = field(default_factory=list)
    """Scoring all mentors for somebody who comes."""
    settle: list[float] = field(default_factory=list)
    """Re-optimising from the last prices."""
    leave: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    sql_same: bool | None = None
    """Whether SQL found the same best scores."""
    arrived: tuple[int, int] = (0, 0)
    """Everybody's points after all have come: from the last prices, and anew."""
    departed: tuple[int, int] = (0, 0)


def measure(size: Size, number: int, dsn: str | None) -> Newcomers:
    """*number* people come one by one into a solved programme, and then as many leave."""
    warm()
    measured, clock = Newcomers(), time.perf_counter
    people, pool = newcomers(size, number), pool_of(size)
    if dsn is not None:
        encoded = Encoder(pool, CONFIGURATION).encode(people)
        measured.sql, measured.sql_same = asyncio.run(sql.measure(dsn, encoded))
    live = Live(pool, CONFIGURATION, room=number)
    live.suggest(people[0])
    gc.collect()
    gc.freeze()  # as services do when they have started (shared/runtime/entry.py)
    for person in people:
        start = clock()
        live.suggest(person)
        measured.suggest.append((clock() - start) * 1000)
    for person in people:
        start = clock()
        place = live.join(person)
        joined = clock()
        live.settle(place)
        measured.join.append((joined - start) * 1000)
        measured.settle.append((clock() - joined) * 1000)
    measured.arrived = live.worth()
    live.leave(people[0].person_id)  # the first one makes the list of suitors
    for mentee in pool.mentees[:: max(1, size.mentees // number)][:number]:
        start = clock()
        live.leave(mentee.person_id)
        measured.leave.append((clock() - start) * 1000)
    measured.departed = live.worth()
    return measured


def main() -> None:
    mentees, mentors, kind, number, folder, *dsn = sys.argv[1:]
    size = Size(int(mentees), int(mentors), kind == "scarce")
    measured = measure(size, int(number), dsn[0] if dsn else None)
    Path(folder, "newcomers.json").write_text(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
