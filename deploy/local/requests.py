"""A driver's ledger of requests: JSON lines that ``mentoring check --ledger`` compares with what came of them.

The format is in ``docs/architecture/check.md``. A line is written when the outcome is known to the driver, and at
once, so that a driver that dies has claimed nothing that it was not told.
"""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from shared.contracts import TOPIC

Outcome = Literal["ok", "fail", "unknown"]
Effect = Mapping[str, Any]

FILE: Final = "requests.jsonl"
"""Its name in the folder of a stack."""


def effect(topic: str, subject: str, *, type: str = "", **where: Any) -> Effect:
    """The event that a request shall lead to: of *subject*, with these values in its data.

    *type* is the topic's first unless given.
    """
    return {
        "topic": topic,
        "type": type or TOPIC[topic].events[0].TYPE,
        "subject": subject,
        "where": where,
    }


class RequestLog:
    """Appends to a ledger; begins a new one. Without a path nothing is kept."""

    def __init__(self, path: Path | None, tenant: str) -> None:
        self.path, self._tenant = path, tenant
        self._numbers = itertools.count(1)
        self._file = path.open("w", encoding="utf-8", buffering=1) if path is not None else None

    def note(self, command: str, outcome: Outcome, effect: Effect | None) -> None:
        """Note one request. *effect* None: nothing that an event would tell."""
        if self._file is not None:
            line = {
                "id": f"{self._tenant}-{next(self._numbers)}",
                "tenant": self._tenant,
                "command": command,
                "outcome": outcome,
                "effect": effect,
            }
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
