"""I1: what a driver asked for, and was told, against what the topics hold. The format is in ``check.md``.

Requests that ask for the same thing (tenant, topic, type, subject, state) are one claim: commands are
repeatable, so it must come about once if any of them was confirmed. An effect is an event of an aggregate that is
in the wanted state while the version before it was not.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from shared.check.events import Seen
from shared.check.report import Finding
from shared.check.sources import CheckError
from shared.contracts import TOPIC

OUTCOMES: Final = ("ok", "fail", "unknown")


@dataclass(slots=True)
class Claim:
    """One effect that requests wanted."""

    tenant: str
    topic: str
    type: str
    subject: str
    where: Mapping[str, Any]
    event_id: str | None
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    commands: set[str] = field(default_factory=set)
    versions: list[tuple[int, bool]] = field(default_factory=list)
    """Versions of the aggregate, and whether each is in the wanted state."""

    @property
    def effects(self) -> int:
        """How often the aggregate came into the wanted state."""
        entered, before = 0, False
        for _, wanted in sorted(self.versions):
            entered += wanted and not before
            before = wanted and self.event_id is None
        return entered


class Requests:
    """A driver's ledger."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], list[Claim]] = defaultdict(list)
        """By topic, and tenant with subject."""
        self.without_effect = 0
        self.topics: set[str] = set()

    @classmethod
    def load(cls, path: Path) -> "Requests":
        """Read a ledger; of two lines with one id the later counts. Raises :class:`CheckError`."""
        lines: dict[str, dict[str, Any]] = {}
        try:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    entry = json.loads(line)
                    if entry["outcome"] not in OUTCOMES:
                        raise CheckError(f"Line {number} of {path}: an outcome is ok, fail or unknown.")
                    lines[entry["id"]] = entry
        except OSError as error:
            raise CheckError(f"The ledger {path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CheckError(f"Line {number} of {path} is not a request: {type(error).__name__}.") from error
        requests = cls()
        found: dict[tuple[str, ...], Claim] = {}
        for entry in lines.values():
            requests._add(entry, found)
        return requests

    def _add(self, entry: Mapping[str, Any], found: dict[tuple[str, ...], Claim]) -> None:
        effect = entry.get("effect")
        if effect is None:
            self.without_effect += 1
            return
        tenant, topic, subject = str(entry["tenant"]), str(effect["topic"]), str(effect["subject"])
        if topic not in TOPIC:
            raise CheckError(f"The ledger names a topic that there is not: {topic[:40]}.")
        where, event_id = dict(effect.get("where") or {}), effect.get("event_id")
        natural = (tenant, topic, effect["type"], subject, json.dumps(where, sort_keys=True), event_id or "")
        claim = found.get(natural)
        if claim is None:
            claim = found[natural] = Claim(tenant, topic, effect["type"], subject, where, event_id)
            self._claims[topic, f"{tenant} {subject}"].append(claim)
            self.topics.add(topic)
        claim.outcomes[entry["outcome"]] += 1
        claim.commands.add(str(entry.get("command", "")))

    def add(self, topic: str, seen: Seen) -> None:
        """Note an event that was seen for the first time."""
        claims = self._claims.get((topic, seen.key))
        if not claims:
            return
        data = seen.values()
        for claim in claims:
            wanted = seen.type == claim.type and (
                seen.id == claim.event_id if claim.event_id else _matches(claim.where, data)
            )
            claim.versions.append((seen.sequence, wanted))

    def judge(self, topic: str, finding: Finding, *, whole: bool) -> None:
        """Compare the claims on one topic, when all of it has been seen."""
        for (name, _), claims in self._claims.items():
            if name != topic:
                continue
            for claim in claims:
                _judge(claim, finding, whole=whole)


def _judge(claim: Claim, finding: Finding, *, whole: bool) -> None:
    for outcome, count in claim.outcomes.items():
        if count:
            finding.counts[outcome] += count
    effects, told = claim.effects, {name: count for name, count in claim.outcomes.items() if count}
    row = {
        "tenant": claim.tenant, "command": "/".join(sorted(claim.commands)), "type": claim.type,
        "subject": claim.subject, "effects": effects, **told,
    }  # fmt: skip
    if effects > 1:
        finding.wrong("asked for once, done more than once", **row)
    elif claim.outcomes["ok"] and not effects:
        if whole:
            finding.wrong("confirmed, and without effect: lost", **row)
        else:
            finding.excluded["confirmed requests whose events may be gone from the topic"] += 1
    elif effects and not claim.outcomes["ok"] and not claim.outcomes["unknown"]:
        finding.wrong("refused, and done all the same", **row)


def _matches(where: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    return all(_same(value, data.get(name)) for name, value in where.items())


def _same(wanted: Any, found: Any) -> bool:
    if wanted == found:
        return True
    if not (isinstance(wanted, str) and isinstance(found, str)):
        return False
    try:
        return datetime.fromisoformat(wanted) == datetime.fromisoformat(found)
    except (ValueError, TypeError):
        return False
