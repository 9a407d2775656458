"""How versions, places, requests and mails are compared, without a server."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.check import CheckError
from shared.check.capacity import Places
from shared.check.events import Facts, Seen
from shared.check.log import ABSENT, PRESENT, Log, Partition
from shared.check.mails import count_mails
from shared.check.outbox import Versions
from shared.check.report import CLAIMS, Finding, Report
from shared.check.requests import Requests
from shared.contracts import TOPIC
from shared.contracts.pairs import RelationshipEnded, RelationshipStarted
from shared.contracts.people import PersonChanged


def seen(subject: str, sequence: int, kind: str = "k", **data: Any) -> Seen:
    return Seen("t", "s", f"{subject}-{sequence}", kind, subject, sequence, None, json.dumps(data).encode())


def log_of(topic: str, partition: Partition) -> Log:
    """A topic with one partition."""
    log = object.__new__(Log)
    log.topic, log.partitions = TOPIC[topic], {0: partition}
    return log


def judged(topic: str, partition: Partition, *sequences: int) -> Finding:
    versions, finding = Versions(), Finding("I4")
    for sequence in sequences:
        versions.add(seen("x", sequence))
    versions.judge(log_of(topic, partition), finding)
    return finding


def filled(start: int, *flags: int) -> Partition:
    partition = Partition(start, start + len(flags))
    partition.flags = bytearray(flags)
    return partition


@pytest.mark.parametrize(("sequences", "right"), [((1, 2, 3), True), ((3, 1, 2), True), ((1, 3), False),
                                                  ((2, 3), False), ((1, 2, 2), False)])  # fmt: skip
def test_versions_of_a_whole_topic_are_1_to_n(sequences: tuple[int, ...], right: bool) -> None:
    finding = judged("session", filled(0, PRESENT), *sequences)
    assert (not finding.violations) is right
    assert not finding.excluded


def test_what_retention_or_compaction_took_away_cannot_be_known() -> None:
    cut = judged("session", filled(7, PRESENT), 2, 3)
    assert (cut.violations, cut.excluded.total()) == ([], 1)
    assert judged("session", filled(7, PRESENT), 2, 4).violations, "a gap behind the cut is still a gap"
    compacted = judged("person", filled(0, ABSENT, PRESENT), 2, 4)
    assert (compacted.violations, compacted.excluded.total()) == ([], 1)
    assert judged("person", filled(0, PRESENT), 2, 4).violations, "nothing has been compacted"


def test_capacity_is_replayed_in_the_order_of_saying() -> None:
    def pairs(*order: int) -> Finding:
        finding = Finding("I9")
        places = Places(finding)
        places.add(0, seen("m", 1, PersonChanged.TYPE), Facts(mentor_capacity=2))
        for identity, kind in enumerate((RelationshipStarted.TYPE,) * 3, 1):
            places.add(identity, seen(f"r{identity}", 1, kind), Facts(mentor_id="m"))
        places.add(4, seen("r1", 2, RelationshipEnded.TYPE), Facts(mentor_id="m"))
        for identity in order:
            places.said(identity)
        return finding

    assert pairs(1, 2, 4, 3).violations == []
    (violation,) = pairs(1, 2, 3, 4).violations
    assert violation.rows == [{"tenant": "t", "mentor": "m", "pairs": 3, "places": 2}]


def requests(tmp_path: Path, *entries: tuple[str, dict[str, Any]]) -> Requests:
    path = tmp_path / "ledger"
    with path.open("w") as file:
        for number, (outcome, where) in enumerate(entries):
            effect = {"topic": "session", "type": "k", "subject": "s", "where": where}
            file.write(
                json.dumps({"id": str(number), "tenant": "t", "outcome": outcome, "effect": effect}) + "\n"
            )
    return Requests.load(path)


@pytest.mark.parametrize(
    ("outcome", "states", "words"),
    [
        ("ok", ["booked", "done"], ""),
        ("ok", ["booked", "done", "done"], ""),
        ("ok", ["done", "booked", "done"], "more than once"),
        ("unknown", ["booked", "done"], ""),
        ("unknown", ["booked"], ""),
        ("unknown", ["done", "booked", "done"], "more than once"),
        ("ok", ["booked"], "without effect"),
        ("fail", ["booked"], ""),
        ("fail", ["booked", "done"], "done all the same"),
    ],
)
def test_a_claim_is_met_once(tmp_path: Path, outcome: str, states: list[str], words: str) -> None:
    asked, finding = requests(tmp_path, (outcome, {"status": "done"})), Finding("I1")
    for sequence, status in enumerate(states, 1):
        asked.add("session", seen("s", sequence, status=status))
    asked.judge("session", finding, whole=True)
    assert [words in violation.what for violation in finding.violations] == ([True] if words else [])


def test_moments_are_compared_as_moments_and_of_equal_ids_the_last_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    where = {"starts_at": "2026-03-02T10:00:00+01:00"}
    effect = {"topic": "session", "type": "k", "subject": "s", "where": where}
    lines = [{"id": "1", "tenant": "t", "outcome": word, "effect": effect} for word in ("fail", "ok")]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    asked, finding = Requests.load(path), Finding("I1")
    asked.add("session", seen("s", 1, starts_at="2026-03-02T09:00:00Z"))
    asked.judge("session", finding, whole=True)
    assert (finding.violations, dict(finding.counts)) == ([], {"ok": 1})


@pytest.mark.parametrize("line", ["not json", "[]", '{"id": "1", "outcome": "perhaps"}'])
def test_a_line_that_is_no_request_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "ledger").write_text(line)
    with pytest.raises(CheckError, match="Line 1"):
        Requests.load(tmp_path / "ledger")


def test_mails_are_counted_by_their_message(tmp_path: Path) -> None:
    for number, head in enumerate(["X-Mentoring-Notification: a", "x-mentoring-notification: a", "To: x"]):
        (tmp_path / f"{number:08d}.eml").write_text(f"From: y\n{head}\n\nX-Mentoring-Notification: body\n")
    counts = count_mails(tmp_path)
    assert (counts["a"], counts.total()) == (2, 3)
    assert "body" not in counts


def test_a_report_bounds_its_rows_and_counts_all() -> None:
    finding = Finding("I2")
    for number in range(100):
        finding.wrong("lost", id=number)
    report = Report([finding])
    (violation,) = report.violations
    assert (violation.count, len(violation.rows), report.ok, report.verdict) == (100, 5, False, "violated")
    assert "100 × lost" in report.render()
    assert json.loads(json.dumps(report.document()))["invariants"][0]["violations"][0]["count"] == 100


def test_what_was_not_judged_is_said() -> None:
    without = Report([Finding(name) for name in CLAIMS if name != "I1"])
    assert "I1" in without.render().splitlines()[0]
    assert "for want of a driver's ledger" in without.render()
    assert "All that was judged holds." in without.render()
    assert (without.not_judged, without.document()["not_judged"], without.ok) == (["I1"], ["I1"], True)
    assert "All of it holds." in Report([Finding(name) for name in CLAIMS]).render()


def test_without_rest_nothing_is_judged() -> None:
    report = Report(moving={"outbox of profiles": 3})
    assert (report.ok, report.verdict) == (False, "not at rest")
    assert report.render() == "Not at rest, so nothing was judged: outbox of profiles 3."
