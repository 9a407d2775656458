"""Containers or processes for the tests: what the header of a test run says, and what a container is told.

No engine is needed here: its client is played by a script that gives an engine's answer.
"""

import importlib
import warnings
from pathlib import Path

import pytest

from tests.conftest import pytest_report_header
from tests.support.servers import choose, kafka_environment


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MENTORING_TEST_SERVERS", raising=False)
    return tmp_path


def docker(folder: Path, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_an_engine_that_answers_gives_containers(programs: Path) -> None:
    docker(programs, 'test "$1" = version && echo 29.1.3')
    assert choose() == ("containers", "Docker engine 29.1.3")
    assert pytest_report_header() == "servers for integration tests: containers (Docker engine 29.1.3)"


def test_a_client_without_an_engine_gives_processes(programs: Path) -> None:
    docker(programs, "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert choose() == ("local", "a Docker client is here, but no engine answers it")


def test_without_a_client_there_are_processes(programs: Path) -> None:
    assert choose() == ("local", "no Docker client answers (FileNotFoundError)")


def test_one_may_decide_by_hand(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(programs, "echo 29.1.3")
    monkeypatch.setenv("MENTORING_TEST_SERVERS", "local")
    assert choose() == ("local", "MENTORING_TEST_SERVERS says so")


def test_the_kafka_container_is_reached_where_it_says_it_is() -> None:
    told = kafka_environment(23456)
    assert told["KAFKA_LISTENERS"].startswith("CLIENT://:23456,CONTROLLER://")
    assert told["KAFKA_ADVERTISED_LISTENERS"] == "CLIENT://127.0.0.1:23456"
    assert told["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert all(isinstance(value, str) for value in told.values())


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("testcontainers.community.postgres", "PostgresContainer"),
        ("testcontainers.core.container", "DockerContainer"),
    ],
)
def test_the_container_classes_are_imported_without_a_warning(module: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hasattr(importlib.import_module(module), name)
