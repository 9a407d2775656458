"""``mentoring up``, ``down`` and ``demo``, with a stack that is only pretended."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from deploy.local import StartFailed
from shared.cli import local
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import SERVICES


@dataclass
class FakeStack:
    """A stack of one replica a service."""

    data_dir: Path
    running: bool = True
    stopped: bool = False

    def __post_init__(self) -> None:
        self.kafka = self._part(version="4.4.0", bootstrap_servers="127.0.0.1:9")
        self.postgres = self._part(version="18", host="127.0.0.1", port=5)
        self.mail_server = self._part(port=2525)
        self.services = {
            name: [self._part(name=f"{name}-0", url=f"http://127.0.0.1/{name}")] for name in SERVICES
        }

    def _part(self, **values: Any) -> SimpleNamespace:
        return SimpleNamespace(running=self.running, **values)

    def end(self, name: str) -> None:
        """A service's only replica has died."""
        self.services[name][0].running = False

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    """A stack that ``load`` finds; and one like it is what ``start`` starts."""
    fake = FakeStack(tmp_path / "stack")
    place = local.LocalPlace(fake.data_dir, {}, {}, lambda *_: "token")
    monkeypatch.setattr(local, "find_place", lambda folder: place)

    async def load(folder: Path) -> FakeStack:
        return fake

    monkeypatch.setattr(local, "load", load)
    return fake


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    async def start(folder: Path | None, services: Any, replicas: int, progress: Any) -> FakeStack:
        calls.append((folder, tuple(services), replicas))
        progress("starting Kafka 4.4.0")
        return FakeStack(tmp_path / "fresh")

    monkeypatch.setattr(local, "start", start)
    return calls


def test_up_starts_says_where_and_what_next(run: Run, started: list[tuple[Any, ...]], tmp_path: Path) -> None:
    result = run("up", "--replicas", "2", "--data-dir", str(tmp_path / "d"))
    assert result.exit_code == 0
    assert started == [(tmp_path / "d", SERVICES, 2)]
    assert "starting Kafka 4.4.0" in result.stderr
    assert "http://127.0.0.1/matching" in result.stdout
    assert f"mentoring status --data-dir {tmp_path / 'd'}" in result.stdout


def test_up_as_a_document(run: Run, started: list[tuple[Any, ...]]) -> None:
    document = json.loads(run("up", "--json").stdout)
    assert document["state"] == "started"
    assert {"part": "profiles-0", "address": "http://127.0.0.1/profiles"} in document["parts"]


def test_up_when_it_is_up_says_so(run: Run, stack: FakeStack, started: list[tuple[Any, ...]]) -> None:
    result = run("up")
    assert result.exit_code == 0
    assert f"The stack is up already in {stack.data_dir}." in result.stderr
    assert "http://127.0.0.1/profiles" in result.stdout
    assert started == []


def test_up_when_a_part_has_died_says_which(
    run: Run, stack: FakeStack, started: list[tuple[Any, ...]]
) -> None:
    stack.end("matching")
    result = run("up")
    assert result.exit_code == 1
    assert "without matching-0: `mentoring down`, then start it again." in result.stderr
    assert started == []


def test_up_after_a_crash_of_everything_starts_again(
    run: Run, stack: FakeStack, started: list[tuple[Any, ...]]
) -> None:
    stack.running = False
    stack.__post_init__()
    assert run("up").exit_code == 0
    assert len(started) == 1


def test_a_start_that_fails_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: Any) -> None:
        raise StartFailed("profiles-0 ended (exit code 1) before 200 from /health/ready")

    monkeypatch.setattr(local, "start", start)
    result = run("up")
    assert result.exit_code == 1
    assert "Profiles-0 ended (exit code 1) before 200" in result.stderr
    assert "Traceback" not in result.output


def test_down_stops_it(run: Run, stack: FakeStack) -> None:
    result = run("down")
    assert (result.exit_code, stack.stopped) == (0, True)
    assert result.stdout == f"Stopped. The data are kept in {stack.data_dir}.\n"


def test_down_without_a_stack_is_no_failure(run: Run, tmp_path: Path) -> None:
    result = run("down")
    assert (result.exit_code, result.stdout) == (0, f"No stack runs in {tmp_path / 'nowhere'}.\n")
    assert json.loads(run("down", "--json").stdout)["state"] == "not running"


def test_demo_passes_its_options_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    played: list[Any] = []

    def run_demo(options: Any) -> int:
        played.append(options)
        return 7

    command = ModuleType("deploy.local.demo.command")
    vars(command)["run_demo"] = run_demo
    monkeypatch.setitem(sys.modules, "deploy.local.demo.command", command)
    extract = tmp_path / "hr.csv"
    extract.touch()
    assert run("demo", "--people", "20", "--hr", str(extract), "--keep", "--json").exit_code == 7
    [options] = played
    assert (options.people, options.seed, options.hr, options.keep, options.as_json) == (
        20,
        1,
        extract,
        True,
        True,
    )


def test_nothing_slow_and_nothing_local_is_imported_with_the_command() -> None:
    script = (
        "import sys, shared.cli.main\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('aiokafka', 'deploy', 'faststream')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_embedded_stack_the_command_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deploy.local", None)
    for name in ("up", "down", "demo"):
        result = run(name)
        assert (result.exit_code, "run this from a checkout" in result.stderr) == (2, True)
    result = run("topics", "check")
    assert (result.exit_code, "MENTORING_KAFKA_BOOTSTRAP_SERVERS" in result.stderr) == (2, True)
