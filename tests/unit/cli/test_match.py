"""``mentoring match``: a run that is watched until it is ready, what is shown of it, and one sentence for each no."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from shared.cli import client
from shared.cli import runs as asking
from shared.cli.match import _settings
from shared.cli.run_views import Bar, _share, percent
from shared.cli.target import Target
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import SERVICES, FakeServices, answer, problem

WEIGHTS = {"skill": 600, "first_choice": 15_000}
STABILITY = {
    "blocking_pairs": 2, "optimum": 57_500, "optimum_blocking_pairs": 2, "value_lost": 0, "people_lost": 0,
}  # fmt: skip


def run_of(state: str = "ready", identity: str = "r-1", **more: Any) -> dict[str, Any]:
    """A run as the service shows it."""
    found = {
        "value": 57_500, "bound": 57_501, "gap": 0.0000174, "matched": 3, "matched_at_most": 3, "unmatched": 1,
        "rounds": 2, "tolerance": 0.0001, "within_tolerance": True, "covers": "All pairs.", "digest": "d",
    }  # fmt: skip
    figures = {
        "form": "one-to-one",
        "pairs": 3, "mean_score": 19_166.7, "unmatched": {"all-full": 1}, "forbidden": {"language": 4},
        "worst": {
            "share": 0.05, "pairs": 1, "highest": 12_500, "mean": 12_500.0,
            "lowest": [{"mentee_id": "ben", "mentor_id": "noa", "score": 12_500}],
        },
        "load": {"mentors": 2, "places": 3, "used": 2, "mentors_by_mentees": [0, 1, 1], "gini": 0.1667},
        "circles": 0, "fairness": None, "method": "optimal", "stability": STABILITY,
    }  # fmt: skip
    done = state in ("ready", "publishing", "published")
    return {
        "run_id": identity, "version": 4, "programme_id": "career", "form": "one-to-one", "state": state,
        "reason": None, "problem": "", "requested_by": "boss", "requested_at": "2026-03-02T09:00:00+00:00",
        "changed_at": "2026-03-02T09:00:04.2+00:00", "attempts": 0,
        "progress": {"stage": "done" if done else "waiting", "round": 0, "fraction": 0.0, "updated_at": None},
        "configuration": {
            "objective": "people", "fairness_loss": 0.0, "weights": WEIGHTS, "version": "3", "seed": "career",
        },
        "configuration_version": "3", "fingerprint": "f" * 64, "seed": "career",
        "as_of": "2026-03-02" if done else None, "input_hash": "a" * 64 if done else None,
        "mentees": 4 if done else 0, "mentors": 2 if done else 0, "people_removed": 0, "result_kept": done,
        "certificate": found if done else None, "figures": figures if done else None, "publication": None,
    } | more  # fmt: skip


def at(stage: str, round_: int = 0, fraction: float = 0.5) -> dict[str, Any]:
    return {"stage": stage, "round": round_, "fraction": fraction, "updated_at": None}


def in_turn(*documents: dict[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    """One after the other, the last one for ever."""
    left = list(documents)
    return lambda request: httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_POLL_SECONDS", 0.001)


# run and show


def test_a_run_is_watched_until_it_is_ready(services: FakeServices, run: Run) -> None:
    services.set("matching", "POST /programmes/career/runs", answer(run_of("requested"), 202))
    steps = [run_of("running", progress=at(stage)) for stage in ("reading", "candidates", "proving")]
    services.set("matching", "GET /runs/r-1", in_turn(*steps, run_of()))
    result = run(
        "match",
        "run",
        "career",
        "--objective",
        "value",
        "--fairness-loss",
        "0.02",
        "--set",
        "weights.skill=800",
    )
    assert result.exit_code == 0, result.stderr
    assert services.bodies("POST") == [
        {"configuration": {"weights": {"skill": 800}}, "objective": "value", "fairness_loss": 0.02}
    ]
    assert len(services.calls("GET")) == 4
    assert "Run r-1 of career is ready, 4.2 s after it was requested." in result.stdout
    assert "3 of 4 mentees; proven: no choice of pairs matches more" in result.stdout
    assert (
        "57,500 points; at most 57,501 are possible: gap 0.0017 %, within the tolerance of 0.01 %"
        in result.stdout
    )
    assert "lowest 12,500, mean 19,167; the worst 5 % have 12,500 on average" in result.stdout
    assert (
        "2 mentors with room for 3, of which 2 are used; unevenness of load 0.17 (Gini coefficient)"
        in result.stdout
    )
    assert "all who fit are full 1" in result.stdout
    assert "Nobody has been told." in result.stderr


def test_a_run_that_is_not_waited_for_is_one_request(services: FakeServices, run: Run) -> None:
    services.set("matching", "POST /programmes/career/runs", answer(run_of("requested"), 202))
    result = run("match", "run", "career", "--no-wait", "--id", "r-1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (0, "requested")
    assert services.calls() == ["POST matching/programmes/career/runs"]
    assert services.bodies("POST")[0]["run_id"] == "r-1"


@pytest.mark.parametrize(
    ("state", "reason", "words", "said"),
    [
        ("failed", "memory-limit", "It took more than 4096 MB.", "is failed: It took more than 4096 MB."),
        ("discarded", "by-coordinator", "", "is discarded: by-coordinator."),
    ],
)
def test_a_run_without_a_result_is_exit_code_1(
    services: FakeServices, run: Run, state: str, reason: str, words: str, said: str
) -> None:
    services.set("matching", "GET /runs/r-1", answer(run_of(state, reason=reason, problem=words)))
    result = run("match", "show", "r-1")
    assert (result.exit_code, result.stdout) == (1, f"Run r-1 of career {said}\n")


def test_a_run_under_way_tells_what_it_is_at(services: FakeServices, run: Run) -> None:
    services.set("matching", "GET /runs/r-1", answer(run_of("running", progress=at("assigning", 2))))
    result = run("match", "show", "r-1")
    assert result.exit_code == 0
    assert "Run r-1 of career is running: assigning, round 2." in result.stdout


def test_a_gap_above_the_tolerance_and_an_unproven_number_are_seen(services: FakeServices, run: Run) -> None:
    found = run_of()["certificate"] | {"within_tolerance": False, "gap": 0.02, "matched_at_most": 4}
    services.set("matching", "GET /runs/r-1", answer(run_of(certificate=found, people_removed=2)))
    result = run("match", "show", "r-1")
    assert "gap 2 %, ABOVE the tolerance" in result.stdout
    assert "at most 4 can be" in result.stdout
    assert "2 people; the numbers above are as the run found them" in result.stdout


def test_the_bar_never_goes_back() -> None:
    steps = [
        *[(stage, 0, f / 10) for stage in ("reading", "candidates") for f in range(11)],
        *[(stage, r, f / 10) for r in range(1, 9) for stage in ("assigning", "proving") for f in range(11)],
        *[("storing", 0, f / 10) for f in range(11)],
        ("done", 0, 0.0),
    ]
    shown = []
    with Bar(quiet=True) as bar:
        for stage, round_, fraction in steps:
            bar.show(run_of("running", progress=at(stage, round_, fraction)))
            shown.append(bar._done)
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0.0, 1.0)
    assert 0.9 < max(_share(*step) for step in steps if step[0] == "proving") <= 0.95


# lists


def test_runs_are_listed_page_by_page(services: FakeServices, run: Run) -> None:
    pages: list[dict[str, Any]] = [
        {"items": [run_of(identity="r-3"), run_of("requested", "r-2")], "next": "r-2"},
        {
            "items": [
                run_of("published", form="group", publication={"by": "boss", "proposed": 3, "dropped": {}})
            ],
            "next": None,
        },
    ]
    services.set("matching", "GET /programmes/career/runs", in_turn(*pages))
    result = run("match", "list", "career", "--limit", "0")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["run", "state"], ["r-3", "ready"], ["r-2", "requested"], ["r-1", "published"],
    ]  # fmt: skip
    assert ["people, group" in line for line in result.stdout.splitlines()] == [False, False, False, True]
    assert services.calls() == [
        "GET matching/programmes/career/runs?limit=500",
        "GET matching/programmes/career/runs?after=r-2&limit=500",
    ]
    services.set("matching", "GET /programmes/career/runs", answer({"items": [], "next": None}))
    assert run("match", "list", "career").stdout == "career has no runs.\n"


def pair(number: int, **more: Any) -> dict[str, Any]:
    factors = {"skills": 9_000, "working-hours": 7_000, "experience": 5_500, "interests": 2_000}
    return {
        "mentee_id": f"mentee-{number}", "mentor_id": "mia", "score": 23_500, "factors": factors,
        "reasons": [], "proposal_id": None, "dropped": None, "rule": None,
    } | more  # fmt: skip


def test_pairs_show_what_counts_most_and_what_became_of_them(services: FakeServices, run: Run) -> None:
    services.set("matching", "GET /runs/r-1/pairs", answer({"items": [pair(1), pair(2)], "next": None}))
    result = run("match", "pairs", "r-1")
    assert "skills 9,000, working hours 7,000, experience 5,500" in result.stdout
    assert "interests" not in result.stdout
    assert "proposed" not in result.stdout
    rows = [pair(1, proposal_id="p"), pair(2, dropped="mentor-full"), pair(3, dropped="rule", rule="level")]
    services.set("matching", "GET /runs/r-1/pairs", answer({"items": rows, "next": "x"}))
    result = run("match", "pairs", "r-1", "--limit", "3")
    told = [line.rstrip().rpartition("  ")[2] for line in result.stdout.splitlines()[1:]]
    assert told == ["proposed", "dropped: mentor full", "dropped: levels do not fit"]
    assert "The first 3 lines; --limit 0 shows all." in result.stderr


def test_a_stable_run_says_what_stability_costs(services: FakeServices, run: Run) -> None:
    stable = STABILITY | {"blocking_pairs": 0, "value_lost": 1_500, "people_lost": 1}
    figures = run_of()["figures"] | {"method": "mentee-proposing", "stability": stable}
    services.set("matching", "GET /runs/r-1", answer(run_of(figures=figures)))
    told = run("match", "show", "r-1").stdout
    assert "no two would rather have each other, 2 in the most valuable pairs" in told
    assert "it costs 1,500 of 57,500 points and leaves 1 more without a mentor" in told
    services.set("matching", "GET /runs/r-1", answer(run_of()))
    assert "stability" not in run("match", "show", "r-1").stdout


def test_who_is_left_over_and_why(services: FakeServices, run: Run) -> None:
    rows = [{"mentee_id": "ann", "why": "all-full", "forbidden": {"level": 2, "reporting-line": 7}}]
    services.set("matching", "GET /runs/r-1/unmatched", answer({"items": rows, "next": None}))
    result = run("match", "pairs", "r-1", "--unmatched")
    assert "reporting line 7, levels do not fit 2" in result.stdout
    services.set("matching", "GET /runs/r-1/unmatched", answer({"items": [], "next": None}))
    assert run("match", "pairs", "r-1", "--unmatched").stdout == "Nobody is left over.\n"


# compare


def compared(**more: Any) -> dict[str, Any]:
    found = run_of()["certificate"] | {"value": 60_000, "matched": 4}
    other = run_of(identity="r-2", certificate=found)
    changes = [
        {
            "mentee_id": "ann",
            "mentor_id": "mia",
            "other_mentor_id": "noa",
            "score": 31_000,
            "other_score": 12_500,
        },
        {
            "mentee_id": "ben",
            "mentor_id": None,
            "other_mentor_id": "mia",
            "score": None,
            "other_score": 9_000,
        },
    ]
    return {
        "run": run_of(), "other": other, "same_people": True, "same_configuration": False, "kept": 1,
        "changed": 1, "added": 1, "removed": 0, "changes": changes, "next": None,
    } | more  # fmt: skip


def test_two_runs_side_by_side(services: FakeServices, run: Run) -> None:
    services.set("matching", "GET /runs/r-1/compare/r-2", answer(compared()))
    result = run("match", "compare", "r-1", "r-2")
    lines = {line.split("  ")[0]: " ".join(line.split()) for line in result.stdout.splitlines() if line}
    assert lines["matched"] == "matched 3 4 +1 (+33.33%)"
    assert lines["value"] == "value 57,500 60,000 +2,500 (+4.35%)"
    assert lines["ann"] == "ann mia (31,000) noa (12,500)"
    assert lines["ben"] == "ben nobody mia (9,000)"
    assert "1 mentee with the same mentor, 1 with another, 1 only in r-2, 0 only in r-1." in result.stdout


@pytest.mark.parametrize("why", ["people", "weights"])
def test_points_that_do_not_measure_the_same_are_not_compared(
    services: FakeServices, run: Run, why: str
) -> None:
    document = compared(same_people=why != "people")
    if why == "weights":
        document["other"]["configuration"] = run_of()["configuration"] | {
            "weights": {**WEIGHTS, "skill": 900}
        }
    services.set("matching", "GET /runs/r-1/compare/r-2", answer(document))
    result = run("match", "compare", "r-1", "r-2")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("value")]
    assert line.split() == ["value", "57,500", "60,000"]
    assert "points do not measure the same" in result.stdout
    assert ("weights.skill" in result.stdout) == (why == "weights")


def test_all_changes_are_read_page_by_page(services: FakeServices, run: Run) -> None:
    services.set("matching", "GET /runs/r-1/compare/r-2", in_turn(compared(next="ben"), compared()))
    result = run("match", "compare", "r-1", "r-2", "--limit", "0", "--json")
    assert [change["mentee_id"] for change in json.loads(result.stdout)["changes"]] == ["ann", "ben"] * 2
    assert services.calls()[1].endswith("?after=ben&limit=500")


# publish and discard


def test_publishing_is_asked_for_and_waited_for(services: FakeServices, run: Run) -> None:
    publication = {"by": "boss", "at": "2026-03-02T10:00:00Z", "proposed": 2, "dropped": {"mentor-gone": 1}}
    services.set(
        "matching", "POST /runs/r-1/publish", answer(run_of("publishing", publication={"by": "boss"}), 202)
    )
    steps = [run_of("publishing", progress=at("checking"), publication={"by": "boss"})]
    services.set("matching", "GET /runs/r-1", in_turn(*steps, run_of("published", publication=publication)))
    assert run("match", "publish", "r-1", stdin="n\n").exit_code == 1
    assert services.calls() == []
    result = run("match", "publish", "r-1", stdin="y\n")
    assert result.exit_code == 0
    assert "2 pairs; dropped mentor gone 1" in result.stdout


def test_a_run_that_could_not_be_published_is_exit_code_1(services: FakeServices, run: Run) -> None:
    back = run_of(reason="programme-inactive", problem="The programme is not active.")
    services.set("matching", "POST /runs/r-1/publish", answer(run_of("publishing"), 202))
    services.set("matching", "GET /runs/r-1", answer(back))
    result = run("match", "publish", "r-1", "--yes")
    assert result.exit_code == 1
    assert "it was not published (The programme is not active)." in result.stdout


def test_a_run_is_discarded_after_a_yes(services: FakeServices, run: Run) -> None:
    services.set("matching", "POST /runs/r-1/discard", answer(run_of("discarded", reason="by-coordinator")))
    assert run("match", "discard", "r-1", stdin="n\n").exit_code == 1
    assert services.calls() == []
    assert run("match", "discard", "r-1", "--yes").exit_code == 0


# why


def explained(**more: Any) -> dict[str, Any]:
    shares = [
        {"factor": "skills", "points": 15_000, "share": 0.75, "words": ["law"]},
        {"factor": "working-hours", "points": 5_000, "share": 0.25, "words": []},
    ]
    return {
        "run_id": "r-1", "mentee_id": "ben", "mentor_id": "mia", "verdict": "price", "sentence": "Others need her.",
        "score": 20_000, "shares": shares, "reasons": ["Offers law"], "rules": [], "scarcity": 0,
        "price": 18_500, "gain": 1_500,
        "own_mentor_id": "noa", "own_gain": 7_499, "people_removed": 0,
        "peers": False,
    } | more  # fmt: skip


def test_a_pair_is_explained_factor_by_factor(services: FakeServices, run: Run) -> None:
    services.set("matching", "GET /runs/r-1/explain", answer(explained()))
    result = run("match", "explain", "r-1", "ben", "mia")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "skills 15,000 75% law" in lines
    assert "working hours 5,000 25%" in lines
    assert "Together 20,000 points." in lines
    assert "The two would read: Offers law." in lines
    assert services.calls() == ["GET matching/runs/r-1/explain?mentee=ben&mentor=mia"]


def test_peers_are_called_so(services: FakeServices, run: Run) -> None:
    ready = run_of(form="peer", mentees=4, mentors=4)
    ready["figures"]["form"] = "peer"
    services.set("matching", "GET /runs/r-1", answer(ready))
    shown = run("match", "show", "r-1").stdout
    assert "3 of 4 peers" in " ".join(shown.split())
    assert "mentor" not in shown
    services.set("matching", "GET /runs/r-1/explain", answer(explained(peers=True, price=12_000, gain=8_000)))
    why = run("match", "why-not", "r-1", "ben", "mia").stdout
    assert "20,000 points − 12,000 that the other has as it is = 8,000" in why
    assert "mentor" not in why


def test_why_not_adds_up(services: FakeServices, run: Run) -> None:
    services.set("matching", "GET /runs/r-1/explain", answer(explained()))
    result = run("match", "why-not", "r-1", "ben", "mia")
    assert "Others need her." in result.stdout
    assert "20,000 points − 18,500 for a place = 1,500" in result.stdout
    assert "7,499 with noa" in result.stdout
    assert "scarce" not in result.stdout
    scarce = explained(scarcity=136_001, own_gain=0, own_mentor_id=None)
    services.set("matching", "GET /runs/r-1/explain", answer(scarce))
    result = run("match", "why-not", "r-1", "ben", "mia")
    assert "nobody, which counts as 0" in result.stdout
    assert "any place costs 136,001 points" in result.stdout


def test_a_rule_is_one_sentence_and_others_follow(services: FakeServices, run: Run) -> None:
    rules = [{"rule": "level", "sentence": "Levels."}, {"rule": "full", "sentence": "No room."}]
    found = explained(verdict="rule", sentence="Levels.", rules=rules)
    services.set("matching", "GET /runs/r-1/explain", answer(found))
    lines = run("match", "why-not", "r-1", "ben", "mia").stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == ["Levels.", "rule No room."]


def test_a_pair_that_was_made_needs_no_numbers(services: FakeServices, run: Run) -> None:
    found = explained(verdict="paired", sentence="They are a pair.", gain=-1, own_gain=-1)
    services.set("matching", "GET /runs/r-1/explain", answer(found))
    assert run("match", "why-not", "r-1", "ben", "mia").stdout == "They are a pair.\n"


# who asks


def on_a_local_stack(monkeypatch: pytest.MonkeyPatch, fake: FakeServices) -> Target:
    """A target whose tokens are the names of those who ask."""
    monkeypatch.setattr(client, "transport", lambda: httpx.MockTransport(fake))
    urls = {name: (f"http://{name}",) for name in SERVICES}
    return Target("here", "acme", urls, data_dir=Path("here"), _sign=lambda subject, *_: subject)


async def test_on_a_local_stack_a_coordinator_of_the_programme_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeServices()
    fake.set("profiles", "GET /programmes/career", answer({"coordinator_ids": ["boss", "deputy"]}))
    fake.set("matching", "POST /programmes/career/runs", answer(run_of("requested"), 202))
    for named, expected in ((None, "boss"), ("deputy", "deputy")):
        async with asking.Runs(on_a_local_stack(monkeypatch, fake), named) as runs:
            await runs.of_programme("career", "POST", json={})
        assert fake.asked[-1].headers["authorization"] == f"Bearer {expected}"


async def test_the_coordinator_of_a_run_is_found_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeServices()
    pages: list[dict[str, Any]] = [
        {"items": [{"coordinator_ids": ["anna"]}, {"coordinator_ids": []}], "next": "p-2"},
        {"items": [{"coordinator_ids": ["boss"]}, {"coordinator_ids": ["cem"]}], "next": None},
    ]
    fake.set("profiles", "GET /programmes", in_turn(*pages))

    def only_boss(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer boss":
            return httpx.Response(200, json=run_of())
        return httpx.Response(403, json={"code": "forbidden", "detail": "No."})

    fake.set("matching", "GET /runs/r-1", only_boss)
    async with asking.Runs(on_a_local_stack(monkeypatch, fake), None) as runs:
        assert (await runs.one("r-1"))["state"] == "ready"
        asked = len(fake.asked)
        await runs.one("r-1")
    assert len(fake.asked) == asked + 1, "who was found is not looked for again"
    assert not [request for request in fake.asked if request.headers["authorization"] == "Bearer cem"]


async def test_a_programme_without_a_coordinator_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeServices()
    fake.set("profiles", "GET /programmes/career", answer({"coordinator_ids": []}))
    with pytest.raises(typer.Exit):
        async with asking.Runs(on_a_local_stack(monkeypatch, fake), None) as runs:
            await runs.all_of_programme("career", 1)
    assert fake.calls("GET") == ["GET profiles/programmes/career"]


# report, refusals, settings


def test_the_report_goes_into_a_file(services: FakeServices, run: Run, tmp_path: Path) -> None:
    page = b"<!doctype html><title>r-1</title>"
    services.set("matching", "GET /runs/r-1/report", lambda request: httpx.Response(200, content=page))
    place = tmp_path / "report.html"
    assert run("match", "report", "r-1", "--to", str(place)).stdout == f"The report is in {place}.\n"
    assert place.read_bytes() == page
    assert services.calls()[-1] == "GET matching/runs/r-1/report"
    assert run("match", "report", "r-1", "--to", str(place), "--beside", "r-2").exit_code == 0
    assert services.calls()[-1] == "GET matching/runs/r-1/report?compare=r-2"
    assert run("match", "report", "r-1", "--to", "-").stdout_bytes == page
    result = run("match", "report", "r-1", "--to", str(tmp_path / "nowhere" / "report.html"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("status", "code", "detail", "said"),
    [
        (404, "run_unknown", "There is no such run.", "matching: There is no such run.\n"),
        (409, "no_result", "The run is running, and has no pairs to show.",
         "matching: The run is running, and has no pairs to show.\n"),
        (403, "forbidden", "This caller may not do this.", "matching: this token's roles do not allow it.\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "command", [["show", "r-1"], ["pairs", "r-1"], ["compare", "r-1", "r-2"], ["report", "r-1"]]
)
def test_a_refusal_is_one_sentence(
    services: FakeServices, run: Run, status: int, code: str, detail: str, said: str, command: list[str]
) -> None:
    for route in ("", "/pairs", "/compare/r-2", "/report"):
        services.set("matching", f"GET /runs/r-1{route}", problem(status, code, detail))
    result = run("match", *command)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)


def test_settings_are_names_and_values() -> None:
    given = ["weights.skill=800", "rules.common_language=false", "objective=value", "tolerance=0.001"]
    assert _settings(given) == {
        "weights": {"skill": 800}, "rules": {"common_language": False}, "objective": "value", "tolerance": 0.001,
    }  # fmt: skip
    assert _settings(["tolerance=NaN"]) == {"tolerance": "NaN"}
    for wrong in ("weights", "=3", "weights.=3", ".skill=3"):
        with pytest.raises(typer.BadParameter):
            _settings([wrong])
    with pytest.raises(typer.BadParameter):
        _settings(["weights=3", "weights.skill=3"])


def test_shares_are_shown_as_finely_as_a_gap_needs() -> None:
    assert [percent(each) for each in (0.0, 0.0001, 0.0000174, 0.5, 1.0)] == [
        "0 %", "0.01 %", "0.0017 %", "50 %", "100 %",
    ]  # fmt: skip
