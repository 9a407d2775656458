"""The engine's own process: the same result, and gone when it shall be."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from services.matching import solver
from services.matching.engine import match
from tests.unit.matching.test_engine import crowd


async def nothing() -> None: ...


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    yield
    solver.close()


def child() -> int:
    assert solver._executor is not None
    (pid,) = solver._executor._processes
    return pid


async def gone(pid: int) -> None:
    """Ended, or at least a zombie that nobody has waited for yet."""
    while (stat := Path(f"/proc/{pid}/stat")).exists() and " Z " not in stat.read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_small_pool_needs_no_process() -> None:
    await solver.match(crowd(10, 10), nothing)
    assert solver._executor is None


async def test_the_process_comes_to_the_same_result() -> None:
    pool = crowd(80, 50)
    assert await solver.match(pool, nothing) == match(pool)


async def test_a_process_that_dies_fails_its_round_and_the_next_has_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(solver, "_KEEP_ALIVE_SECONDS", 0.01)
    calls = 0

    async def kill() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            solver.close()

    await solver.match(crowd(80, 50), nothing)
    pid = child()
    with pytest.raises(BrokenProcessPool):
        await solver.match(crowd(3000, 1500), kill)
    async with asyncio.timeout(30):
        await gone(pid)
    await solver.match(crowd(80, 50), nothing)
    assert child() != pid


_KILLED = """
import asyncio, os, signal
from services.matching import solver
from tests.unit.matching.test_engine import crowd

async def nothing(): ...

if __name__ == "__main__":
    asyncio.run(solver.match(crowd(80, 50), nothing))
    print(*solver._executor._processes, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_the_process_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(_KILLED)
    command = [sys.executable, str(program)]
    root = Path(__file__).parents[3]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    async with asyncio.timeout(30):
        await gone(int(done.stdout))
