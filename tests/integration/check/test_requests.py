"""I1 on the real broker: what a driver was told, against what the topics hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.check import CheckError
from tests.integration.check.conftest import Check
from tests.integration.services.story import Story

COMPLETED = {"status": "completed"}


def write(path: Path, *requests: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return path


def request(story: Story, number: int, outcome: str, subject: str, **where: Any) -> dict[str, Any]:
    """A request about a session."""
    return {
        "id": f"r{number}",
        "tenant": story.tenant,
        "command": "a command",
        "outcome": outcome,
        "effect": {
            "topic": "session",
            "type": "mentoring.session.changed.v1",
            "subject": subject,
            "where": where,
        },
    }


async def test_what_was_confirmed_was_done_once(lived: Story, judge: Check, tmp_path: Path) -> None:
    ledger = write(
        tmp_path / "ledger",
        request(lived, 1, "unknown", "s-0", **COMPLETED),
        request(lived, 1, "ok", "s-0", **COMPLETED),
        request(lived, 2, "ok", "s-0", **COMPLETED),
        request(lived, 3, "ok", "s-1", status="booked"),
        request(lived, 4, "fail", "s-1", status="completed"),
        request(lived, 5, "unknown", "s-1", status="cancelled"),
        {"id": "r6", "tenant": lived.tenant, "command": "look", "outcome": "ok", "effect": None},
    )
    report = await judge(lived.platform, ledger=ledger)
    assert report.ok, report.render()
    assert report.finding("I1").counts == {"ok": 3, "fail": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("outcome", "subject", "where", "words"),
    [
        ("ok", "s-1", {"status": "completed"}, "without effect"),
        ("ok", "nobody-knows-it", {"status": "booked"}, "without effect"),
        ("fail", "s-0", {"status": "completed"}, "done all the same"),
    ],
)
async def test_what_was_not_so_shows(
    lived: Story, judge: Check, tmp_path: Path, outcome: str, subject: str, where: Any, words: str
) -> None:
    ledger = write(tmp_path / "ledger", request(lived, 1, outcome, subject, **where))
    report = await judge(lived.platform, ledger=ledger)
    (violation,) = report.violations
    assert violation.invariant == "I1"
    assert words in violation.what


async def test_a_request_of_another_tenant_has_no_effect_here(
    lived: Story, judge: Check, tmp_path: Path
) -> None:
    wanted = request(lived, 1, "ok", "s-0", **COMPLETED) | {"tenant": "another"}
    report = await judge(lived.platform, ledger=write(tmp_path / "ledger", wanted))
    (violation,) = report.violations
    assert "without effect" in violation.what


async def test_a_ledger_that_is_none_is_refused(lived: Story, judge: Check, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text('{"id": "r1"}\n')
    with pytest.raises(CheckError, match="Line 1"):
        await judge(lived.platform, ledger=path)
