"""What ``mentoring person`` asks of the services. No service asks another: the command puts it together."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, Final

from shared.cli.client import ServiceProblem, Services
from shared.cli.target import Target

ROLE: Final = "privacy"
_POLL_SECONDS: Final = 0.2
_PAGE: Final = 500


async def export_person(target: Target, person_id: str, *, own: bool) -> dict[str, Any]:
    """One document of all services; ``not_asked`` says which could not be asked, and why."""
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    subject = {"subject": person_id} if own else {}
    async with Services(target, ROLE, **subject) as services:
        for service in target.services:
            try:
                found[service] = await services.ask(service, "GET", f"/people/{person_id}/export")
            except ServiceProblem as problem:
                problems[service] = str(problem)
    return {
        "person_id": person_id,
        "tenant": target.tenant,
        "exported_at": datetime.now(UTC).isoformat(),
        "services": found,
        "withheld": {service: answer["withheld"] for service, answer in found.items() if answer["withheld"]},
        "not_asked": problems,
    }


async def erase_person(target: Target, person_id: str, seconds: float) -> dict[str, Any]:
    """Ask for the erasure and wait up to *seconds* for the receipts. Raises :class:`ServiceProblem`."""
    path = f"/people/{person_id}/erasure"
    deadline = time.monotonic() + seconds
    async with Services(target, ROLE) as services:
        erasure: dict[str, Any] = await services.ask("profiles", "POST", path)
        while erasure["missing"] and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            erasure = await services.ask("profiles", "GET", path)
    return erasure


async def listed_erasures(target: Target, *, overdue: bool) -> list[dict[str, Any]]:
    """All erasures of the tenant. Raises :class:`ServiceProblem`."""
    found: list[dict[str, Any]] = []
    after = ""
    async with Services(target, ROLE) as services:
        while True:
            params = {"overdue": overdue, "after": after, "limit": _PAGE}
            page = await services.ask("profiles", "GET", "/erasures", params=params)
            found += page["items"]
            if not (after := page.get("next") or ""):
                return found
