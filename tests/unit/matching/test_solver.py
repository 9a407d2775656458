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
from services.matching.engine import Configuration, Pool
from services.matching.solver_process import Result, compute
from tests.unit.matching.engine.support import crowd


async def nothing() -> None: ...


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    solver.close()
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


RULES = Configuration()


@pytest.mark.parametrize(
    "pool", [crowd(0, 10), crowd(2, 0), crowd(0, 0)], ids=["mentors", "mentees", "nobody"]
)
async def test_one_side_alone_needs_no_process(pool: Pool) -> None:
    waiting = tuple(person.person_id for person in pool.mentees)
    assert await solver.match(pool, RULES, nothing) == Result((), (), waiting)
    assert solver._executor is None


async def test_the_process_comes_to_the_same_result() -> None:
    pool = crowd(80, 50)
    result = await solver.match(pool, RULES, nothing)
    assert result == compute(pool, RULES)
    assert len(result.pairs) == 80


async def test_the_service_itself_never_loads_the_compiler() -> None:
    program = (
        "import asyncio, sys\n"
        "from services.matching import main, solver\n"
        "assert not {'numba', 'numpy', 'llvmlite'} & set(sys.modules)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


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

    await solver.match(crowd(80, 50), RULES, nothing)
    pid = child()
    with pytest.raises(BrokenProcessPool):
        await solver.match(crowd(3000, 1500), RULES, kill)
    async with asyncio.timeout(30):
        await gone(pid)
    await solver.match(crowd(80, 50), RULES, nothing)
    assert child() != pid


_KILLED = """
import asyncio, os, signal
from services.matching import solver
from services.matching.engine import Configuration
from tests.unit.matching.engine.support import crowd

async def nothing(): ...

if __name__ == "__main__":
    asyncio.run(solver.match(crowd(80, 50), Configuration(), nothing))
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
