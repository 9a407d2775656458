"""A programme with people and the worker of its runs, for tests that ask for runs."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from services.matching.run_worker import RunWorker
from shared.contracts.people import Role
from shared.runtime.service import WorkerContext
from tests.integration.services.said import enrolment, person, programme
from tests.support.instance import Instance, Who
from tests.support.waiting import eventually

SPRING: Final = "spring"
BOSS: Final = "boss"
_SKILLS: Final = ("python", "sql", "law", "talks", "design")
_SECONDS: Final = 240.0


class Programme:
    """One tenant's programme, as *matching* hears of it."""

    def __init__(self, matching: Instance, tenant: str) -> None:
        self.matching, self.tenant = matching, tenant
        self.boss = Who(BOSS, tenant)

    async def begin(
        self, mentees: int, mentors: int, *, capacity: int = 1, shuffled: int | None = None, **more: Any
    ) -> None:
        """So many people, who want and offer different things; *shuffled* is the seed of another order of arrival."""
        told = [programme(SPRING, BOSS, **{"matching_delay_minutes": 600, **more})]
        for number in range(mentees):
            told += self.somebody(f"mentee-{number:03}", Role.MENTEE, number)
        for number in range(mentors):
            told += self.somebody(f"mentor-{number:03}", Role.MENTOR, number, capacity=capacity)
        if shuffled is not None:
            random.Random(shuffled).shuffle(told)
        await self.matching.hear(self.tenant, *told)

    def somebody(self, name: str, role: Role, number: int, **more: Any) -> list[Any]:
        skills = {_SKILLS[number % 5]: 1 + number % 5, _SKILLS[(number + 2) % 5]: 3}
        side = "skills_wanted" if role is Role.MENTEE else "skills_offered"
        values = {
            "level": 2 if role is Role.MENTEE else 6,
            side: skills,
            "goals": f"goal {number % 7}",
            **more,
        }
        return [person(name, **values), enrolment(name, SPRING, role)]

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        return await self.matching.ask(self.boss, method, path, **options)

    async def request(self, **body: Any) -> str:
        """Ask for a run; its id."""
        view = await self.ask("POST", f"/programmes/{SPRING}/runs", json=body)
        assert view["state"] == "requested"
        return str(view["run_id"])

    async def until(self, run_id: str, *states: str) -> Any:
        """The run's view once it is in one of these states."""

        async def there() -> Any:
            view = await self.ask("GET", f"/runs/{run_id}")
            return view if view["state"] in states else None

        return await eventually(there, seconds=_SECONDS, what=f"run {' or '.join(states)}")

    async def run(self, **body: Any) -> Any:
        """Ask for a run and wait until it is ready."""
        return await self.until(await self.request(**body), "ready", "failed")

    async def all_pages(self, path: str, limit: int = 7) -> list[Any]:
        items: list[Any] = []
        params: dict[str, Any] = {"limit": limit}
        while True:
            page = await self.ask("GET", path, params=params)
            items += page["items"]
            if page["next"] is None:
                return items
            params["after"] = page["next"]

    async def pairs(self, run_id: str) -> dict[str, str]:
        """Mentor by mentee."""
        return {p["mentee_id"]: p["mentor_id"] for p in await self.all_pages(f"/runs/{run_id}/pairs")}

    async def proposals(self) -> dict[str, str]:
        """Mentor by mentee of open proposals."""
        rows = await self.matching.rows(
            self.tenant,
            "SELECT mentee_id, mentor_id FROM proposal WHERE tenant = :tenant AND status = 'open'",
        )
        return {row.mentee_id: row.mentor_id for row in rows}

    async def said(self, type_: str) -> list[int]:
        """Versions that were said of everything of this type, by key."""
        rows = await self.matching.plumbing(
            "SELECT sequence FROM outbox WHERE tenant = $1 AND type = $2 ORDER BY key, sequence",
            self.tenant, type_,
        )  # fmt: skip
        return [row["sequence"] for row in rows]

    async def counts(self, run_id: str, tables: Sequence[str]) -> dict[str, int]:
        """How many rows of a run each table has."""
        found = {}
        for table in tables:
            (row,) = await self.matching.rows(
                self.tenant,
                f"SELECT count(*) AS n FROM {table} WHERE tenant = :tenant AND run_id = '{run_id}'",
            )
            found[table] = row.n
        return found


@asynccontextmanager
async def working(instance: Instance) -> AsyncIterator[None]:
    """The instance's worker of runs, running."""
    stopping = asyncio.Event()
    worker = RunWorker(WorkerContext(instance.settings, instance.process.database, stopping))
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        stopping.set()
        await task
