"""Health: *live* asks only this process, *ready* asks for the schema, *startup* tells them apart.

A broker outage does not make a service unready: its routes still answer, the outbox takes the writes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.persistence.database import Database
from shared.persistence.migrate import revision_of, revisions_of


@dataclass(slots=True)
class Health:
    """What the three health routes answer from."""

    database: Database
    started: bool = False
    stopping: bool = False
    tasks: dict[str, Callable[[], tuple[bool, str | None]]] = field(default_factory=dict)
    """Per background task: whether it lives, and what it is waiting for."""
    _checked_at: float = 0.0
    _problem: str | None = "not checked yet"

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether every background task makes progress or says what it waits for."""
        details: dict[str, Any] = {}
        alive = True
        for name, ask in self.tasks.items():
            lives, waiting_for = ask()
            alive = alive and lives
            details[name] = waiting_for or "running" if lives else "dead"
        return alive, details

    async def ready(self) -> tuple[bool, str]:
        """Whether requests can be served: PostgreSQL answers and its schema is the one this code needs."""
        if self.stopping:
            return False, "stopping"
        if time.monotonic() - self._checked_at > 1.0:
            self._problem = await self._check()
            self._checked_at = time.monotonic()
        return self._problem is None, self._problem or "ready"

    async def _check(self) -> str | None:
        try:
            async with self.database.plumbing.connect() as connection:
                revision = await revision_of(connection)
        except Exception as error:  # noqa: BLE001 - any failure means not ready; its kind is the answer
            return f"the database does not answer ({type(error).__name__})"
        head, *older = revisions_of(self.database.service)
        if revision is None or revision in older:
            return f"the schema is at {revision}, this code needs {head}"
        # A revision that this code does not know is a newer one: migrations go first, and stay compatible
        # with the release before them, so the old replicas go on serving while they are replaced.
        return None
