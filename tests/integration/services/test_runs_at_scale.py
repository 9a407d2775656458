"""6,000 people who look for a mentor, and 4,000 who offer places: nothing holds up the service's event loop.

What is asserted are counts and states; how long the loop was held up is printed, and bounded generously, because the
machine that runs the tests is not idle. The figures are in docs/architecture/matching.md.
"""

import gc
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from services.matching import solver
from services.matching.waking import run_round_now
from shared.contracts.pairs import ProposalChanged
from shared.runtime.collector import spare_collections
from tests.integration.services.crowds import big_programme
from tests.integration.services.runs import SPRING, working
from tests.support.databases import Databases
from tests.support.loop_lag import measured_lag
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(600)

MENTEES, MENTORS = 6_000, 4_000
MOST_SECONDS: Final = 0.5
"""Of processor time that one turn of the loop may take here."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    usual = gc.get_threshold()
    spare_collections()  # as a service does
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform
    gc.unfreeze()
    gc.set_threshold(*usual)
    solver.close()


async def test_a_run_is_computed_and_published(platform: Platform) -> None:
    matching = platform["matching"]
    spring = await big_programme(matching, MENTEES, MENTORS)
    async with working(matching):
        async with measured_lag() as computing:
            ready = await spring.run()
        assert (ready["state"], ready["mentees"], ready["mentors"]) == ("ready", MENTEES, MENTORS)
        assert ready["certificate"]["within_tolerance"]
        matched = ready["certificate"]["matched"]
        assert matched + ready["certificate"]["unmatched"] == MENTEES
        assert matched == min(ready["certificate"]["matched_at_most"], MENTEES) > 0
        run = ready["run_id"]
        async with measured_lag() as comparing:
            other = await spring.run(configuration={"weights": {"skill": 300}})
            compared = await spring.ask("GET", f"/runs/{run}/compare/{other['run_id']}?limit=500")
            pair = (await spring.ask("GET", f"/runs/{run}/pairs?limit=500"))["items"][0]
            params = {"mentee": pair["mentee_id"], "mentor": pair["mentor_id"]}
            assert (await spring.ask("GET", f"/runs/{run}/explain", params=params))["verdict"] == "paired"
        assert compared["kept"] + compared["changed"] + compared["removed"] == matched
        async with measured_lag() as publishing:
            await spring.ask("POST", f"/runs/{run}/publish")
            done = await spring.until(run, "published")
    assert (done["publication"]["proposed"], done["publication"]["dropped"]) == (matched, {})
    assert await spring.said(ProposalChanged.TYPE) == [1] * matched
    for what, lag in (("computing", computing), ("comparing", comparing), ("publishing", publishing)):
        print(f"{what}: {lag}")
        assert lag.by_processor < MOST_SECONDS, what


async def test_a_round_is_no_different(platform: Platform) -> None:
    matching = platform["matching"]
    spring = await big_programme(matching, MENTEES, MENTORS)
    async with matching.process.database.transaction(spring.tenant) as uow:
        run_round_now(uow, SPRING)
    async with measured_lag() as lag:
        while await matching.process.timers.fire_due():
            pass
    print(f"a round: {lag}")
    rows = await matching.rows(
        spring.tenant, "SELECT count(*) AS n FROM proposal WHERE tenant = :tenant AND status = 'open'"
    )
    waiting = await matching.rows(
        spring.tenant,
        "SELECT count(*) AS n FROM mentee WHERE tenant = :tenant AND place = 'free' AND found = 'not-tried-yet'",
    )
    assert rows[0].n > 0
    assert waiting[0].n == 0
    assert lag.by_processor < MOST_SECONDS
