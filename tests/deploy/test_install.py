"""The install script on a machine where programs are missing: one sentence for people, packages for root.

The machine is played: a PATH with little on it, and scripts in the place of `id` and `apt-get`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.sources import ROOT

TOOLS = ("bash", "dirname", "mktemp", "cat", "rm")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout with the script in it; `bin` beside it holds all programs that there are."""
    local = tmp_path / "checkout" / "deploy" / "local"
    local.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "local" / "install.sh", local)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    _script(programs / "python3", f'exec {sys.executable} "$@"')
    return tmp_path


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def _install(machine: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [machine / "bin" / "bash", machine / "checkout" / "deploy" / "local" / "install.sh"],
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_who_is_not_root_is_told_in_one_sentence(machine: Path) -> None:
    _script(machine / "bin" / "id", "echo 1000")
    done = _install(machine)
    assert done.returncode == 1
    assert done.stderr == (
        "Please install first, as root: openjdk-17-jre-headless maven"
        " (Debian's names; this is not root on a Debian system).\n"
    )
    assert not (machine / "checkout" / ".venv").exists()


def test_for_root_the_packages_are_asked_for_and_a_failure_is_shown(machine: Path) -> None:
    _script(machine / "bin" / "id", "echo 0")
    _script(machine / "bin" / "apt-get", f'echo "$@" >> {machine}/asked; test "$1" = update || exit 100')
    done = _install(machine)
    assert done.returncode == 1
    assert "could not be installed: openjdk-17-jre-headless maven." in done.stderr
    asked = (machine / "asked").read_text().splitlines()
    assert asked == ["update -qq", "install -y -qq --no-install-recommends openjdk-17-jre-headless maven"]


def test_without_a_python_that_is_new_enough_there_is_one_sentence(machine: Path) -> None:
    _script(machine / "bin" / "python3", "exit 1")
    done = _install(machine)
    assert (done.returncode, done.stderr) == (1, "Python 3.11 or newer is needed.\n")
