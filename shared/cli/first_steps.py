"""The steps of ``mentoring init``, each of which can be repeated without a second effect."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError

from shared.cli.client import ServiceProblem, Services
from shared.cli.kafka import lags, send, sentences
from shared.cli.output import fail
from shared.cli.target import Target
from shared.contracts import person_id
from shared.contracts.envelope import CONTENT_TYPE, validate_event
from shared.contracts.hr import PersonRecorded
from shared.contracts.people import ProgrammeChanged

_SOURCE = "urn:mentoring:init"
_LONG_AGO = "2000-01-01T00:00:00Z"
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Wish:
    """What there shall be."""

    tenant: str
    name: str
    time_zone: str
    coordinator: str
    given_name: str
    family_name: str
    email: str | None
    programme: str
    programme_name: str

    @property
    def person_id(self) -> str:
        return person_id(self.tenant, self.coordinator)

    def event(self) -> bytes:
        """HR's record of the coordinator: the lowest sequence, so that whatever HR says is newer.

        Its id follows from its content, and no part of it from the clock: said again it is a duplicate, and
        said otherwise it is another event and not a stolen id.
        """
        document: dict[str, Any] = {
            "specversion": "1.0",
            "source": _SOURCE,
            "type": PersonRecorded.TYPE,
            "subject": self.coordinator,
            "time": _LONG_AGO,
            "sequence": "0",
            "tenant": self.tenant,
            "data": {
                "employee_id": self.coordinator,
                "given_name": self.given_name,
                "family_name": self.family_name,
                "email": self.email or f"{self.coordinator}@{self.tenant}.invalid",
                "department": "Programme office",
                "time_zone": self.time_zone,
            },
        }
        digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
        return json.dumps({"id": f"init-{digest[:32]}", **document}).encode()

    def problems(self) -> list[str]:
        """What is wrong with the wish, as sentences."""
        problems = validate_event(self.event())
        try:
            ProgrammeChanged(programme_id=self.programme, name=self.programme_name)
        except ValueError:
            problems.append(
                "The programme needs an id of letters, digits and . _ : - and a name of at most 200."
            )
        return problems


class FirstSteps:
    """One run of ``init``."""

    def __init__(
        self, target: Target, services: Services, wish: Wish, seconds: float, say: Callable[[str], None]
    ) -> None:
        self._target, self._services, self._wish, self._say = target, services, wish, say
        self._deadline = time.monotonic() + seconds

    @classmethod
    async def take(
        cls, target: Target, wish: Wish, seconds: float, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Take all steps; what each of them found or did."""
        async with Services(target, "admin", "hr", "operator") as services:
            steps = cls(target, services, wish, seconds, say)
            try:
                return {
                    "tenant": await steps._tenant(),
                    "coordinator": await steps._coordinator(),
                    "programme": await steps._programme(),
                    "heard_by": await steps._heard(),
                }
            except ServiceProblem as problem:
                fail(str(problem))

    async def _tenant(self) -> dict[str, Any]:
        form = {"name": self._wish.name, "time_zone": self._wish.time_zone}
        answer: dict[str, Any] = await self._services.ask("profiles", "PUT", "/tenant", json=form)
        self._say(f"Organisation {answer['tenant']} ({answer['name']}, {answer['time_zone']}) is set up.")
        return answer

    async def _coordinator(self) -> dict[str, Any]:
        wish = self._wish
        known = await self._person()
        if not known:
            settings = self._target.kafka()
            headers = [("content-type", CONTENT_TYPE.encode())]
            with sentences(settings):
                record = (PersonRecorded.TOPIC, wish.coordinator, wish.event())
                async for _ in send(settings, [record], headers):
                    pass
            problem = (
                "profiles has not recorded the coordinator: see `mentoring dlq list --service profiles`."
            )
            await self._until(self._person, problem)
        state = "known already" if known else "recorded"
        self._say(f"Coordinator {wish.coordinator} is {state} (person id {wish.person_id}).")
        return {"employee_id": wish.coordinator, "person_id": wish.person_id, "state": state}

    async def _person(self) -> bool:
        try:
            await self._services.ask("profiles", "GET", f"/people/{self._wish.person_id}")
        except ServiceProblem as problem:
            if problem.code != "person_unknown":
                raise
            return False
        return True

    async def _programme(self) -> dict[str, Any]:
        """Make it; or, if it is there, keep its configuration and see that it has the coordinator."""
        wish, path = self._wish, f"/programmes/{self._wish.programme}"
        try:
            present = await self._services.ask("profiles", "GET", path)
        except ServiceProblem as problem:
            if problem.code != "programme_unknown":
                raise
            form: dict[str, Any] = {"name": wish.programme_name, "coordinator_ids": [wish.person_id]}
            state = "made"
        else:
            form = {name: value for name, value in present.items() if name not in ("programme_id", "version")}
            state = "there already"
            if wish.person_id not in form["coordinator_ids"]:
                form["coordinator_ids"] = [*form["coordinator_ids"], wish.person_id]
                state = "given its coordinator"
        if state != "there already":
            await self._services.ask("profiles", "PUT", path, json=form)
        self._say(f"Programme {wish.programme} is {state}.")
        return {"programme_id": wish.programme, "state": state}

    async def _heard(self) -> list[str]:
        """Wait until profiles has sent what it has to say, and everybody else has read it."""
        readers = [service for service in self._target.services if await self._reads_programmes(service)]

        async def sent() -> bool:
            status = await self._services.ask("profiles", "GET", "/management/status")
            return bool(status["outbox_pending"] == 0)

        await self._until(sent, "profiles cannot send its events: see `mentoring status`.")
        settings = self._target.kafka()

        async def read() -> bool:
            try:
                behind = await lags(settings, readers)
            except KafkaError:
                return False
            return all(behind[service].get(ProgrammeChanged.TOPIC) == 0 for service in readers)

        await self._until(read, f"Not all of {', '.join(readers)} have read it: see `mentoring status`.")
        if readers:
            self._say(f"{', '.join(readers)} have heard of it.")
        return readers

    async def _reads_programmes(self, service: str) -> bool:
        status = await self._services.ask(service, "GET", "/management/status")
        return any(consumer["topic"] == ProgrammeChanged.TOPIC for consumer in status["consumers"])

    async def _until(self, condition: Callable[[], Awaitable[bool]], problem: str) -> None:
        while not await condition():
            if time.monotonic() > self._deadline:
                fail(problem)
            await asyncio.sleep(_POLL_SECONDS)
