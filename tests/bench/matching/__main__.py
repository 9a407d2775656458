"""``python -m tests.bench.matching``: measures and writes ``docs/bench-matching.md``."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.local.postgres import Postgres
from tests.bench.matching import running
from tests.bench.matching.page import Cell, Newcomer, Run, page_of
from tests.bench.matching.people import Size
from tests.bench.matching.running import Peer

_DOCUMENT = Path(__file__).parents[3] / "docs" / "bench-matching.md"
_SIZES = ((1_000, 400), (10_000, 4_000), (50_000, 20_000), (100_000, 40_000))
_PEERS = ("ortools", "scipy sparse", "scipy dense", "greedy", "matching")
_DENSE_BYTES = 8 * 3
"""For each mentee and place: the matrix, its copy and the solver's."""
_GROWTH = {"matching": 2.0, "scipy sparse": 2.0}
"""With which power of the people a peer's time grows at least; others are always tried."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.matching", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the two smaller sizes only")
    parser.add_argument("--peers", type=Path, help="Python with requirements/bench.txt installed")
    parser.add_argument("--minutes", type=float, default=15, help="at most so long for one peer (15)")
    parser.add_argument("--out", type=Path, help="default: docs/bench-matching.md for a whole run")
    given = parser.parse_args()
    sizes = _SIZES[:2] if given.quick else _SIZES
    running.TIME_LIMIT = 60 * given.minutes
    done = Run(quick=given.quick, load=os.getloadavg(), most_minutes=given.minutes)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mentoring-bench-"))
    # In a process of its own: whoever compiles keeps the compiler's memory.
    running.run([sys.executable, "-m", "services.matching.engine.warm"])
    try:
        for mentees, mentors in sizes:
            for scarce in (False, True):
                done.cells.append(_cell(Size(mentees, mentors, scarce), folder, given.peers, done.cells))
        for scarce in (False, True):
            done.newcomers.append(asyncio.run(_newcomers(Size(*sizes[-1], scarce), folder)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    done.minutes = (time.monotonic() - started) / 60
    text = page_of(done)
    out = given.out or (None if given.quick else _DOCUMENT)
    if out:
        out.write_text(text)
    print(text)


def _kind(size: Size) -> str:
    return "scarce" if size.scarce else "ample"


def _cell(size: Size, folder: Path, python: Path | None, before: list[Cell]) -> Cell:
    print(f"{size.name}: ours", flush=True)
    ended = running.ours("ours", size.mentees, size.mentors, _kind(size), folder)
    if not ended.ok:
        raise SystemExit(f"{size.name}: {ended.why}")
    cell = Cell(size, json.loads((folder / "ours.json").read_text()))
    for name in _PEERS if python else ():
        print(f"{size.name}: {name}", flush=True)
        cell.peers.append(_peer(size, name, folder, python, before))
    for file in folder.iterdir():
        file.unlink()
    return cell


def _peer(size: Size, name: str, folder: Path, python: Any, before: list[Cell]) -> Peer:
    if name == "scipy dense":
        places = 1.8 if size.scarce else 3.0
        needed = size.mentees * size.mentors * places * _DENSE_BYTES
        if needed > running.MEMORY_LIMIT or not (folder / "dense.npz").exists():
            return Peer(name, False, f"needs about {needed / 2**30:,.0f} GB")
        return running.peer(python, name, folder / "dense.npz")
    for cell in reversed(before):
        smaller = next(one for one in cell.peers if one.name == name)
        if cell.size.scarce != size.scarce or name not in _GROWTH or not smaller.ran:
            continue
        projected = smaller.wall * (size.mentees / cell.size.mentees) ** _GROWTH[name]
        if projected > running.TIME_LIMIT:
            took = f"{cell.size.name} took {smaller.wall:,.0f} s"
            return Peer(
                name, False, f"about {projected / 60:,.0f} minutes ({took}, and time grows as the square)"
            )
        break
    return running.peer(python, name, folder / "candidates.npz")


async def _newcomers(size: Size, folder: Path) -> Newcomer:
    print(f"{size.name}: newcomers", flush=True)
    data = folder / f"postgres-{_kind(size)}"
    postgres = await Postgres.start(data)
    try:
        number = 1_000 if size.mentees > 10_000 else 200
        arguments = (size.mentees, size.mentors, _kind(size), number, folder, postgres.admin_dsn)
        ended = await asyncio.to_thread(running.ours, "newcomers", *arguments)
        if not ended.ok:
            raise SystemExit(f"{size.name}, newcomers: {ended.why}")
        return Newcomer(size, postgres.version, json.loads((folder / "newcomers.json").read_text()))
    finally:
        await postgres.destroy()


if __name__ == "__main__":
    main()
