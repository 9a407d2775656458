"""Runs that are cut off: the service or the solver is killed, a limit is reached, somebody is erased meanwhile."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from deploy.local.ports import LOOPBACK
from deploy.local.service import ServiceProcess
from services.matching import snapshot, solver, store
from services.matching.domain.runs import MOST_ATTEMPTS
from services.matching.run_worker import LEASE
from shared.contracts.people import PersonErased
from tests.integration.services.runs import Programme, working
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)

COMPUTING: Final = (
    "run_leased", "run_inputs_stored", "run_progress_told", "run_result_before_commit", "run_result_committed",
)  # fmt: skip
PUBLISHING: Final = ("run_leased", "run_publish_halfway", "run_publish_before_commit", "run_published")
HEARD: Final = ("person", "programme", "enrolment", "session")
SAID: Final = ("matching-run", "proposal", "erasure-receipt", "relationship")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    folder = tmp_path_factory.mktemp("issuer")
    async with Platform.open(databases, folder, topics=(*HEARD, *SAID)) as platform:
        yield platform
    solver.close()


@pytest_asyncio.fixture(loop_scope="session")
async def spring(platform: Platform) -> Programme:
    spring = Programme(platform["matching"], new_tenant())
    await spring.begin(30, 12, capacity=2)
    return spring


def armed(platform: Platform, point: str, folder: Path) -> ServiceProcess:
    """The service as a process of its own, which dies at *point*."""
    settings = platform.settings("matching", "armed")
    values = {
        f"MENTORING_{name.upper()}": value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in settings.model_dump(exclude_unset=True).items()
        if value is not None
    }  # fmt: skip

    def environment(port: int) -> dict[str, str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}
        told = {"MENTORING_HTTP_HOST": LOOPBACK, "MENTORING_HTTP_PORT": str(port)}
        return base | values | told

    process = ServiceProcess("matching", "armed", log_path=folder / "armed.log", environment=environment)
    process.extra_environment = {"MENTORING_FAILPOINT": point, "MENTORING_FAILPOINTS_ALLOWED": "1"}
    return process


async def dies(process: ServiceProcess) -> None:
    await process.start(ready_seconds=None)
    try:
        await process.process.wait(120)
        assert process.exit_code == -signal.SIGKILL, process.log_path.read_text()[-2000:]
    finally:
        if process.running:
            await process.kill()


async def lease_is_over(databases: Databases, run: str) -> None:
    """As if :data:`LEASE` had passed since; waiting for it is another test."""
    async with databases.login("matching", "admin") as admin:
        await admin.execute(
            "UPDATE matching_run SET leased_until = clock_timestamp() WHERE run_id = $1 AND leased_until IS NOT NULL",
            run,
        )  # fmt: skip


@pytest.mark.parametrize("point", COMPUTING)
async def test_killed_while_computing_and_done_again_to_the_same_bytes(
    databases: Databases, platform: Platform, spring: Programme, point: str, tmp_path: Path
) -> None:
    run = await spring.request()
    await dies(armed(platform, point, tmp_path))
    cut_off = await spring.ask("GET", f"/runs/{run}")
    assert cut_off["state"] == {"run_leased": "requested", "run_result_committed": "ready"}.get(
        point, "running"
    )
    rows = await spring.counts(run, store.RESULT_TABLES)
    assert any(rows.values()) == (cut_off["state"] == "ready")
    await lease_is_over(databases, run)
    async with working(spring.matching):
        again = await spring.until(run, "ready")
        alone = await spring.run()
    assert again["certificate"] == alone["certificate"]
    assert again["input_hash"] == alone["input_hash"]
    assert cut_off["input_hash"] in (None, again["input_hash"])
    assert len(await spring.pairs(run)) == again["certificate"]["matched"]


@pytest.mark.parametrize("point", PUBLISHING)
async def test_killed_while_publishing_and_nothing_is_half_published(
    databases: Databases, platform: Platform, spring: Programme, point: str, tmp_path: Path
) -> None:
    async with working(spring.matching):
        ready = await spring.run()
    run = ready["run_id"]
    await spring.ask("POST", f"/runs/{run}/publish")
    await dies(armed(platform, point, tmp_path))
    cut_off = await spring.ask("GET", f"/runs/{run}")
    pairs = await spring.pairs(run)
    if point == "run_published":
        assert cut_off["state"] == "published"
    else:
        assert cut_off["state"] == "publishing"
        assert await spring.proposals() == {}
        assert await told(spring) == 0
        assert not any(pair["proposal_id"] for pair in await spring.all_pages(f"/runs/{run}/pairs"))
    await lease_is_over(databases, run)
    async with working(spring.matching):
        done = await spring.until(run, "published")
    assert done["publication"]["proposed"] == len(pairs) == ready["certificate"]["matched"]
    assert await spring.proposals() == pairs
    assert await told(spring) == len(pairs)


async def told(spring: Programme) -> int:
    """How many proposals were ever said."""
    rows = await spring.matching.plumbing(
        "SELECT 1 FROM outbox_ledger WHERE tenant = $1 AND topic = 'proposal'", spring.tenant
    )
    return len(rows)


async def child() -> Any:
    """The process that computes."""

    async def there() -> Any:
        return next((one for one in multiprocessing.active_children() if one.name == "matching-run"), None)

    return await eventually(there, what="a process that computes", every=0.01)


async def test_a_solver_that_is_killed_is_replaced(spring: Programme) -> None:
    run = await spring.request()
    async with working(spring.matching):
        os.kill((await child()).pid, signal.SIGKILL)
        view = await spring.until(run, "ready", "failed")
        assert (view["state"], view["attempts"]) == ("ready", 2)
        alone = await spring.run()
    assert view["certificate"] == alone["certificate"]


async def test_a_solver_that_is_always_killed_fails_its_run(spring: Programme) -> None:
    run = await spring.request()
    killed: set[int] = set()

    async def kill() -> bool:
        process = await child()
        if process.pid not in killed:
            killed.add(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        return len(killed) == MOST_ATTEMPTS

    async with working(spring.matching):
        await eventually(kill, what="as many kills as attempts")
        view = await spring.until(run, "ready", "failed")
    assert (view["state"], view["reason"], view["attempts"]) == ("failed", "solver-died", MOST_ATTEMPTS)
    assert await spring.counts(run, store.RUN_TABLES) == dict.fromkeys(store.RUN_TABLES, 0)


async def test_a_run_that_is_cut_off_too_often_fails(databases: Databases, spring: Programme) -> None:
    run = await spring.request()
    database = spring.matching.process.database
    for _ in range(MOST_ATTEMPTS):
        async with database.transaction(spring.tenant) as uow:
            leased = await store.lease_next(uow, LEASE, publish=False)
            assert leased is not None
        await lease_is_over(databases, run)
    async with working(spring.matching):
        view = await spring.until(run, "ready", "failed")
    assert (view["state"], view["reason"]) == ("failed", "interrupted")


async def test_a_lease_keeps_others_away_until_it_is_over(spring: Programme) -> None:
    run = await spring.request()
    database = spring.matching.process.database
    async with database.transaction(spring.tenant) as uow:
        assert await store.lease_next(uow, LEASE, publish=False) is not None
    async with database.transaction(spring.tenant) as uow:
        assert await store.lease_next(uow, LEASE, publish=False) is None
    assert (spring.tenant, False) not in await store.tenants_with_runs(database)
    async with working(spring.matching):
        view = await spring.until(run, "ready")
    assert view["attempts"] == 2


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({"run_seconds": 0.2}, "time-limit"), ({"run_memory_mb": 64}, "memory-limit")],
    ids=["time", "memory"],
)
async def test_a_limit_ends_a_run_with_the_reason(
    platform: Platform, spring: Programme, limit: dict[str, Any], reason: str
) -> None:
    run = await spring.request()
    async with working(platform.replica("matching", reason, **limit)):
        view = await spring.until(run, "ready", "failed")
    assert (view["state"], view["reason"], view["attempts"]) == ("failed", reason, 1)
    assert view["problem"]
    assert await spring.counts(run, store.RUN_TABLES) == dict.fromkeys(store.RUN_TABLES, 0)


async def test_a_run_that_is_discarded_is_ended(spring: Programme) -> None:
    run = await spring.request()
    async with working(spring.matching):
        process = await child()
        await spring.until(run, "running")
        await spring.ask("POST", f"/runs/{run}/discard")

        async def ended() -> bool:
            return not process.is_alive()

        await eventually(ended, what="the end of the process")
    assert (await spring.ask("GET", f"/runs/{run}"))["state"] == "discarded"
    assert await spring.counts(run, store.RUN_TABLES) == dict.fromkeys(store.RUN_TABLES, 0)


async def test_who_is_erased_meanwhile_is_in_no_result(spring: Programme) -> None:
    run = await spring.request()
    async with working(spring.matching):
        process = await child()
        os.kill(process.pid, signal.SIGSTOP)
        await spring.matching.hear(spring.tenant, PersonErased(person_id="mentee-003"), version=2)
        os.kill(process.pid, signal.SIGCONT)
        view = await spring.until(run, "ready")
    assert (view["people_removed"], view["attempts"]) == (1, 1)
    names = set(await spring.pairs(run)) | {
        one["mentee_id"] for one in await spring.all_pages(f"/runs/{run}/unmatched")
    }
    assert names == {f"mentee-{n:03}" for n in range(30)} - {"mentee-003"}
    async with spring.matching.process.database.transaction(spring.tenant, read_only=True) as uow:
        parts = await store.read_people(uow, run)
    assert not any(b"mentee-003" in content for content in parts.values())
    pool = snapshot.read(parts, date.fromisoformat(view["as_of"]))
    assert snapshot.hash_of(pool) == view["input_hash"]


async def test_a_service_that_stops_gives_back_what_it_holds(spring: Programme) -> None:
    run = await spring.request()
    async with working(spring.matching):
        await child()
    view = await spring.ask("GET", f"/runs/{run}")
    assert (view["state"], view["attempts"]) == ("running", 0)
    async with working(spring.matching):
        assert (await asyncio.wait_for(spring.until(run, "ready"), 200))["attempts"] == 1
