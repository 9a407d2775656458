"""``mentoring dlq``: what is listed, asked, settled and summed up, with its exit codes."""

import json

import httpx
import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import FakeServices, answer, letter, problem


@pytest.fixture
def letters(services: FakeServices) -> FakeServices:
    """Two dead letters of profiles, one of which names no tenant, and one of matching."""

    def of_profiles(request: httpx.Request) -> httpx.Response:
        alone = request.url.params["unattributed"] == "true"
        rows = [letter("b", reason="bad_json", event_type="")] if alone else [letter("a")]
        return httpx.Response(200, json={"items": rows, "next": None})

    def of_matching(request: httpx.Request) -> httpx.Response:
        alone = request.url.params["unattributed"] == "true"
        return httpx.Response(
            200, json={"items": [] if alone else [letter("c", reason="unexpected")], "next": None}
        )

    services.set("profiles", "GET /management/dead-letters", of_profiles)
    services.set("matching", "GET /management/dead-letters", of_matching)
    for service, identity in (("profiles", "a"), ("profiles", "b"), ("matching", "c")):
        for action, outcome in (("redrive", "applied"), ("discard", "discarded")):
            done = answer({"id": identity, "outcome": outcome})
            services.set(service, f"POST /management/dead-letters/{identity}/{action}", done)
    return services


def test_all_services_are_listed_and_content_is_not(run: Run, letters: FakeServices) -> None:
    result = run("dlq", "list")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        "a  profiles: tenant_unknown",
        "    hr-intake 4@17, hr.person.recorded.v1, died 2026-03-02T09:00:00Z",
    ]
    assert "b  profiles: bad_json (names no tenant)" in result.stdout
    assert "3 open dead letters." in result.stdout


def test_a_list_as_a_document(run: Run, letters: FakeServices) -> None:
    document = json.loads(run("dlq", "list", "--service", "profiles", "--json").stdout)
    assert [(entry["id"], entry["service"], entry["unattributed"]) for entry in document] == [
        ("a", "profiles", False),
        ("b", "profiles", True),
    ]


def test_a_list_can_be_narrowed(run: Run, letters: FakeServices) -> None:
    run("dlq", "list", "--state", "discarded", "--limit", "7", "--service", "feedback")
    assert letters.calls() == [
        "GET feedback/management/dead-letters?state=discarded&limit=7&unattributed=false",
        "GET feedback/management/dead-letters?state=discarded&limit=7&unattributed=true",
    ]
    assert [e["id"] for e in json.loads(run("dlq", "list", "--reason", "bad_json", "--json").stdout)] == ["b"]


def test_none_is_a_sentence(run: Run, services: FakeServices) -> None:
    assert run("dlq", "list").stdout == "No open dead letters.\n"


def test_a_service_that_cannot_be_asked_makes_the_list_incomplete(run: Run, letters: FakeServices) -> None:
    letters.silent.add("feedback")
    result = run("dlq", "list")
    assert result.exit_code == 1
    assert "a  profiles" in result.stdout
    assert result.stderr == "feedback does not answer at http://feedback (ConnectError).\n"


def test_an_unknown_service_is_wrong_usage(run: Run, services: FakeServices) -> None:
    assert run("dlq", "list", "--service", "profile").exit_code == 2


def test_one_is_redriven(run: Run, letters: FakeServices) -> None:
    result = run("dlq", "redrive", "c")
    assert (result.exit_code, result.stdout) == (0, "c  matching: applied.\n1 dead letter: 1 applied.\n")
    assert letters.calls("POST") == ["POST matching/management/dead-letters/c/redrive"]


def test_all_are_redriven_when_somebody_agrees(run: Run, letters: FakeServices) -> None:
    result = run("dlq", "redrive", "--all", stdin="y\n")
    assert result.exit_code == 0
    assert "Redrive 3 dead letters of matching, profiles?" in result.stderr
    assert result.stdout == "3 dead letters: 3 applied.\n"


@pytest.mark.parametrize(("stdin", "code"), [("n\n", 1), ("", 2)])
def test_nothing_is_done_when_nobody_agrees(run: Run, letters: FakeServices, stdin: str, code: int) -> None:
    result = run("dlq", "discard", "--all", stdin=stdin)
    assert result.exit_code == code
    assert "nothing was done" in result.stderr.lower()
    assert letters.calls("POST") == []


def test_with_yes_nobody_is_asked_and_the_selection_counts(run: Run, letters: FakeServices) -> None:
    result = run("dlq", "discard", "--all", "--yes", "--reason", "unexpected", "--json")
    assert json.loads(result.stdout) == [{"service": "matching", "id": "c", "outcome": "discarded"}]
    assert letters.calls("POST") == ["POST matching/management/dead-letters/c/discard"]


