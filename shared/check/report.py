"""What the check has found: for each invariant its counts, its violations, and what it could not know."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MOST_ROWS: Final = 5
"""Rows shown of one violation; all are counted."""

CLAIMS: Final[Mapping[str, str]] = {
    "I1": "a request that was confirmed has exactly one effect, one that was refused has none",
    "I2": "what was said is what the topics hold",
    "I3": "every event has its effect at each consumer, once",
    "I4": "versions 1 to n of every aggregate, and the newest is the owner's",
    "I5": "every record has one outcome at each consumer",
    "I6": "one message for each occasion, one mail for each message",
    "I7": "timers are due when they should be, and fired once and never early",
    "I8": "nothing waits without a timer or a pending event",
    "I9": "no mentor has more pairs than places, at any committed instant",
    "I10": "tenants are apart",
}


@dataclass(slots=True)
class Violation:
    """One way in which an invariant does not hold. Rows hold ids, places and numbers, never personal data."""

    invariant: str
    what: str
    count: int = 0
    rows: list[dict[str, str | int | None]] = field(default_factory=list)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one; keep its row while there is room."""
        self.count += 1
        if len(self.rows) < MOST_ROWS:
            self.rows.append({name: _plain(value) for name, value in row.items()})


@dataclass(slots=True)
class Finding:
    """One invariant: what was compared, how often, what was wrong and what could not be known."""

    invariant: str
    counts: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _violations: dict[str, Violation] = field(default_factory=dict)

    @property
    def claim(self) -> str:
        return CLAIMS[self.invariant]

    @property
    def compared(self) -> int:
        """How many things were looked at."""
        return self.counts.total()

    @property
    def violations(self) -> list[Violation]:
        return list(self._violations.values())

    def wrong(self, what: str, **row: Any) -> None:
        """Note one violation; those with the same sentence are counted together."""
        self._violations.setdefault(what, Violation(self.invariant, what)).add(row)

    def violation(self, what: str) -> Violation:
        """The violation with this sentence. Raises ``KeyError``."""
        return self._violations[what]

    def document(self) -> dict[str, Any]:
        return {
            "invariant": self.invariant,
            "claim": self.claim,
            "holds": not self._violations,
            "compared": dict(self.counts),
            "excluded": dict(self.excluded),
            "notes": self.notes,
            "violations": [
                {"what": each.what, "count": each.count, "rows": each.rows} for each in self.violations
            ],
        }


@dataclass(slots=True)
class Report:
    """The verdict: ``ok``, ``violated``, or ``not at rest`` (nothing was judged; *moving* says why)."""

    findings: Sequence[Finding] = ()
    moving: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def at_rest(self) -> bool:
        return not self.moving

    @property
    def violations(self) -> list[Violation]:
        return [violation for finding in self.findings for violation in finding.violations]

    @property
    def not_judged(self) -> list[str]:
        """Invariants of which nothing is claimed: I1 without a ledger."""
        judged = {finding.invariant for finding in self.findings}
        return [name for name in CLAIMS if name not in judged] if self.at_rest else list(CLAIMS)

    @property
    def ok(self) -> bool:
        return self.at_rest and not self.violations

    @property
    def verdict(self) -> str:
        if not self.at_rest:
            return "not at rest"
        return "violated" if self.violations else "ok"

    def finding(self, invariant: str) -> Finding:
        """What was found about one invariant. Raises ``KeyError`` when it was not judged."""
        for each in self.findings:
            if each.invariant == invariant:
                return each
        raise KeyError(invariant)

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "moving": dict(self.moving),
            "seconds": round(self.seconds, 2),
            "not_judged": self.not_judged,
            "invariants": [finding.document() for finding in self.findings],
        }

    def render(self) -> str:
        """The report as lines for people."""
        if not self.at_rest:
            moving = ", ".join(f"{what} {count:,}" for what, count in self.moving.items())
            return f"Not at rest, so nothing was judged: {moving}."
        lines = [line for finding in self.findings for line in _lines(finding)]
        lines[:0] = [
            f"- {name:<4} {'':>11}  not judged, for want of a driver's ledger" for name in self.not_judged
        ]
        wrong = sum(violation.count for violation in self.violations)
        end = "All that was judged holds." if self.not_judged else "All of it holds."
        if wrong:
            end = f"{wrong:,} violation{'' if wrong == 1 else 's'}."
        return "\n".join([*lines, f"{end} ({self.seconds:.1f} s)"])


def _plain(value: Any) -> str | int | None:
    """A value as JSON has it."""
    return value if value is None or isinstance(value, str | int) else str(value)


def _lines(finding: Finding) -> list[str]:
    mark = "✗" if finding.violations else "✓"
    lines = [f"{mark} {finding.invariant:<4} {finding.compared:>11,}  {finding.claim}"]
    for name, count in finding.excluded.items():
        lines.append(f"{'':20}cannot be known for {count:,}: {name}")
    lines += [f"{'':20}{note}" for note in finding.notes]
    for violation in finding.violations:
        lines.append(f"{'':20}{violation.count:,} × {violation.what}")
        for row in violation.rows:
            lines.append(f"{'':24}{'  '.join(f'{name}={value}' for name, value in row.items())}")
    return lines
