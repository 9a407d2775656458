"""What ``mentoring status`` finds healthy, and what it says when something is not."""

import json
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.cli import health
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import HEALTHY_STATUS, SERVICES, FakeServices, answer, problem


@pytest.fixture(autouse=True)
def lag(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, int]]:
    behind: dict[str, dict[str, int]] = {name: {"programme": 0} for name in SERVICES}

    async def lags(*_: Any) -> dict[str, dict[str, int]]:
        return behind

    monkeypatch.setattr(health, "lags", lags)
    return behind


def test_all_healthy(run: Run, services: FakeServices) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert "All services are healthy." in result.stdout
    assert all(name in result.stdout for name in SERVICES)
    assert all(
        request.headers["authorization"].startswith("Bearer ")
        for request in services.asked
        if "management" in request.url.path
    )


def test_the_document_has_the_numbers_of_every_service(run: Run, services: FakeServices) -> None:
    document = json.loads(run("status", "--json").stdout)
    assert document["healthy"] is True
    assert document["target"] == "the environment"
    [profiles, *_] = document["services"]
    assert (profiles["service"], profiles["lag"], profiles["timers_pending"]) == (
        "profiles",
        {"programme": 0},
        3,
    )
    assert profiles["replicas"][0]["consumers"][0]["topic"] == "programme"


def test_a_service_that_does_not_answer_is_a_row(run: Run, services: FakeServices) -> None:
    services.silent.add("matching")
    result = run("status")
    assert result.exit_code == 1
    assert "matching does not answer at http://matching (ConnectError)." in result.stdout
    row, *_ = [line for line in result.stdout.splitlines() if line.startswith("matching ")]
    assert row.split()[1:4] == ["?", "?", "?"]
    document = json.loads(run("status", "--json").stdout)
    assert document["services"][1]["replicas"][0]["ready"] is None


@pytest.mark.parametrize(
    ("route", "document", "status", "said"),
    [
        (
            "/health/ready",
            {"ready": False, "why": "the schema is at 0001, this code needs 0002"},
            503,
            "feedback is not ready: the schema is at 0001, this code needs 0002.",
        ),
        (
            "/health/live",
            {"live": False, "tasks": {"consumer session": "dead"}},
            503,
            "feedback: its task `consumer session` has ended",
        ),
        (
            "/health/live",
            {"live": True, "tasks": {"relay": "Kafka"}},
            200,
            "feedback: its task `relay` waits for Kafka.",
        ),
        (
            "/management/status",
            HEALTHY_STATUS | {"outbox_pending": 2, "outbox_oldest_seconds": 180.0},
            200,
            "feedback has had an event to send for 3.0 min.",
        ),
        (
            "/management/status",
            HEALTHY_STATUS | {"timers_due": 1, "timers_oldest_seconds": 1800.0},
            200,
            "feedback has had a timer to fire for 30.0 min.",
        ),
        (
            "/management/status",
            HEALTHY_STATUS | {"dead_letters_open": 2},
            200,
            "feedback has 2 open dead letters, all tenants together: `mentoring dlq list --service feedback`.",
        ),
    ],
)
def test_what_is_not_healthy_is_said(
    run: Run, services: FakeServices, route: str, document: Any, status: int, said: str
) -> None:
    services.set("feedback", f"GET {route}", answer(document, status))
    result = run("status")
    assert result.exit_code == 1
    assert said in result.stdout
    assert said in " ".join(json.loads(run("status", "--json").stdout)["services"][2]["problems"])


def test_a_schema_that_is_behind_is_in_its_column(run: Run, services: FakeServices) -> None:
    why = {"ready": False, "why": "the schema is at 0001, this code needs 0002"}
    services.set("feedback", "GET /health/ready", answer(why, 503))
    row, *_ = [line for line in run("status").stdout.splitlines() if line.startswith("feedback ")]
    assert row.split()[1:5] == ["no", "yes", "at", "0001"]


def test_a_token_that_is_refused_is_said_and_health_is_still_shown(run: Run, services: FakeServices) -> None:
    services.set("profiles", "GET /management/status", problem(403, "forbidden", "no"))
    result = run("status")
    assert result.exit_code == 1
    assert "No backlog is known of profiles: this token's roles do not allow it." in result.stdout


def test_far_behind_is_not_healthy(run: Run, services: FakeServices, lag: dict[str, dict[str, int]]) -> None:
    lag["matching"] = {"person": 10_001, "programme": 3}
    result = run("status")
    assert result.exit_code == 1
    assert "matching is 10,001 records behind on person." in result.stdout
    assert "behind on programme" not in result.stdout


def test_kafka_out_of_reach_is_said(
    run: Run, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lags(*_: Any) -> None:
        raise KafkaConnectionError

    monkeypatch.setattr(health, "lags", lags)
    result = run("status")
    assert result.exit_code == 1
    assert "Kafka does not answer at kafka:9092." in result.stdout
    assert json.loads(run("status", "--json").stdout)["kafka"]["reachable"] is False


def test_each_replica_is_asked(run: Run, services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTORING_MATCHING_URL", "http://matching,http://matching-1")
    services.silent.add("matching-1")
    result = run("status")
    assert result.exit_code == 1
    assert "1 of 2" in result.stdout
    assert "matching does not answer at http://matching-1" in result.stdout


def test_watching_is_for_people(run: Run, services: FakeServices) -> None:
    assert run("status", "--watch", "--json").exit_code == 2
