"""How what was said goes to the outbox: with the last write before it, and never with more than that one."""

from typing import Any

from shared.persistence.driver import Statement
from shared.persistence.outbox import OutboxRecord, outbox_writes
from tests.support.memory import NOW

FIRST = (Statement("DELETE FROM a WHERE key = :key"), {"key": "a"})
LAST = (
    Statement("UPDATE b SET version = :version WHERE key = :key"),
    {"key": "b", "version": 2},
)


def record(number: int) -> OutboxRecord:
    return OutboxRecord(
        "person", f"key-{number}", number, f"id-{number}", "type", b"{}", {"ce_id": f"id-{number}"}
    )


def written(records: int, *before: Any) -> list[tuple[Statement, Any]]:
    return list(outbox_writes("acme", [record(n) for n in range(records)], NOW, with_last_of=before))


def test_nothing_said_changes_nothing() -> None:
    assert written(0, FIRST, LAST) == [FIRST, LAST]


def test_one_event_goes_alone_when_nothing_else_is_written() -> None:
    ((statement, values),) = written(1)
    assert values["outbox_key"] == "key-0"
    assert set(values) == set(statement.names)


def test_only_the_last_write_goes_with_what_was_said() -> None:
    first, (statement, values) = written(1, FIRST, LAST)
    assert first == FIRST
    assert statement.text.startswith(f"WITH written AS ({LAST[0].text}) INSERT INTO outbox ")
    assert (values["key"], values["outbox_key"]) == ("b", "key-0")
    assert set(values) == set(statement.names)
    assert written(1, LAST)[0][0] is statement, "it is made once, so that the server knows it again"


def test_several_events_are_a_set() -> None:
    ((statement, values),) = written(3, LAST)
    assert values["outbox_key"] == ["key-0", "key-1", "key-2"]
    assert set(values) == set(statement.names)


def test_parameters_are_numbered_by_their_first_use() -> None:
    statement = Statement("SELECT :b::text, :a, CAST(:b AS text)")
    assert statement.sql == "SELECT $1::text, $2, CAST($1 AS text)"
    assert statement.names == ("b", "a")
