"""The quiet run that all others are compared with, and the table that they write."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.story import EQUAL, Fault, Row, endure, quiet_digest
from tests.faults.table import drawn, write_page

Endure = Callable[[Fault], Awaitable[Row]]

_ROW = "fault row"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault: a whole run under a fault; only `make faults` runs it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without MENTORING_FAULTS=1 whole runs are left out, but for the one with all crash points."""
    if os.environ.get("MENTORING_FAULTS") == "1":
        return
    left_out = [item for item in items if item.get_closest_marker("fault")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The business result of a quiet run of the same seed."""
    return await quiet_digest(tmp_path_factory.mktemp("quiet") / "stack", print)


@pytest.fixture
def under(digest: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> Endure:
    """Run the story under a fault; fails unless it balances, checks and ends like the quiet run.

    The row travels with the test's report, because tests may run in other processes than the one that reports.
    """

    def keep(row: Row) -> None:
        record_property(_ROW, asdict(row))

    async def run(fault: Fault) -> Row:
        began = time.monotonic()
        try:
            row, _ = await endure(fault, tmp_path / "stack", digest, print)
        except Exception as error:
            seconds = time.monotonic() - began
            verdict = f"{type(error).__name__}: {error}"[:200]
            keep(Row(fault.matrix, fault.name, fault.injected, 0, 0, None, seconds, verdict, "", ""))
            raise
        keep(row)
        assert row.verdict == EQUAL, row.verdict
        return row

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print what was found; a whole `make faults` also writes docs/faults.md."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    found = (value for report in reports for name, value in report.user_properties if name == _ROW)
    rows = [Row(**value) for value in found]
    if not rows:
        return
    terminalreporter.write(drawn(rows, colour=terminalreporter.hasmarkup))
    whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if whole and os.environ.get("MENTORING_FAULTS_WRITE") == "1":
        write_page(rows)
