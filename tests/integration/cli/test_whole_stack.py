"""The day of an operator on the embedded stack with the real services: the commands as somebody types them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.process import Identity
from tests.support.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]

INIT = ("init", "--name", "Acme", "--coordinator", "E1", "--programme", "first")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """Runs the command with a folder of its own for the stack."""

    folder: Path

    async def __call__(self, *arguments: str, stdin: str = "") -> Done:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.cli.main", *arguments),
            env={**os.environ, "MENTORING_LOCAL_DATA": str(self.folder)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mentoring(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("cli") / "stack")
    up = await terminal("up")
    assert up.code == 0, up.err
    yield terminal
    await terminal("down")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MENTORING_") and not name.startswith("MENTORING_LOCAL"):
            monkeypatch.delenv(name)


async def test_up_again_says_that_it_is_up(mentoring: Terminal) -> None:
    again = await mentoring("up", "--json")
    assert again.code == 0
    assert again.document["state"] == "running"
    assert again.err == ""


async def test_the_first_steps_can_be_repeated(mentoring: Terminal) -> None:
    first = await mentoring(*INIT, "--json")
    assert first.code == 0, first.err
    assert first.document["coordinator"]["state"] == "recorded"
    assert first.document["programme"]["state"] == "made"
    assert first.document["heard_by"] == ["matching", "feedback", "notifications"]
    second = (await mentoring(*INIT, "--json")).document
    assert (second["coordinator"]["state"], second["programme"]["state"]) == (
        "known already",
        "there already",
    )
    status = await mentoring("status", "--json")
    assert (status.code, status.document["healthy"]) == (0, True), status.out
    assert all(sum(service["lag"].values()) == 0 for service in status.document["services"])


async def test_a_dead_letter_is_found_understood_and_redriven(mentoring: Terminal) -> None:
    event = {
        "specversion": "1.0",
        "id": "wd-7",
        "source": "urn:globex:workday",
        "type": "hr.person.recorded.v1",
        "subject": "E7",
        "time": "2026-03-02T09:00:00Z",
        "sequence": "5",
        "tenant": "globex",
        "data": {
            "employee_id": "E7",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "email": "ada@globex.example",
            "department": "Research",
        },
    }
    assert (await mentoring("events", "publish", "-", stdin=json.dumps(event))).code == 0

    async def letters() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            await mentoring("dlq", "list", "--tenant", "globex", "--json")
        ).document
        return found

    [letter] = await eventually(letters, seconds=60, what="a dead letter")
    assert (letter["service"], letter["reason"]) == ("profiles", "tenant_unknown")
    assert (await mentoring("status")).code == 1
    shown = await mentoring("dlq", "show", letter["id"])
    assert "tenant_unknown" in shown.out
    assert "Lovelace" not in shown.out

    refused = await mentoring("dlq", "redrive", letter["id"], "--tenant", "globex")
    assert refused.code == 1
    assert "set it up and redrive the event" in refused.out

    init = ("init", "--tenant", "globex", "--name", "Globex", "--coordinator", "E7", "--programme", "g")
    assert (await mentoring(*init)).code == 0
    redriven = await mentoring("dlq", "redrive", "--all", "--yes", "--tenant", "globex")
    assert (redriven.code, redriven.out) == (0, "1 dead letter: 1 applied.\n")

    async def told() -> bool:
        story = (await mentoring("events", "trace", "wd-7", "--json")).document
        kinds = [
            effect.get("dead_letter", effect)["id" if "dead_letter" in effect else "type"]
            for effect in story[0]["effects"]
        ]
        return kinds == [letter["id"], "mentoring.person.changed.v1"]

    await eventually(told, seconds=60, what="the story with its dead letter and its effect")


async def test_runs_of_a_programme_in_which_nobody_is_yet(mentoring: Terminal) -> None:
    """From the request to the end, as a coordinator who is found by itself, and by a process of its own."""
    none = await mentoring("match", "list", "first")
    assert (none.code, none.out) == (0, "first has no runs.\n"), none.err
    for identity, aim in (("r-1", "people"), ("r-2", "value")):
        done = await mentoring("match", "run", "first", "--id", identity, "--objective", aim, "--json")
        assert (done.code, done.document["state"]) == (0, "ready"), done.err
        assert (done.document["certificate"]["matched"], done.document["certificate"]["gap"]) == (0, 0.0)
    compared = await mentoring("match", "compare", "r-1", "r-2")
    assert "objective  people  value" in compared.out
    assert (await mentoring("match", "pairs", "r-1", "--unmatched")).out == "Nobody is left over.\n"
    published = await mentoring("match", "publish", "r-1", "--yes")
    assert published.code == 0, published.err
    assert "0 pairs; none dropped" in published.out
    assert (await mentoring("match", "discard", "r-2", "--yes")).code == 0
    states = {
        run["run_id"]: run["state"] for run in (await mentoring("match", "list", "first", "--json")).document
    }
    assert states == {"r-1": "published", "r-2": "discarded"}
    unknown = await mentoring("match", "show", "r-3")
    assert (unknown.code, unknown.err) == (1, "matching: There is no such run.\n")
    bad = await mentoring("match", "run", "first", "--set", "weights.skill=-1")
    assert (bad.code, bad.err) == (1, "matching: weights.skill must be a whole number from 0 to 1,000,000.\n")


async def test_a_service_that_is_gone_is_a_row_and_the_last_thing_is_down(mentoring: Terminal) -> None:
    record = json.loads((mentoring.folder / "stack.json").read_text())
    [matching] = record["services"]["matching"]
    os.kill(matching["pid"], 9)
    status = await mentoring("status")
    assert status.code == 1
    assert f"matching does not answer at {matching['url']}" in status.out
    up = await mentoring("up")
    assert up.code == 1
    assert "without matching-0" in up.err

    down = await mentoring("down")
    assert (down.code, down.err) == (0, "")
    alive = [
        entry for entries in record["services"].values() for entry in entries if Identity.of(entry["pid"])
    ]
    assert alive == []
    assert (await mentoring("status")).code == 2