def test_what_is_refused_again_is_said_and_the_rest_is_done(run: Run, letters: FakeServices) -> None:
    refusal = problem(409, "still_dead", "It is refused again: The value is not JSON.")
    letters.set("profiles", "POST /management/dead-letters/b/redrive", refusal)
    result = run("dlq", "redrive", "--all", "--yes")
    assert result.exit_code == 1
    assert "b  profiles: It is refused again: The value is not JSON." in result.stdout
    assert "3 dead letters: 2 applied, 1 refused." in result.stdout
    document = json.loads(run("dlq", "redrive", "b", "--json").stdout)
    assert document[0]["code"] == "still_dead"


def test_a_dry_run_asks_nobody_and_is_passed_on(run: Run, letters: FakeServices) -> None:
    would = answer({"id": "a", "would": "handle", "event_type": "x"})
    letters.set("profiles", "POST /management/dead-letters/a/redrive", would)
    result = run("dlq", "redrive", "--all", "--dry-run", "--reason", "tenant_unknown")
    assert (result.exit_code, result.stdout) == (0, "1 dead letter: 1 would be handled.\n")
    assert letters.calls("POST") == ["POST profiles/management/dead-letters/a/redrive?dry_run=true"]


def test_a_dry_run_of_discarding_stays_here(run: Run, letters: FakeServices) -> None:
    result = run("dlq", "discard", "a", "c", "--dry-run")
    assert "2 dead letters: 2 would be discarded." in result.stdout
    assert letters.calls("POST") == []


def test_an_unknown_id_stops_before_anything_is_done(run: Run, letters: FakeServices) -> None:
    result = run("dlq", "redrive", "a", "zzz")
    assert result.exit_code == 1
    assert "Not among the open dead letters: zzz. Nothing was done." in result.stderr
    assert letters.calls("POST") == []


@pytest.mark.parametrize("arguments", [(), ("a", "--all")])
def test_either_ids_or_all(run: Run, letters: FakeServices, arguments: tuple[str, ...]) -> None:
    assert run("dlq", "redrive", *arguments).exit_code == 2


def test_a_token_that_is_refused_ends_it(run: Run, letters: FakeServices) -> None:
    letters.set("profiles", "POST /management/dead-letters/a/redrive", problem(403, "forbidden", "no"))
    result = run("dlq", "redrive", "--all", "--yes")
    assert result.exit_code == 1
    assert "this token's roles do not allow it" in result.stderr
    assert "0 of 3 were done before" in result.stderr


@pytest.fixture
def many(services: FakeServices) -> FakeServices:
    """2,500 of *profiles*, every tenth with another reason."""
    rows = [
        letter(f"{number:04}", **({"reason": "bad_json"} if number % 10 == 0 else {}))
        for number in range(2500)
    ]

    def page(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        if params["unattributed"] == "true":
            return httpx.Response(200, json={"items": [], "next": None})
        first = int(params["after"]) + 1 if "after" in params else 0
        items = rows[first : first + int(params["limit"])]
        full = len(items) == int(params["limit"])
        return httpx.Response(200, json={"items": items, "next": items[-1]["id"] if full else None})

    services.set("profiles", "GET /management/dead-letters", page)
    for row in rows:
        done = answer({"outcome": "applied"})
        services.set("profiles", f"POST /management/dead-letters/{row['id']}/redrive", done)
    return services


def test_all_are_redriven_however_many_pages(run: Run, many: FakeServices) -> None:
    result = run("dlq", "redrive", "--all", "--yes")
    assert result.stdout == "2,500 dead letters: 2,500 applied.\n"
    assert result.exit_code == 0


def test_a_list_goes_on_to_its_limit_and_says_what_it_leaves_out(run: Run, many: FakeServices) -> None:
    result = run("dlq", "list", "--limit", "1200")
    assert "1,200 open dead letters." in result.stdout
    assert "There may be more: --limit shows them." in result.stderr
    result = run("dlq", "list", "--limit", "3000")
    assert "2,500 open dead letters." in result.stdout
    assert "more" not in result.stderr


def test_a_reason_is_looked_for_on_all_pages(run: Run, many: FakeServices) -> None:
    result = run("dlq", "list", "--reason", "bad_json", "--limit", "240")
    assert "240 open dead letters." in result.stdout
    assert "There may be more" in result.stderr
    result = run("dlq", "list", "--reason", "bad_json", "--limit", "251")
    assert "250 open dead letters." in result.stdout
    assert "more" not in result.stderr
