"""What ``mentoring match`` asks of *matching*: as a coordinator of the programme, who alone may know of its runs."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from shared.cli.client import ServiceProblem, Services
from shared.cli.output import fail
from shared.cli.target import SUBJECT, Target

Document = dict[str, Any]
Watch = Callable[[Document], None]
"""Is told every state of a run while it is waited for."""

UNDER_WAY: Final = ("requested", "running", "publishing")
_POLL_SECONDS: Final = 0.25
_PAGE: Final = 500
_FORBIDDEN: Final = 403


class Runs(AbstractAsyncContextManager["Runs"]):
    """The runs of a target, seen by one coordinator. On a local stack any of the programme's is found by itself."""

    def __init__(self, target: Target, coordinator: str | None) -> None:
        self._target, self._named = target, coordinator
        self._services = Services(target, subject=coordinator or SUBJECT)

    async def __aexit__(self, *_: object) -> None:
        await self._services.aclose()

    async def of_programme(self, programme: str, method: str, **options: Any) -> Document:
        """``/programmes/{programme}/runs``."""
        await self._act_for(programme)
        return await self._ask(method, f"/programmes/{programme}/runs", **options)

    async def all_of_programme(self, programme: str, limit: int) -> list[Document]:
        """The newest *limit* runs (0: all), the newest first."""
        await self._act_for(programme)
        return await self._pages(f"/programmes/{programme}/runs", limit)

    async def one(self, run: str, method: str = "GET", what: str = "", **options: Any) -> Document:
        """``/runs/{run}`` and below."""
        await self._act_for_run(run)
        return await self._ask(method, f"/runs/{run}{what}", **options)

    async def rows(self, run: str, what: str, limit: int) -> list[Document]:
        """The first *limit* rows (0: all) of a list of a run."""
        await self._act_for_run(run)
        return await self._pages(f"/runs/{run}{what}", limit)

    async def compared(self, run: str, other: str, limit: int) -> Document:
        """Both runs, with the first *limit* changes (0: all)."""
        found = await self.one(run, what=f"/compare/{other}", params={"limit": _size(limit)})
        while found["next"] and len(found["changes"]) != limit:
            params = {"after": found["next"], "limit": _size(limit - len(found["changes"]))}
            page = await self._ask("GET", f"/runs/{run}/compare/{other}", params=params)
            found["changes"] += page["changes"]
            found["next"] = page["next"]
        return found

    async def page(self, run: str, beside: str | None = None) -> bytes:
        """The run's report as HTML, *beside* another run if one is named."""
        await self._act_for_run(run)
        params = {} if beside is None else {"compare": beside}
        return await self._services.fetch("matching", f"/runs/{run}/report", params=params)

    async def until_settled(self, run: Document, seconds: float | None, watch: Watch) -> Document:
        """The run once nothing is under way with it, or as it is after *seconds*."""
        deadline = None if seconds is None else time.monotonic() + seconds
        watch(run)
        while run["state"] in UNDER_WAY and (deadline is None or time.monotonic() < deadline):
            await asyncio.sleep(_POLL_SECONDS)
            run = await self._ask("GET", f"/runs/{run['run_id']}")
            watch(run)
        return run

    async def _ask(self, method: str, path: str, **options: Any) -> Document:
        answer: Document = await self._services.ask("matching", method, path, **options)
        return answer

    async def _pages(self, path: str, limit: int) -> list[Document]:
        found: list[Document] = []
        after: Mapping[str, str] = {}
        while True:
            page = await self._ask("GET", path, params={**after, "limit": _size(limit - len(found))})
            found += page["items"]
            if not page["next"] or len(found) == limit:
                return found
            after = {"after": page["next"]}

    async def _act_for(self, programme: str) -> None:
        if not self._target.local or self._named:
            return
        found = await self._services.ask("profiles", "GET", f"/programmes/{programme}")
        if not found["coordinator_ids"]:
            fail(f"The programme {programme} has no coordinator; `mentoring init` gives it one.")
        self._be(found["coordinator_ids"][0])

    async def _act_for_run(self, run: str) -> None:
        """The run's programme is not known here, so each programme's coordinator is tried."""
        if not self._target.local or self._named:
            return
        for coordinator in await self._coordinators():
            self._be(coordinator)
            try:
                await self._ask("GET", f"/runs/{run}")
            except ServiceProblem as problem:
                if problem.status != _FORBIDDEN:
                    raise
                continue
            return

    async def _coordinators(self) -> list[str]:
        found: dict[str, None] = {}
        after = ""
        while True:
            page = await self._services.ask(
                "profiles", "GET", "/programmes", params={"after": after, "limit": _PAGE}
            )
            found |= dict.fromkeys(
                coordinator for programme in page["items"] for coordinator in programme["coordinator_ids"][:1]
            )
            if not (after := page["next"] or ""):
                return list(found)

    def _be(self, coordinator: str) -> None:
        self._named = coordinator
        self._services.subject = coordinator


def _size(wanted: int) -> int:
    """How many rows a page shall have; nothing (or less) wanted means all."""
    return min(wanted, _PAGE) if wanted > 0 else _PAGE
