"""A small organisation and what happens in it, told to the real services: where many tests begin.

Everything comes about by requests and HR's events, as it would in an installation; only the broker is left
out (:meth:`Platform.carry`). Each chapter continues the one before.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from shared.contracts import person_id
from shared.contracts.people import ProgrammeChanged
from shared.persistence.outbox import OutboxRecord
from tests.integration.services.runs import working
from tests.support.instance import Who
from tests.support.platform import Platform
from tests.support.records import hr_event, said_by
from tests.support.waiting import eventually

RECORDED = "hr.person.recorded.v1"
TERMINATED = "hr.person.terminated.v1"

SURNAME = "Of-The-Story"
PROGRAMME, ELSEWHERE = "p-main", "p-else"
LEVELS = {
    "mentor-a": 6,
    "mentor-b": 6,
    "mentee-a": 2,
    "mentee-b": 2,
    "coordinator": 4,
    "outsider": 4,
    "stranger": 3,
}


def record(employee: str, **more: Any) -> dict[str, Any]:
    """What HR says of an employee."""
    return {
        "employee_id": employee,
        "given_name": f"Given-{employee}",
        "family_name": SURNAME,
        "email": f"{employee}@story.example",
        "department": "Engineering",
        "time_zone": "Europe/Berlin",
        "languages": ["en"],
        "job_level": LEVELS.get(employee, 3),
    } | more


class Story:
    """One tenant's story. People are called by the names that HR uses for them."""

    def __init__(
        self, platform: Platform, tenant: str, *, needless: Mapping[str, Any] = MappingProxyType({"shoe": 43})
    ) -> None:
        self.platform = platform
        self.tenant = tenant
        self.needless = needless
        """Fields that HR sends and nobody needs."""
        self.run = ""
        """A matching run that is ready; nobody has published it."""
        self.open_proposal = self.accepted_proposal = ""
        """Ids of the proposal that nobody has answered, and of the one that has led to the pair."""
        self.relationship = ""
        self.pair: tuple[str, str] = ("", "")
        """Names of mentor and mentee of the relationship."""
        self.session, self.request = "s-1", ""
        """A session that is booked; the request for feedback to the pair's mentee about an earlier one."""
        self.dead_letters: dict[str, str] = {}
        """By service, the id of an open dead letter."""

    def id(self, name: str) -> str:
        return person_id(self.tenant, name)

    def who(self, name: str, *roles: str) -> Who:
        """A person, as their token shows them."""
        return Who(self.id(name), self.tenant, roles)

    def system(self, role: str) -> Who:
        """A client with one role and no person behind it."""
        return Who(f"client-{role}", self.tenant, (role,))

    async def begin(self) -> None:
        """The tenant, its people with fields that nobody needs, and two programmes."""
        profiles, admin = self.platform["profiles"], self.system("admin")
        await profiles.ask(admin, "PUT", "/tenant", json={"name": "Story", "time_zone": "Europe/Berlin"})
        await self.platform.hear_hr(
            *(hr_event(self.tenant, RECORDED, record(name, **self.needless)) for name in LEVELS)
        )
        for programme, coordinator in ((PROGRAMME, "coordinator"), (ELSEWHERE, "outsider")):
            await profiles.ask(
                admin, "PUT", f"/programmes/{programme}",
                json={"name": programme, "coordinator_ids": [self.id(coordinator)]},
            )  # fmt: skip
        await self.platform.carry()

    async def enrol(self) -> None:
        """Two mentors with one place each, and two mentees."""
        profiles = self.platform["profiles"]
        for name in ("mentor-a", "mentor-b", "mentee-a", "mentee-b"):
            role = name.partition("-")[0]
            skills = {"skills_offered" if role == "mentor" else "skills_wanted": {"python": 4}}
            person = f"/people/{self.id(name)}/profile"
            await profiles.ask(self.who(name), "PUT", person, json={**skills, "goals": f"goals of {name}"})
            path = f"/programmes/{PROGRAMME}/enrolments/{role}/{self.id(name)}"
            await profiles.ask(self.who(name), "PUT", path, json={"consent_to_matching": True})
        await self.platform.carry()

    async def plan(self) -> None:
        """The coordinator has a run computed, looks at it, and leaves it."""
        matching, coordinator = self.platform["matching"], self.who("coordinator")
        async with working(matching):
            asked = await matching.ask(coordinator, "POST", f"/programmes/{PROGRAMME}/runs", json={})
            self.run = asked["run_id"]

            async def ready() -> bool:
                view = await matching.ask(coordinator, "GET", f"/runs/{self.run}")
                assert view["state"] != "failed", view
                return bool(view["state"] == "ready")

            await eventually(ready, what="the run's result")
        await self.platform.carry()

    async def propose(self) -> None:
        """A round finds a mentor for each."""
        matching = self.platform["matching"]
        await matching.ask(self.who("coordinator"), "POST", f"/programmes/{PROGRAMME}/rounds")
        await matching.fire_timers()
        await self.platform.carry()
        self.open_proposal = (await self._proposal("mentee-b"))["proposal_id"]

    async def accept(self) -> None:
        """One of the two proposals becomes a pair; the other stays open."""
        matching = self.platform["matching"]
        proposal = await self._proposal("mentee-a")
        mentor = next(n for n in ("mentor-a", "mentor-b") if self.id(n) == proposal["mentor_id"])
        self.pair = (mentor, "mentee-a")
        self.accepted_proposal = proposal["proposal_id"]
        for name in self.pair:
            await matching.ask(self.who(name), "POST", f"/proposals/{proposal['proposal_id']}/accept")
        await self.platform.carry()
        (relationship,) = (await matching.ask(self.who(mentor), "GET", "/me/relationships"))["items"]
        self.relationship = relationship["relationship_id"]

    async def meet(self) -> None:
        """The pair has met once, both are asked about it, the mentor has answered, and they meet again."""
        mentor, mentee = self.pair
        feedback = self.platform["feedback"]
        await self.book("s-0", timedelta(hours=1))
        await self.platform.pass_time(timedelta(hours=2))
        path = f"/relationships/{self.relationship}/sessions/s-0/complete"
        await feedback.ask(self.who(mentee), "POST", path)
        await self.platform.carry()
        await self.answer(mentor, audience="partner", ratings={"empathy": 4}, behaviour="listened")
        self.request = (await self._request(mentee))["feedback_request_id"]
        await self.book(self.session, timedelta(days=3))
        await self.platform.carry()

    async def refuse(self) -> None:
        """Each service is sent an event of a version that it does not know."""
        for service, known in (
            ("profiles", hr_event(self.tenant, RECORDED, record("mentor-a"))),
            *((name, self._programme()) for name in ("matching", "feedback", "notifications")),
        ):
            instance = self.platform[service]
            newer = re.sub(rb"\.v1\b", b".v9", known.payload or b"")
            headers = {"content-type": known.headers["content-type"]}
            await instance.handle(replace(known, payload=newer, headers=headers))
            page = await instance.ask(self.system("operator"), "GET", "/management/dead-letters")
            (letter,) = page["items"]
            assert letter["reason"] == "unknown_version"
            self.dead_letters[service] = letter["id"]

    def _programme(self) -> OutboxRecord:
        event = ProgrammeChanged(programme_id=PROGRAMME, name="Main")
        return said_by(self.tenant, event, version=9, now=datetime.now(UTC))

    async def book(self, session: str, ahead: timedelta) -> None:
        feedback = self.platform["feedback"]
        starts_at = (await feedback.now() + ahead).isoformat()
        path = f"/relationships/{self.relationship}/sessions/{session}"
        await feedback.ask(self.who(self.pair[0]), "PUT", path, json={"starts_at": starts_at, "minutes": 45})

    async def answer(self, name: str, **answer: Any) -> None:
        """Somebody answers the one request that waits for them."""
        identity = (await self._request(name))["feedback_request_id"]
        path = f"/feedback-requests/{identity}/answer"
        await self.platform["feedback"].ask(self.who(name), "PUT", path, json=answer)

    async def until_they_meet(self) -> None:
        """All chapters up to the second meeting, and a refused event for each service."""
        for chapter in (
            self.begin, self.enrol, self.plan, self.propose, self.accept, self.meet, self.refuse,
        ):  # fmt: skip
            await chapter()

    async def _proposal(self, name: str) -> Any:
        found = await self.platform["matching"].ask(
            self.who(name), "GET", "/me/proposals", params={"status": "open"}
        )
        (proposal,) = found["items"]
        return proposal

    async def _request(self, name: str) -> Any:
        found = await self.platform["feedback"].ask(
            self.who(name), "GET", "/me/feedback-requests", params={"status": "requested"}
        )
        (request,) = found["feedback_requests"]
        return request
