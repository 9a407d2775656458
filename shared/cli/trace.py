"""From the events of one story to a tree: each effect under its cause."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.cli.output import moment
from shared.cli.records import Seen


@dataclass(slots=True)
class Node:
    """One event, how many records of it there are, and what came of it."""

    event: Seen
    records: int = 1
    effects: list["Node"] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For programs: the event with its effects inside."""
        return {
            **self.event.document(),
            "service": self.event.service,
            "records": self.records,
            "effects": [node.document() for node in self.effects],
        }


def grow(events: Sequence[Seen]) -> list[Node]:
    """The trees of *events*, causes before effects, each level in the order of Kafka's timestamps.

    An event whose cause is not among them stands at the top. A dead letter hangs under the event that died.
    """
    nodes: dict[tuple[str, ...], Node] = {}
    for event in sorted(events, key=lambda seen: (seen.at, seen.topic.name, seen.partition, seen.offset)):
        if (known := nodes.get(_key(event))) is not None:
            known.records += 1
        else:
            nodes[_key(event)] = Node(event)
    by_id: dict[str, Node] = {}
    for node in nodes.values():
        if node.event.death is None:
            by_id.setdefault(node.event.id, node)
    roots: list[Node] = []
    for node in nodes.values():
        event = node.event
        cause = by_id.get(event.id if event.death else event.causation)
        if cause is None or _reaches(cause, node, by_id):
            roots.append(node)
        else:
            cause.effects.append(node)
    return roots


def lines(roots: Sequence[Node]) -> Iterator[str]:
    """The trees as indented lines."""
    for root in roots:
        yield _line(root)
        yield from _branches(root, "")


def _branches(node: Node, indent: str) -> Iterator[str]:
    for effect in node.effects:
        last = effect is node.effects[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{_line(effect)}"
        yield from _branches(effect, indent + ("   " if last else "│  "))


def _line(node: Node) -> str:
    event = node.event
    again = f"  ({node.records} records)" if node.records > 1 else ""
    if event.death is not None:
        return f"{moment(event.at)}  {event.death.service}: dead letter {event.death.id} ({event.death.reason}){again}"
    sequence = f" #{event.sequence}" if event.sequence else ""
    return f"{moment(event.at)}  {event.service}: {event.type}  {event.subject}{sequence}{again}"


def _key(event: Seen) -> tuple[str, ...]:
    if event.death is not None:
        return "dead letter", event.death.id
    return event.source, event.id, event.type, event.tenant


def _reaches(start: Node, goal: Node, by_id: dict[str, Node]) -> bool:
    """Whether *goal* is among the causes of *start*: a loop, which only forged ids can make."""
    seen: set[int] = set()
    node: Node | None = start
    while node is not None and id(node) not in seen:
        if node is goal:
            return True
        seen.add(id(node))
        node = by_id.get(node.event.causation)
    return False
