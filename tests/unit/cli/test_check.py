"""``mentoring check``: where it looks, what it says, and how it ends."""

import json
from pathlib import Path

import pytest

import shared.check
from shared.check import CheckError, Finding, Report, Sources
from tests.unit.cli.conftest import Run

SERVICES = ("PROFILES", "MATCHING", "FEEDBACK", "NOTIFICATIONS")


def violated() -> Report:
    finding = Finding("I2")
    finding.counts["ledger rows"] = 7
    finding.wrong("said, but not in the topic: lost", topic="person")
    return Report([finding])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Sources]:
    """What the check was asked to compare; Kafka and databases are named by the environment."""
    monkeypatch.setenv("MENTORING_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    for service in SERVICES[:-1]:
        monkeypatch.setenv(f"MENTORING_CHECK_{service}_DSN", f"postgresql://{service.lower()}")
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://notifications\n")
    monkeypatch.setenv("MENTORING_CHECK_NOTIFICATIONS_DSN_FILE", str(secret))
    return []


def answer(monkeypatch: pytest.MonkeyPatch, asked: list[Sources], report: Report | CheckError) -> None:
    async def check(sources: Sources) -> Report:
        asked.append(sources)
        if isinstance(report, CheckError):
            raise report
        return report

    monkeypatch.setattr(shared.check, "check", check)


@pytest.mark.parametrize(
    ("report", "code"), [(Report(), 0), (violated(), 1), (Report(moving={"outbox of matching": 2}), 3)]
)
def test_the_verdict_is_the_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, asked: list[Sources], report: Report, code: int
) -> None:
    answer(monkeypatch, asked, report)
    done = run("check", "--json", "--wait", "5")
    assert done.exit_code == code
    assert json.loads(done.stdout)["verdict"] == report.verdict
    assert run("check").exit_code == code
    assert asked[0].wait == 5
    assert dict(asked[0].databases) == {name.lower(): f"postgresql://{name.lower()}" for name in SERVICES}
    assert asked[0].kafka["bootstrap_servers"] == "kafka:9092"


def test_a_violation_is_shown_with_its_rows(
    run: Run, monkeypatch: pytest.MonkeyPatch, asked: list[Sources]
) -> None:
    answer(monkeypatch, asked, violated())
    out = run("check").stdout
    assert "✗ I2" in out
    assert "1 × said, but not in the topic: lost" in out
    assert "topic=person" in out
    assert "1 violation." in out


def test_what_cannot_be_read_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, asked: list[Sources]
) -> None:
    answer(monkeypatch, asked, CheckError("The database of matching does not answer the check: OSError."))
    done = run("check")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip() == "The database of matching does not answer the check: OSError."


def test_a_database_that_nobody_names_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, asked: list[Sources]
) -> None:
    monkeypatch.delenv("MENTORING_CHECK_MATCHING_DSN")
    done = run("check")
    assert done.exit_code == 2
    assert "Set MENTORING_CHECK_MATCHING_DSN" in done.stderr


def test_without_a_stack_it_says_so(run: Run) -> None:
    done = run("check")
    assert done.exit_code == 2
    assert "No local stack runs" in done.stderr
