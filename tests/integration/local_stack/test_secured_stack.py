"""The whole platform on a Kafka that wants TLS, passwords and a rule for everything."""

import json
import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from deploy.local import LocalStack
from deploy.local.demo.people import People
from deploy.local.hr.organisation import make_organisation
from deploy.local.hr.producer import Security
from deploy.local.hr.publisher import HrPublisher
from tests.support.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]

PEOPLE = 20


async def _command(folder: Path, *arguments: str) -> tuple[int, Any]:
    """Exit code and document of `mentoring ... --json`, which finds its login in the stack's folder."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "shared.cli.main", *arguments, "--data-dir", str(folder), "--json"),
        env=outer,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert out, err.decode()
    return process.returncode or 0, json.loads(out)


async def test_people_travel_from_hr_to_matching_and_every_consumer_is_let_in(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "stack", sasl=True, tls=True)
    await stack.start()
    try:
        assert stack.kafka.security_protocol == "SASL_SSL"
        urls = {name: stack.url(name) for name in stack.services}
        options = stack.kafka.client_options()
        servers = options.pop("bootstrap_servers")
        async with (
            People(urls, "acme", stack.token) as people,
            HrPublisher(servers, "acme", "mentoring.", security=cast(Security, options)) as hr,
        ):
            name = {"name": "Acme", "time_zone": "UTC"}
            await people.call("admin", "PUT", "profiles", "/tenant", name, roles=("admin",))
            await hr.record(make_organisation(PEOPLE, 1).members, at=datetime(2026, 3, 2, tzinfo=UTC))

            async def known() -> bool:
                found = await people.operator("matching", "/management/summary")
                return bool(found["people_known"] == PEOPLE)

            await eventually(known, seconds=120, what=f"{PEOPLE} people in matching")

            async def troubles() -> dict[str, object]:
                """Consumers that do not run, or wait for something, by service and topic."""
                found: dict[str, object] = {}
                for service in urls:
                    status = await people.operator(service, "/management/status")
                    for consumer in status["consumers"]:
                        if not consumer["alive"] or consumer["waiting_for"]:
                            found[f"{service} {consumer['topic']}"] = consumer["waiting_for"] or "not alive"
                return found

            last: dict[str, object] = {}

            async def all_run() -> bool:
                last.clear()
                last.update(await troubles())
                return not last

            try:
                await eventually(all_run, seconds=60, every=0.5, what="all consumers")
            finally:
                assert last == {}
        assert await _command(stack.data_dir, "topics", "check") == (0, [])
        code, status = await _command(stack.data_dir, "status")
        assert (code, status["healthy"], status["kafka"]["reachable"]) == (0, True, True), status
    finally:
        await stack.destroy()
