"""The main job on real processes: it balances, on synthetic people and on a real extract.

That it also does when processes are killed is shown in `tests/faults`.
"""

import os
from pathlib import Path

import pytest

from deploy.local.demo.command import Result, live, load_organisation
from deploy.local.demo.options import DemoOptions
from deploy.local.hr.organisation import make_organisation
from tests.e2e.conftest import StackMaker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PEOPLE, SEED = 200, 5


def assert_balances(result: Result) -> None:
    wrong = [f"{e.what}: {dict(e.sides)}" for e in result.equations if not e.holds]
    assert not wrong, wrong
    assert result.report.ok, result.report.render()


async def test_the_main_job_on_a_synthetic_organisation(make_stack: StackMaker) -> None:
    async with make_stack() as stack:
        result = await live(make_organisation(PEOPLE, SEED), SEED, stack, print)
    assert_balances(result)
    assert len(result.ledger.terminated_later) > 0
    assert len(result.ledger.cancelled) > 0


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
