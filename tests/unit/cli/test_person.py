"""``mentoring person``: one document of four services, and an erasure that waits for its receipts."""

import json
from typing import Any

import httpx

from shared.cli.health import Health, Replica, _judge
from shared.contracts import person_id
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import SERVICES, FakeServices, answer, problem

ADA = "a-1"
PATH = f"/people/{ADA}/erasure"


def held_by(service: str, **more: Any) -> dict[str, Any]:
    return {
        "service": service,
        "person_id": ADA,
        "tables": {"person": [{"of": service}]},
        "withheld": [],
    } | more


def erasure(*services: str) -> dict[str, Any]:
    moment = "2026-03-02T09:00:00Z"
    return {
        "person_id": ADA,
        "status": "requested",
        "requested_at": moment,
        "requested_by": "officer",
        "confirm_by": "2026-03-03T10:00:00Z",
        "gone_by": "2026-03-09T09:00:00Z",
        "receipts": [{"service": each, "erased_at": moment, "counts": {"people": 1}} for each in services],
        "missing": [each for each in SERVICES if each not in services],
        "lifted_at": None,
    }


def test_an_export_puts_four_answers_together(services: FakeServices, run: Run) -> None:
    for name in SERVICES:
        services.set(name, f"GET /people/{ADA}/export", answer(held_by(name)))
    services.set("feedback", f"GET /people/{ADA}/export", answer(held_by("feedback", withheld=["words"])))
    result = run("person", "export", ADA)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["not_asked"]) == (0, {})
    assert {name: held["tables"]["person"] for name, held in document["services"].items()} == {
        name: [{"of": name}] for name in SERVICES
    }
    assert document["withheld"] == {"feedback": ["words"]}


def test_an_export_that_is_not_whole_says_so(services: FakeServices, run: Run) -> None:
    for name in SERVICES[1:]:
        services.set(name, f"GET /people/{ADA}/export", answer(held_by(name)))
    services.silent.add("profiles")
    result = run("person", "export", ADA)
    assert result.exit_code == 1
    assert set(json.loads(result.stdout)["services"]) == set(SERVICES[1:])
    assert "profiles does not answer" in result.stderr


def test_an_erasure_is_asked_for_only_after_a_yes(services: FakeServices, run: Run) -> None:
    services.set("profiles", f"POST {PATH}", answer(erasure(*SERVICES), 202))
    assert run("person", "erase", ADA, stdin="n\n").exit_code == 1
    assert services.calls("POST") == []
    result = run("person", "erase", ADA, stdin="y\n")
    assert result.exit_code == 0
    assert services.calls("POST") == [f"POST profiles{PATH}"]
    assert "Every service has forgotten the person. Topics will have by 2026-03-09" in result.stdout


def test_it_waits_for_the_receipts(services: FakeServices, run: Run) -> None:
    services.set("profiles", f"POST {PATH}", answer(erasure("profiles"), 202))
    stages = [erasure("profiles", "matching"), erasure(*SERVICES)]
    services.set("profiles", f"GET {PATH}", lambda request: httpx.Response(200, json=stages.pop(0)))
    result = run("person", "erase", ADA, "--yes", "--json")
    assert (result.exit_code, stages) == (0, [])
    assert json.loads(result.stdout)["missing"] == []


def test_an_erasure_that_is_not_whole_is_exit_code_1(services: FakeServices, run: Run) -> None:
    services.set("profiles", f"POST {PATH}", answer(erasure("profiles", "matching"), 202))
    result = run("person", "erase", ADA, "--yes", "--wait", "0")
    assert result.exit_code == 1
    assert "Not confirmed yet by feedback, notifications" in result.stdout


def test_an_employee_is_found_by_hrs_number(services: FakeServices, run: Run) -> None:
    services.set("profiles", f"POST /people/{person_id('acme', 'E7')}/erasure", answer(erasure(*SERVICES)))
    assert run("person", "erase", "E7", "--employee", "--yes").exit_code == 0


def test_a_refusal_is_a_sentence(services: FakeServices, run: Run) -> None:
    services.set("profiles", f"POST {PATH}", problem(403, "forbidden", "This caller may not do this."))
    result = run("person", "erase", ADA, "--yes")
    assert (result.exit_code, result.stderr) == (1, "profiles: this token's roles do not allow it.\n")


def test_overdue_erasures_are_listed(services: FakeServices, run: Run) -> None:
    services.set("profiles", "GET /erasures", answer({"items": [erasure("profiles")], "next": None}))
    result = run("person", "erasures", "--overdue")
    assert "matching, feedback, notifications" in result.stdout
    assert "overdue=true" in services.calls("GET")[0]


def test_an_overdue_erasure_is_a_finding_of_status() -> None:
    health = Health("profiles", [Replica("profiles", "u", backlog={"erasures_overdue": 2})])
    (found,) = _judge(health)
    assert found.startswith("2 erasures not confirmed in time")
