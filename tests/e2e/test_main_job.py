"""The main job on real processes: it balances, on synthetic people and on a real extract, killed or not."""

import asyncio
import os
from pathlib import Path

import pytest

from deploy.local.demo.command import Result, live, load_organisation
from deploy.local.demo.options import DemoOptions
from deploy.local.hr.organisation import make_organisation
from deploy.local.stack import LocalStack
from shared.contracts import SERVICES
from tests.e2e.conftest import StackMaker
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PEOPLE, SEED = 200, 5


def assert_balances(result: Result) -> None:
    wrong = [f"{e.what}: {dict(e.sides)}" for e in result.equations if not e.holds]
    assert not wrong, wrong
    assert result.report.ok, result.report.render()


async def test_a_kill_of_each_service_changes_nothing(make_stack: StackMaker) -> None:
    """The same story twice, once with SIGKILL of every service in the middle of its work."""
    organisation = make_organisation(PEOPLE, SEED)
    async with make_stack() as stack:
        quiet = await live(organisation, SEED, stack, print)
    assert_balances(quiet)
    assert len(quiet.ledger.terminated_later) > 0
    assert len(quiet.ledger.cancelled) > 0
    async with make_stack() as stack:
        killer = Killer(stack)
        killed = await live(organisation, SEED, stack, print, step=killer.step)
        await killer.finish()
        assert killer.killed == set(SERVICES)
    assert_balances(killed)
    assert killed.digest == quiet.digest


class Killer:
    """Kills a service shortly after a step has begun, while its work is under way, and starts it again."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._victims = {
            "people write": "profiles",
            "matching round 1": "matching",
            "cycle 1: pairs meet": "feedback",
            "cycle 2: HR reports": "notifications",
            "cycle 2: rematching": "matching",
            "cycle 3: pairs meet": "notifications",
        }
        self.killed: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def step(self, name: str) -> None:
        for beginning, victim in self._victims.items():
            if name.startswith(beginning):
                self._tasks.append(asyncio.create_task(self._kill(victim)))

    async def _kill(self, victim: str) -> None:
        process = self._stack.replica(victim)
        written = process.log_path.stat().st_size

        async def in_the_middle() -> bool:
            return process.log_path.stat().st_size > written + 2000  # it is saying events

        await eventually(in_the_middle, seconds=120, every=0.01, what=f"work of {victim}")
        await process.kill()
        await process.restart()
        self.killed.add(victim)

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks)


@pytest.mark.skipif(
    "MENTORING_HR_EXTRACT" not in os.environ, reason="MENTORING_HR_EXTRACT names no HR extract"
)
async def test_the_main_job_on_a_real_extract(make_stack: StackMaker) -> None:
    organisation = load_organisation(DemoOptions(hr=Path(os.environ["MENTORING_HR_EXTRACT"])), print)
    assert len(organisation.members) == 1470
    async with make_stack() as stack:
        result = await live(organisation, 1, stack, print)
    assert_balances(result)
    assert result.ledger.unmapped_fields > 0
    assert result.summaries["profiles"]["hr_fields_dropped"] == result.ledger.unmapped_fields
    pairs = result.summaries["matching"]
    assert pairs["relationships_active"] + pairs["relationships_ended"] >= 300
    assert result.ledger.sessions_completed >= 900
    assert result.ledger.leavers >= 40
