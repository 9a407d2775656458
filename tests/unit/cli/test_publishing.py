"""``mentoring events validate`` and ``publish``: what is refused before anything is sent."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from shared.cli import publishing
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import FakeServices

GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "wd-1",
    "source": "urn:acme:workday",
    "type": "hr.person.terminated.v1",
    "subject": "E7",
    "time": "2026-03-02T09:00:00Z",
    "sequence": "5",
    "tenant": "acme",
    "data": {"employee_id": "E7", "effective_on": "2026-03-31"},
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, services: FakeServices) -> list[tuple[str, str | None, bytes]]:
    """What goes to Kafka; a value that holds "too large" does not."""
    records: list[tuple[str, str | None, bytes]] = []

    async def send(settings: Any, batch: Any, headers: Any) -> AsyncIterator[tuple[int, int]]:
        assert dict(headers)["content-type"].startswith(b"application/cloudevents+json")
        for record in batch:
            if b"too large" in record[2]:
                raise MessageSizeTooLargeError("it is")
            records.append(record)
            yield 3, len(records) - 1

    monkeypatch.setattr(publishing, "send", send)
    return records


def written(folder: Path, *events: Any, name: str = "event.json") -> str:
    file = folder / name
    file.write_text("\n".join(json.dumps(event) if isinstance(event, dict) else event for event in events))
    return str(file)


def test_a_good_event_is_good(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    result = run("events", "validate", file)
    assert (result.exit_code, result.stdout) == (0, f"{file}: Good.\n")


def test_problems_are_sentences_and_exit_code_1(run: Run, tmp_path: Path) -> None:
    good, bad = written(tmp_path, GOOD), written(tmp_path, GOOD | {"subject": "E8"}, name="bad.json")
    result = run("events", "validate", good, bad)
    assert result.exit_code == 1
    assert f"{bad}: subject and data.employee_id differ" in result.stdout
    document = json.loads(run("events", "validate", good, bad, "--json").stdout)
    assert [len(entry["problems"]) for entry in document] == [0, 1]


def test_a_file_of_lines_and_standard_input(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, GOOD, "", "{", name="events.jsonl")
    result = run("events", "validate", file)
    assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [f"{file}:1", f"{file}:3"]
    assert run("events", "validate", "-", stdin=json.dumps(GOOD)).stdout == "standard input: Good.\n"


def test_a_file_that_is_not_there_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    result = run("events", "validate", str(tmp_path / "x.json"))
    assert result.exit_code == 2
    assert "cannot be read: No such file or directory" in result.stderr


def test_the_type_says_the_topic_and_the_subject_the_key(
    run: Run, tmp_path: Path, sent: list[tuple[str, str | None, bytes]]
) -> None:
    file = written(tmp_path, GOOD)
    result = run("events", "publish", file)
    assert (result.exit_code, result.stdout) == (0, "Published wd-1 to hr-intake, partition 3, offset 0.\n")
    assert sent == [("hr-intake", "E7", Path(file).read_bytes())]
    document = json.loads(run("events", "publish", file, "--json").stdout)
    assert document == [
        {
            "id": "wd-1",
            "type": "hr.person.terminated.v1",
            "topic": "hr-intake",
            "partition": 3,
            "offset": 1,
        }
    ]


def test_one_bad_event_and_nothing_is_sent(
    run: Run, tmp_path: Path, sent: list[tuple[str, str | None, bytes]]
) -> None:
    file = written(tmp_path, GOOD, GOOD | {"sequence": "x"}, name="events.jsonl")
    result = run("events", "publish", file)
    assert result.exit_code == 1
    assert f"{file}:2: sequence is wrong" in result.stderr
    assert "Nothing was published." in result.stderr
    assert sent == []


def test_force_sends_what_is_wrong(
    run: Run, tmp_path: Path, sent: list[tuple[str, str | None, bytes]]
) -> None:
    assert run("events", "publish", written(tmp_path, GOOD | {"sequence": "x"}), "--force").exit_code == 0
    nameless = run("events", "publish", "-", "--force", stdin="{")
    assert (nameless.exit_code, "--topic" in nameless.stderr) == (2, True)
    assert run("events", "publish", "-", "--force", "--topic", "hr-intake", stdin="{").exit_code == 0
    assert [(topic, key) for topic, key, _ in sent] == [("hr-intake", "E7"), ("hr-intake", None)]


def test_a_topic_is_only_chosen_with_force(run: Run, sent: list[tuple[str, str | None, bytes]]) -> None:
    assert run("events", "publish", "-", "--topic", "hr-intake", stdin="{}").exit_code == 2
    unknown = run("events", "publish", "-", "--force", "--topic", "mentoring.hr-intak", stdin="{}")
    assert (unknown.exit_code, "did you mean hr-intake?" in unknown.stderr) == (2, True)


def test_what_kafka_refuses_is_a_sentence(
    run: Run, tmp_path: Path, sent: list[tuple[str, str | None, bytes]]
) -> None:
    file = written(tmp_path, GOOD, GOOD | {"source": "too large"}, name="events.jsonl")
    result = run("events", "publish", file, "--force")
    assert result.exit_code == 1
    assert "1 of 2 events had been published before." in result.stderr
    assert "Kafka at kafka:9092 refused (MessageSizeTooLargeError)" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--personal",),
        ("--from-start", "--since", "1h"),
        ("--no-follow",),
        ("--since", "an hour"),
        ("porgramme", "--from-start"),
    ],
)
def test_what_tail_cannot_mean_is_wrong_usage(
    run: Run, services: FakeServices, arguments: tuple[str, ...]
) -> None:
    result = run("events", "tail", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
