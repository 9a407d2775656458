"""The table of a run, for people and for docs/faults.md."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from io import StringIO
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.local.paths import CHECKOUT
from tests.faults.story import EQUAL, PEOPLE, SEED, Row

_PAGE: Final = CHECKOUT / "docs" / "faults.md"
_COLUMNS: Final = ("", "fault", "injected", "copies", "redelivered", "recovery, s", "run, s", "verdict")
_NUMBERS: Final = ("copies", "redelivered", "recovery, s", "run, s")


def write_page(rows: Sequence[Row]) -> None:
    """Write docs/faults.md."""
    _PAGE.write_text(page(rows))


def drawn(rows: Sequence[Row], *, colour: bool = False) -> str:
    """The table for a terminal."""
    table = Table(title="The same story under faults", title_justify="left", box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    for row in rows:
        table.add_row(*_cells(row), style="" if row.verdict == EQUAL else "red")
    console = Console(width=170, highlight=False, file=StringIO(), force_terminal=colour)
    console.print()
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def _cells(row: Row) -> tuple[str, ...]:
    recovery = "" if row.recovery_seconds is None else f"{row.recovery_seconds:.1f}"
    return (
        row.matrix,
        row.fault,
        row.injected,
        f"{row.copies:,}",
        f"{row.redelivered:,}",
        recovery,
        f"{row.run_seconds:.0f}",
        row.verdict,
    )


def page(rows: Sequence[Row]) -> str:
    """docs/faults.md."""
    good = sum(row.verdict == EQUAL for row in rows)
    lines = [
        "# The platform under faults",
        "",
        "Written by `make faults`; do not edit. How to read it is in"
        " [architecture/faults.md](architecture/faults.md).",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, seed {SEED}, {PEOPLE} people, {_machine()}, {_versions(rows[0])}.",
        f"{good} of {len(rows)} runs ended with the quiet run's business result.",
        "",
        _line(_COLUMNS),
        _line("---:" if column in _NUMBERS else "---" for column in _COLUMNS),
        *(_line(cell.replace("|", "/") for cell in _cells(row)) for row in rows),
        "",
        *(f"- {row.matrix}, {row.fault}: {row.remarks}." for row in rows if row.remarks),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def _versions(row: Row) -> str:
    names = ("faststream", "aiokafka", "asyncpg", "SQLAlchemy")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{row.servers}, Python {platform.python_version()}, {libraries}"
