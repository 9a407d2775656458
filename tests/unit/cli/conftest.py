"""The command against fake services: no network, no Kafka, and nothing of the machine's own environment."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from shared.cli import client
from shared.cli.main import app
from tests.unit.cli.fakes import ENVIRONMENT, FakeServices

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is set, and no local stack runs."""
    for name in list(os.environ):
        if name.startswith("MENTORING_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MENTORING_LOCAL_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("MENTORING_SECRETS_DIR", str(tmp_path / "no-secrets"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> FakeServices:
    """Fake services that the environment names."""
    fake = FakeServices()
    monkeypatch.setattr(client, "transport", lambda: httpx.MockTransport(fake))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return fake


@pytest.fixture
def run() -> Run:
    """``run("dlq", "list")``: the result of the command."""
    return lambda *arguments, stdin="": CliRunner().invoke(app, list(arguments), input=stdin)
