"""The page says what the rows say, the bad ones too."""

from dataclasses import replace

from tests.faults.story import EQUAL, Row
from tests.faults.table import drawn, page

ROW = Row("F2", "random SIGKILL", "104 kills", 12, 345, 4.25, 61.2, EQUAL, "", "Apache Kafka 4.4.0")


def test_the_page_has_a_line_for_every_run_and_counts_the_good_ones() -> None:
    bad = replace(ROW, matrix="F6", verdict="sent | sink: 3, 4", recovery_seconds=None, remarks="a remark")
    written = page([ROW, bad])
    assert "| F2 | random SIGKILL | 104 kills | 12 | 345 | 4.2 | 61 | equal |" in written
    assert "| F6 | random SIGKILL | 104 kills | 12 | 345 |  | 61 | sent / sink: 3, 4 |" in written
    assert "1 of 2 runs ended" in written
    assert "Apache Kafka 4.4.0" in written
    assert "- F6, random SIGKILL: a remark." in written


def test_a_run_without_faults_is_printed_in_full() -> None:
    assert "sent | sink" in drawn([replace(ROW, verdict="sent | sink: 3, 4")])
