"""The command's exit codes and what it prints."""

import json
from functools import partial
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError

from deploy.local.hr import cli
from deploy.local.hr.publisher import HrPublisher
from tests.unit.hr.support import FakeKafka, Files, ibm_csv


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    """The command's publisher, with a producer that needs no broker."""
    kafka = FakeKafka()
    monkeypatch.setattr(cli, "HrPublisher", partial(HrPublisher, make_producer=kafka.make))
    return kafka


def test_a_dry_run_prints_counts_and_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--people", "60", "--seed", "4", "--dry-run", "--samples", "2"]) == cli.OK
    counts, *samples = capsys.readouterr().out.split('\n{"specversion')
    assert json.loads(counts)["people"] == 60
    assert [json.loads('{"specversion' + sample)["subject"] for sample in samples] == ["E000001", "E000002"]


def test_publishing_the_same_again_and_the_next_delivery(kafka: FakeKafka) -> None:
    command = ["--people", "60", "--tenant", "acme", "--prefix", "p."]
    assert cli.run(command) == cli.run(command) == cli.OK
    assert kafka.records[:60] == kafka.records[60:]
    assert cli.run([*command, "--first-sequence", "2"]) == cli.OK
    assert {json.loads(record.value or b"")["sequence"] for record in kafka.records[120:]} == {"2"}


def test_rows_put_aside_have_a_code_of_their_own(
    kafka: FakeKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extract = Files(tmp_path).extract(ibm_csv({}, {"JobLevel": "high"}))
    assert cli.run(["--csv", str(extract), "--map", "ibm-attrition"]) == cli.PUT_ASIDE
    assert "line 3, column JobLevel" in capsys.readouterr().err
    assert len(kafka.records) == 1


def test_bad_input_no_kafka_and_unconfirmed_events(kafka: FakeKafka, tmp_path: Path) -> None:
    assert cli.run(["--csv", str(tmp_path / "none.csv"), "--map", "ibm-attrition"]) == cli.BAD_INPUT
    kafka.answer = lambda record: KafkaError("lost")
    assert cli.run(["--people", "3"]) == cli.UNCONFIRMED
    kafka.start_error = KafkaConnectionError("nobody listens")
    assert cli.run(["--people", "3"]) == cli.NO_KAFKA


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--people", "0"],
        ["--people", "3", "--csv", "x"],
        ["--csv", "x"],
        ["--people", "3", "--map", "x"],
        ["--people", "3", "--at", "2026-01-01T00:00:00"],
        ["--people", "3", "--at", "today"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.run(arguments)
    assert caught.value.code == cli.USAGE
