"""The dead letters of all services: listed over HTTP, settled over HTTP, read back from Kafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.cli.client import ServiceProblem, Services

PAGE: Final = 1000
"""As many as a service lists at once."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter as its service lists it: ids and the reason, nothing of its content."""

    service: str
    unattributed: bool
    values: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.values["id"])

    @property
    def reason(self) -> str:
        return str(self.values["reason"])

    def document(self) -> dict[str, Any]:
        return {"service": self.service, "unattributed": self.unattributed, **self.values}

    def lines(self) -> list[str]:
        """For people: which and why, where it came from, what is wrong."""
        values = self.values
        whose = " (names no tenant)" if self.unattributed else ""
        place = f"{values['topic']} {values['partition']}@{values['record_offset']}"
        return [
            f"{self.id}  {self.service}: {self.reason}{whose}",
            f"    {place}, {values['event_type'] or 'type unknown'}, died {str(values['died_at'])[:19]}Z",
            f"    {values['detail']}",
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one dead letter. ``refused`` is a sentence, empty when it was settled."""

    letter: Letter
    outcome: str
    refused: str = ""
    code: str = ""

    def document(self) -> dict[str, Any]:
        return {
            "service": self.letter.service,
            "id": self.letter.id,
            "outcome": self.outcome,
            **({"refused": self.refused, "code": self.code} if self.refused else {}),
        }


@dataclass(slots=True)
class Listing:
    """Dead letters, oldest first for each service; who could not be asked; whether a limit left some out."""

    letters: list[Letter] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cut: bool = False


async def listed(
    services: Services, selected: Sequence[str], *, state: str, reason: str | None, limit: int | None
) -> Listing:
    """The dead letters of the selected services, at most *limit* of each; with and without a tenant's name."""
    found = await asyncio.gather(
        *(
            _listed(services, service, state, reason, limit, alone)
            for service in selected
            for alone in (False, True)
        ),
        return_exceptions=True,
    )
    listing = Listing()
    for answer in found:
        if isinstance(answer, ServiceProblem):
            if str(answer) not in listing.problems:
                listing.problems.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            letters, cut = answer
            listing.letters += letters
            listing.cut = listing.cut or cut
    return listing


async def _listed(
    services: Services, service: str, state: str, reason: str | None, limit: int | None, alone: bool
) -> tuple[list[Letter], bool]:
    """Page by page. *alone*: those that name no tenant, and therefore belong to nobody but the operators."""
    wanted = {"state": state, "limit": str(PAGE), "unattributed": "true" if alone else "false"}
    if limit is not None and reason is None:
        wanted["limit"] = str(min(limit, PAGE))
    letters: list[Letter] = []
    while limit is None or len(letters) < limit:
        page = await services.ask(service, "GET", "/management/dead-letters", params=wanted)
        letters += [Letter(service, alone, row) for row in page["items"] if reason in (None, row["reason"])]
        if page["next"] is None:
            break
        wanted["after"] = page["next"]
    else:
        return letters[:limit], True
    return letters[:limit], limit is not None and len(letters) > limit


async def settled(
    services: Services, letters: Sequence[Letter], action: str, *, dry_run: bool
) -> AsyncIterator[Outcome]:
    """Redrive or discard one after the other, in the order in which they died."""
    for letter in letters:
        if dry_run and action == "discard":
            yield Outcome(letter, "would be discarded")
            continue
        try:
            answer = await services.ask(
                letter.service,
                "POST",
                f"/management/dead-letters/{letter.id}/{action}",
                params={"dry_run": "true"} if dry_run else {},
            )
        except ServiceProblem as problem:
            if problem.status in (401, 403):
                raise
            yield Outcome(letter, "refused", str(problem), problem.code or "unreachable")
        else:
            yield Outcome(letter, "would be handled" if dry_run else str(answer["outcome"]))
