"""10,000 people in one programme, on the whole stack: a run is asked for over HTTP, killed, published, killed again.

Nothing may be half published, and while the run is computed nobody else may be kept waiting: the longest answer of
each service's health route is printed, asked fifty times a second from outside. On two cores that all share it says
more about the cores than about event loops; those are measured inside by ``test_runs_at_scale``.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest

from deploy.local.demo.command import sources_of
from deploy.local.demo.people import People, all_at_once
from deploy.local.demo.quiet import Quiet
from deploy.local.demo.watch import Watch
from deploy.local.hr.organisation import make_organisation
from deploy.local.hr.publisher import HrPublisher
from deploy.local.requests import FILE, RequestLog
from deploy.local.stack import LocalStack
from shared.check import check
from shared.contracts import SERVICES, person_id
from shared.messaging.kafka import LagReader, connection
from shared.runtime.settings import KafkaSettings
from tests.support.waiting import eventually

PEOPLE: Final = int(os.environ.get("MENTORING_LARGE_PEOPLE", "10000"))
TENANT, PROGRAMME = "large", "everybody"
_SECONDS: Final = 300.0

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1800)]


@asynccontextmanager
async def answering(stack: LocalStack, longest: dict[str, float]) -> AsyncIterator[None]:
    """Ask every service whether it lives, all the time; the longest answer of each, milliseconds."""
    over = asyncio.Event()

    async def ask(http: httpx.AsyncClient, service: str) -> None:
        while not over.is_set():
            began = time.perf_counter()
            (await http.get(f"{stack.url(service)}/health/live")).raise_for_status()
            longest[service] = max(longest.get(service, 0.0), 1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.02)

    async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as group:
        for service in SERVICES:
            group.create_task(ask(http, service))
        try:
            yield
        finally:
            over.set()


class Large:
    """A coordinator with a large programme."""

    def __init__(self, stack: LocalStack, people: People, coordinator: str) -> None:
        self.stack, self.people, self.coordinator = stack, people, coordinator

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        return await self.people.call(self.coordinator, method, "matching", path, body)

    async def until(self, run: str, *states: str) -> Any:
        async def there() -> Any:
            view = await self.ask("GET", f"/runs/{run}")
            assert view["state"] not in {"failed", "discarded"} - {*states}, view
            return view if view["state"] in states else None

        return await eventually(
            there, seconds=_SECONDS, every=0.2, what=f"a run that is {' or '.join(states)}"
        )

    async def dies(self) -> None:
        """The service ends by itself, at the crash point that it was told."""

        async def dead() -> bool:
            return not self.stack.replica("matching").running

        await eventually(dead, seconds=_SECONDS, every=0.1, what="matching at its crash point")

    async def again(self, failpoint: str = "") -> None:
        replica = self.stack.replica("matching")
        replica.extra_environment = (
            {"MENTORING_FAILPOINT": f"{failpoint}:1", "MENTORING_FAILPOINTS_ALLOWED": "1"}
            if failpoint
            else {}
        )
        await replica.restart()


async def test_ten_thousand_people_are_matched_and_nothing_is_half_published(tmp_path: Path) -> None:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    async with LocalStack(tmp_path / "stack", progress=say) as stack:
        settings = KafkaSettings(
            kafka_bootstrap_servers=stack.kafka.bootstrap_servers,
            kafka_topic_prefix=stack.environment.topic_prefix,
            kafka_group_prefix=stack.environment.group_prefix,
        )
        prefix = settings.kafka_topic_prefix
        with closing(RequestLog(stack.data_dir / FILE, TENANT)) as log:
            async with (
                People({name: stack.url(name) for name in SERVICES}, TENANT, stack.token, log) as people,
                Watch(TENANT, prefix, **connection(settings)) as watch,
                HrPublisher(settings.kafka_bootstrap_servers, TENANT, prefix, ledger=log) as hr,
                LagReader(settings) as lag,
            ):
                quiet = Quiet(people, watch, settings, lag, stack.clock)
                large = await _programme(stack, people, hr, quiet, say)
                await _killed_twice(large, watch, quiet, say)
        report = await check(sources_of(stack, settings, stack.data_dir / FILE))
        say(report.render())
        assert report.ok


async def _programme(
    stack: LocalStack, people: People, hr: HrPublisher, quiet: Quiet, say: Callable[[str], None]
) -> Large:
    """Everybody is known to HR and enrolled, the senior three tenths of them as mentors."""
    organisation = make_organisation(PEOPLE, 3)
    members = {person_id(TENANT, member.employee_id): member for member in organisation.members}
    ranked = sorted(members, key=lambda person: (members[person].job_level or 1, person))
    sides = dict.fromkeys(ranked[: PEOPLE * 7 // 10], "mentee")
    sides |= dict.fromkeys(ranked[PEOPLE * 7 // 10 :], "mentor")
    large = Large(stack, people, next(iter(members)))
    programme = f"/programmes/{PROGRAMME}"
    for path, body in (
        ("/tenant", {"name": "Large", "time_zone": "Europe/Berlin"}),
        (programme, {"name": "Everybody", "coordinator_ids": [large.coordinator]}),
        (f"{programme}/matching", {"rounds": "supervised"}),
    ):
        await people.call("admin", "PUT", "profiles", path, body, roles=("admin",))
    await hr.record(organisation.members, at=await quiet.now())
    await quiet.wait(say)
    say("people enrol")

    async def enrol(person: str) -> None:
        await people.call(person, "PUT", "profiles", f"/people/{person}/profile", members[person].profile())
        place = f"{programme}/enrolments/{sides[person]}/{person}"
        await people.call(person, "PUT", "profiles", place, {"consent_to_matching": True})

    await all_at_once(ranked, enrol, done=lambda _: None)
    await quiet.wait(say)
    return large


async def _killed_twice(large: Large, watch: Watch, quiet: Quiet, say: Callable[[str], None]) -> None:
    """A run is killed while it is computed, and again while it is published."""
    stack = large.stack
    say("a run, killed while it is computed")
    await large.again("run_progress_told")
    run = (await large.ask("POST", f"/programmes/{PROGRAMME}/runs", {}))["run_id"]
    await large.dies()
    await large.again()
    longest: dict[str, float] = {}
    computing = time.monotonic()
    async with answering(stack, longest):
        ready = await large.until(run, "ready")
    say(f"ready {time.monotonic() - computing:.1f} s after the restart: {ready['certificate']}")
    say(f"longest answers, ms: { {name: round(ms) for name, ms in longest.items()} }")
    assert ready["mentees"] + ready["mentors"] == PEOPLE
    assert ready["certificate"]["within_tolerance"]
    assert watch.states("proposal") == []
    say("published, killed half way")
    await large.again("run_publish_halfway")
    await large.ask("POST", f"/runs/{run}/publish")
    await large.dies()
    assert (await _proposals(stack)) == 0
    await large.again()
    done = await large.until(run, "published")
    await quiet.wait(say)
    publication = done["publication"]
    say(f"published: {publication}")
    proposed = publication["proposed"]
    assert proposed + sum(publication["dropped"].values()) == ready["certificate"]["matched"] > 0
    assert await _proposals(stack) == proposed == len(watch.states("proposal"))


async def _proposals(stack: LocalStack) -> int:
    """Open proposals, as the check's role sees them."""
    connection = await asyncpg.connect(stack.dsn("matching", "check"))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM proposal WHERE tenant = $1", TENANT))
    finally:
        await connection.close()
