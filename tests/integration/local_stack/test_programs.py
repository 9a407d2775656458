"""What is missing is said in one sentence; what is not ours is never signalled."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.local import MissingProgram, StartFailed
from deploy.local.kafka import jars
from deploy.local.paths import CHECKOUT
from deploy.local.ports import free_port, is_free
from deploy.local.postgres import programs
from deploy.local.process import Identity, Process, run_once, tail


@pytest.mark.parametrize(("name", "package"), [("java", "openjdk-17-jre-headless"), ("mvn", "maven")])
def test_missing_java_and_maven(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, package: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # holds no apt-get either
    with pytest.raises(MissingProgram) as error:
        jars.find_program(name)
    assert package in str(error.value)
    assert str(error.value).count(". ") == 0


def test_missing_postgres(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MENTORING_LOCAL_PG_BIN", str(tmp_path))
    with pytest.raises(MissingProgram, match="initdb and postgres are not there"):
        programs.programs()


async def test_a_pid_that_is_anothers_now_is_left_alone(tmp_path: Path) -> None:
    bystander = Process.spawn("bystander", ["sleep", "60"], log_path=tmp_path / "log")
    try:
        stale = Process.attach("old", bystander.pid, "an earlier boot:1", tmp_path / "log")
        assert not stale.running
        assert await stale.terminate(1) is None
        await stale.kill()
        assert bystander.running
    finally:
        await bystander.kill()


async def test_a_process_dies_with_the_program_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from deploy.local.process import Process\n"
        "child = Process.spawn('child', ['sleep', '60'], log_path=Path(sys.argv[1]))\n"
        "print(child.pid, child.identity.started, flush=True); time.sleep(60)"
    )
    parent = Process.spawn(
        "parent",
        [sys.executable, "-c", script, str(tmp_path / "log")],
        log_path=tmp_path / "parent",
        cwd=CHECKOUT,
    )

    async def has_a_child() -> bool:
        return len(tail(parent.log_path).split()) == 2 and "(" not in tail(parent.log_path)

    await parent.until(has_a_child, what="child", seconds=20)
    pid, started = tail(parent.log_path).split()
    child = Process.attach("child", int(pid), started, tmp_path / "log")
    assert child.running
    await parent.kill()
    await child.wait(10)


async def test_terminate_is_bounded_and_reaches_a_frozen_process(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    deaf = Process.spawn("deaf", [sys.executable, "-c", code], log_path=tmp_path / "log")

    async def started() -> bool:
        return "deaf" in deaf.tail()

    await deaf.until(started, what="a word", seconds=20)
    deaf.pause()
    assert await deaf.terminate(0.3) == -signal.SIGKILL
    assert Identity.of(deaf.pid) is None


async def test_a_failed_command_shows_its_output(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"exit code 3.*\n.*it hurts"):
        await run_once(
            "the command",
            [sys.executable, "-c", "import sys; print('it hurts'); sys.exit(3)"],
            log_path=tmp_path / "log",
            env=dict(os.environ),
            cwd=tmp_path,
            seconds=30,
        )


def test_ports_are_free_distinct_and_not_ephemeral() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert all(is_free(port) for port in ports)
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert first <= 16_000 or max(ports) < first


async def test_the_jars_are_fetched_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[Path] = []

    def fetch(folder: Path) -> None:
        calls.append(folder)
        (folder / "kafka-server-9.9.9.jar").touch()

    monkeypatch.setattr(jars, "_maven_copies_jars", fetch)
    monkeypatch.setenv("MENTORING_LOCAL_CACHE", str(tmp_path))
    folders = await asyncio.gather(*(jars.kafka_jars() for _ in range(5)))
    assert len(set(folders)) == len(calls) == 1
    assert jars.kafka_version(folders[0]) == "9.9.9"
    assert [p.name for p in (tmp_path / "kafka").iterdir() if p.name.startswith(".download")] == []
