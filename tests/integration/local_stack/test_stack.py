"""The stack as a whole, with stubs in the services' place: what it starts, says, survives and leaves."""

import asyncio
import json
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.local import LocalStack, LocalStackError, StartFailed
from deploy.local import service as service_module
from deploy.local import stack as stack_module
from deploy.local.paths import CHECKOUT
from deploy.local.process import Identity

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SERVICES = ("profiles", "notifications")


@pytest.fixture(scope="module", autouse=True)
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that stands in for the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    stub = Path(__file__).with_name("stub_service.py").read_text()
    for name in SERVICES:
        (folder / "services" / name).mkdir(parents=True)
        (folder / "services" / name / "__main__.py").write_text(stub)
    (folder / "shared" / "cli").mkdir(parents=True)
    (folder / "shared" / "cli" / "main.py").write_text("import sys; print(sys.argv[1:])")
    for package in ("services", "shared", "shared/cli", *(f"services/{name}" for name in SERVICES)):
        (folder / package / "__init__.py").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack_module, "CHECKOUT", folder)
        patch.setattr(service_module, "CHECKOUT", folder)
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory, stubs: Path) -> AsyncIterator[LocalStack]:
    said: list[str] = []
    running = LocalStack(
        tmp_path_factory.mktemp("stack"),
        services=SERVICES,
        replicas={"profiles": 2},
        detached=True,
        progress=said.append,
    )
    await running.start()
    assert any("Kafka 4.4.0" in line for line in said)
    yield running
    await running.destroy()
    assert not running.data_dir.exists()


def _record(stack: LocalStack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stack.data_dir / "stack.json").read_text())
    return found


async def test_everything_runs_and_is_on_record(stack: LocalStack) -> None:
    found = _record(stack)
    assert [entry["replica"] for entry in found["services"]["profiles"]] == ["0", "1"]
    assert found["services"]["notifications"][0]["url"] == stack.url("notifications")
    assert found["kafka"]["bootstrap_servers"] == stack.kafka.bootstrap_servers
    assert "['topics', 'create']" in (stack.data_dir / "logs" / "topics.log").read_text()
    text = (stack.data_dir / "stack.json").read_text()
    secrets = json.loads((stack.data_dir / "passwords.json").read_text()).values()
    assert not any(secret in text for secret in secrets)


def test_a_service_is_told_its_own_and_no_more(stack: LocalStack) -> None:
    told = stack.env_for("notifications")
    assert told["MENTORING_DATABASE_NAME"] == "mentoring_notifications"
    assert told["MENTORING_SMTP_TLS"] == "none"
    assert told["MENTORING_TRACES"] == f"file:{stack.data_dir}/traces/notifications.jsonl"
    assert not any("OWNER" in name for name in told)
    assert "MENTORING_SMTP_HOST" not in stack.env_for("profiles")


async def test_a_stack_that_runs_is_not_started_twice(stack: LocalStack) -> None:
    with pytest.raises(LocalStackError, match=r"a stack runs in .*profiles-0.*mentoring down"):
        await LocalStack(stack.data_dir, services=SERVICES).start()
    assert stack.replica("profiles").running


async def test_a_replica_is_killed_and_comes_back_at_its_address(stack: LocalStack) -> None:
    replica = stack.replica("profiles", "1")
    url, pid = replica.url, replica.pid
    await replica.kill()
    assert replica.exit_code == -9
    await replica.restart()
    assert replica.url == url
    assert replica.pid != pid
    assert _record(stack)["services"]["profiles"][1]["pid"] == replica.pid


async def test_a_replica_ends_in_good_order(stack: LocalStack) -> None:
    replica = await stack.add_replica("notifications", "spare")
    assert await replica.terminate() == 0
    assert "leaving in good order" in replica.log_path.read_text()


async def test_business_time_moves_in_all_databases(stack: LocalStack) -> None:
    before = await stack.clock.now()
    assert abs(before - datetime.now(UTC)) < timedelta(minutes=1)
    await stack.clock.advance(timedelta(days=30))
    offset = await stack.clock.advance(timedelta(days=60))
    assert offset == timedelta(days=90)
    assert timedelta(days=90) <= await stack.clock.now() - before < timedelta(days=90, minutes=5)
    with pytest.raises(ValueError, match="forward"):
        await stack.clock.advance(timedelta(seconds=-1))


async def test_the_mail_server_comes_back_with_its_messages(stack: LocalStack) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", stack.mail_server.port, timeout=10) as client:
            client.sendmail("a@localhost", ["b@localhost"], "Message-ID: <1@x>\r\n\r\nhello\r\n")

    await asyncio.to_thread(send)
    await stack.mail_server.kill()
    await stack.mail_server.restart()
    await asyncio.to_thread(send)
    assert stack.mail.duplicates() == {"<1@x>": 2}


async def test_another_program_finds_it_and_stops_exactly_it(stack: LocalStack) -> None:
    """The last test of this stack: what ran is gone, and then it starts again with its data."""
    script = (
        "import asyncio, sys; from pathlib import Path; from deploy.local import LocalStack\n"
        "async def main():\n"
        "    stack = await LocalStack.load(Path(sys.argv[1]))\n"
        "    print(stack.url('profiles'), stack.token('p-1', 'acme').count('.'))\n"
        "    await stack.stop()\n"
        "asyncio.run(main())"
    )
    pids = [entry["pid"] for entries in _record(stack)["services"].values() for entry in entries]
    pids += [stack.kafka.process().pid, stack.postgres.process.pid, stack.mail_server.process.pid]
    url = stack.url("profiles")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, str(stack.data_dir)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [url, "2"]
    assert [pid for pid in pids if Identity.of(pid)] == []
    with pytest.raises(LocalStackError, match="mentoring up"):
        await LocalStack.load(stack.data_dir)

    again = LocalStack(stack.data_dir, services=SERVICES)
    async with again:
        assert again.url("profiles") == url
        assert await again.clock.now() > datetime.now(UTC) + timedelta(days=89)


async def test_a_service_that_dies_at_start_fails_loudly_and_leaves_nothing(tmp_path: Path) -> None:
    stack = LocalStack(
        tmp_path / "stack",
        services=SERVICES,
        extra_environment={"STUB_FAILS": "mentoring_notifications"},
    )
    try:
        with pytest.raises(StartFailed, match=r"(?s)notifications-0 ended.*told to fail"):
            await stack.start()
        assert not stack.kafka.running
        assert not stack.postgres.running
        assert not stack.replica("profiles").running
    finally:
        await stack.destroy()
