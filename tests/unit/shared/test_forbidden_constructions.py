"""What nobody in the house may write, because the library bites there (docs/architecture/traps.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HOUSE = sorted(path for part in ("services", "shared") for path in (ROOT / part).rglob("*.py"))
FACTORY = "shared/messaging/kafka.py"
CONSUMER = "shared/messaging/consumer.py"
INDEPENDENT = "shared/check/"
"""The check reads for itself and uses nothing of the platform's."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the last word of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


def offences(source: str, place: str) -> list[str]:
    """The traps that *source* walks into, by their number."""
    found = []
    for name, call in calls(ast.parse(source)):
        words = {keyword.arg for keyword in call.keywords}
        if name == "KafkaRouter":
            found.append("T3")
        if name in ("subscriber", "KafkaBroker") and "max_workers" in words:
            found.append("T4")
        if name in ("subscriber", "_subscriber") and "filter" in words:
            found.append("T5")
        if name == "ping":
            found.append("T6")
        if name.endswith("TelemetryMiddleware"):
            found.append("T8")
        if "transactional_id" in words:
            found.append("T12")
        if name in ("ack", "nack", "reject"):
            found.append("T14")
        if name == "subscriber" and place != CONSUMER:
            found.append("a subscriber made elsewhere")
        if name in ("KafkaBroker", "AIOKafkaProducer", "AIOKafkaConsumer") and not place.startswith(
            (FACTORY, INDEPENDENT)
        ):
            found.append("a client made elsewhere")
    return found


def test_nobody_walks_into_a_trap() -> None:
    found = {}
    for path in HOUSE:
        place = path.relative_to(ROOT).as_posix()
        if offences_here := offences(path.read_text(), place):
            found[place] = offences_here
    assert HOUSE
    assert found == {}


@pytest.mark.parametrize(
    ("source", "trap"),
    [
        ("router = KafkaRouter()", "T3"),
        ("broker.subscriber('a', 'b', max_workers=3)", "T4"),
        ("subscriber(handle, filter=wanted)", "T5"),
        ("await broker.ping(1)", "T6"),
        ("KafkaBroker(middlewares=[KafkaTelemetryMiddleware()])", "T8"),
        ("KafkaBroker(transactional_id='x')", "T12"),
        ("await message.ack()", "T14"),
        ("faststream.kafka.KafkaBroker()", "a client made elsewhere"),
        ("@broker.subscriber('a')\nasync def handle(message): ...", "a subscriber made elsewhere"),
    ],
)
def test_the_traps_are_seen(source: str, trap: str) -> None:
    assert trap in offences(source, "services/anywhere.py")
