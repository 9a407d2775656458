"""A small programme on real processes, with one person in the middle of everything."""

from datetime import timedelta
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaProducer

from deploy.local.stack import LocalStack
from shared.contracts import SERVICES, person_id
from shared.persistence.outbox import OutboxRecord
from tests.e2e.looking import PERSONAL, rows
from tests.support.records import hr_event
from tests.support.waiting import eventually

TENANT, PROGRAMME = "acme", "p-main"
RECORDED = "hr.person.recorded.v1"
ZQ, MENTOR, MENTEE, COORDINATOR = PERSONAL["employee number"], "E-mentor", "E-mentee", "E-coordinator"


def record_of(employee: str, level: int, **more: Any) -> dict[str, Any]:
    return {
        "employee_id": employee,
        "given_name": f"Given-{employee}",
        "family_name": "Other",
        "email": f"{employee.lower()}@other.example",
        "department": "Engineering",
        "time_zone": "UTC",
        "languages": ["en"],
        "job_level": level,
    } | more


ZQ_RECORD: Final = record_of(
    ZQ, 4, given_name=PERSONAL["given name"], family_name=PERSONAL["family name"], email=PERSONAL["address"],
    hired_on="2020-01-01",
)  # fmt: skip


class Job:
    """A small programme on real processes: what people do there by HTTP, and HR by Kafka."""

    def __init__(self, stack: LocalStack, http: httpx.AsyncClient) -> None:
        self.stack, self._http = stack, http
        self.relationship = self.open_proposal = ""

    async def ask(self, service: str, who: str, method: str, path: str, *roles: str, **options: Any) -> Any:
        """The JSON answer; ``not_yet_known`` is asked again, as a client should."""
        token = self.stack.token(who if roles else person_id(TENANT, who), TENANT, roles)
        headers = {"authorization": f"Bearer {token}"}
        url = self.stack.url(service) + path

        async def answered() -> httpx.Response | None:
            answer = await self._http.request(method, url, headers=headers, **options)
            waits = answer.status_code == 409 and answer.json()["code"] == "not_yet_known"
            return None if waits else answer

        answer = await eventually(answered, seconds=60, what=f"{method} {path}")
        assert answer is not None
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()

    async def publish(self, *rows: OutboxRecord) -> None:
        async with AIOKafkaProducer(**self.stack.kafka.client_options(), acks="all") as producer:
            for row in rows:
                headers = [(name, value.encode()) for name, value in row.headers.items()]
                await producer.send_and_wait(
                    f"mentoring.{row.topic}", row.payload, row.key.encode(), headers=headers
                )

    async def begin(self) -> None:
        """People, a programme, enrolments; one pair, and one proposal that nobody has answered."""
        await self.ask("profiles", "cli", "PUT", "/tenant", "admin", json={"name": "Acme"})
        await self.publish(
            hr_event(TENANT, RECORDED, ZQ_RECORD),
            hr_event(TENANT, RECORDED, record_of(MENTOR, 6)),
            hr_event(TENANT, RECORDED, record_of(MENTEE, 2)),
            hr_event(TENANT, RECORDED, record_of(COORDINATOR, 5)),
            # One that is refused, with everything in it, for the dead letters.
            hr_event(TENANT, RECORDED, ZQ_RECORD | {"time_zone": "Nowhere/None"}, sequence=2),
        )
        form = {"name": "Main", "coordinator_ids": [person_id(TENANT, COORDINATOR)]}
        await self.ask("profiles", "cli", "PUT", f"/programmes/{PROGRAMME}", "admin", json=form)
        skill = PERSONAL["skill in own wording"]
        for name, role, profile in (
            (ZQ, "mentee", {"skills_wanted": {skill: 5}, "skills_offered": {"chess": 5},
                            "goals": PERSONAL["goals"]}),
            (ZQ, "mentor", None),
            (MENTOR, "mentor", {"skills_offered": {skill.lower(): 5}}),
            (MENTEE, "mentee", {"skills_wanted": {"chess": 5}}),
        ):  # fmt: skip
            identity = person_id(TENANT, name)
            if profile is not None:
                await self.ask("profiles", name, "PUT", f"/people/{identity}/profile", json=profile)
            path = f"/programmes/{PROGRAMME}/enrolments/{role}/{identity}"
            await self.ask("profiles", name, "PUT", path, json={"consent_to_matching": True})
        path = f"/programmes/{PROGRAMME}/enrolments/{{}}/{{}}/wishes"
        wishes = {"preferences": [PERSONAL["wish"]], "choices": [person_id(TENANT, MENTOR)]}
        named = {"choices": [person_id(TENANT, ZQ)]}
        await self.ask("profiles", ZQ, "PUT", path.format("mentee", person_id(TENANT, ZQ)), json=wishes)
        await self.ask(
            "profiles", MENTOR, "PUT", path.format("mentor", person_id(TENANT, MENTOR)), json=named
        )
        await self.quiet()
        await self.ask("matching", COORDINATOR, "POST", f"/programmes/{PROGRAMME}/rounds")
        await eventually(self._proposed, seconds=120, what="proposals")
        for name in (ZQ, MENTOR):
            await self.ask("matching", name, "POST", f"/proposals/{self._pair_proposal}/accept")
        (pair,) = (await self.ask("matching", ZQ, "GET", "/me/relationships"))["items"]
        self.relationship = pair["relationship_id"]

    async def _proposed(self) -> bool:
        found = (await self.ask("matching", ZQ, "GET", "/me/proposals", params={"status": "open"}))["items"]
        me = person_id(TENANT, ZQ)
        as_mentee = [each for each in found if each["mentee_id"] == me]
        as_mentor = [each for each in found if each["mentor_id"] == me]
        if not (as_mentee and as_mentor):
            return False
        assert PERSONAL["skill in own wording"] in str(as_mentee[0]["reasons"])
        self._pair_proposal, self.open_proposal = as_mentee[0]["proposal_id"], as_mentor[0]["proposal_id"]
        return True

    async def meet(self) -> None:
        """Two sessions held, one of them answered by both; one to come, whose mails cannot be sent now."""
        for session in ("s-0", "s-1"):
            await self.book(session, timedelta(hours=1))
        await self.quiet()
        await self.stack.clock.advance(timedelta(hours=2))
        for session in ("s-0", "s-1"):
            path = f"/relationships/{self.relationship}/sessions/{session}/complete"
            await self.ask("feedback", MENTOR, "POST", path)
        await self.quiet()
        for name, words in ((ZQ, PERSONAL["words by"]), (MENTOR, PERSONAL["words about"])):
            found = await self.ask("feedback", name, "GET", "/me/feedback-requests")
            identity = next(r for r in found["feedback_requests"] if r["session_id"] == "s-0")[
                "feedback_request_id"
            ]
            answer = {"audience": "partner", "ratings": {"empathy": 5}, "behaviour": words}
            await self.ask("feedback", name, "PUT", f"/feedback-requests/{identity}/answer", json=answer)
        await self.quiet()
        await eventually(self.mail_is_out, seconds=180, what="mails sent")
        self.stack.mail.behave("refuse")
        await self.book("s-2", timedelta(days=3))
        await self.quiet()

    async def book(self, session: str, ahead: timedelta) -> None:
        starts_at = (await self.stack.clock.now() + ahead).isoformat()
        path = f"/relationships/{self.relationship}/sessions/{session}"
        await self.ask("feedback", MENTOR, "PUT", path, json={"starts_at": starts_at, "minutes": 30})

    async def mail_is_out(self) -> bool:
        states = await rows(self.stack, "notifications", "SELECT DISTINCT state FROM notification")
        return {state for (state,) in states} <= {"sent", "suppressed"}

    async def quiet(self) -> None:
        """Nothing is under way: outboxes empty, no due timer, every consumer at the end of its topics."""

        async def still() -> bool:
            first = await self._said()
            for service in SERVICES:
                status = await self.ask(service, "cli", "GET", "/management/status", "operator")
                busy = status["outbox_pending"] or status["timers_due"]
                if busy or any(consumer["behind"] for consumer in status["consumers"]):
                    return False
            return first == await self._said()

        await eventually(still, seconds=180, every=0.2, what="quiet")

    async def _said(self) -> list[Any]:
        return [await rows(self.stack, name, "SELECT count(*) FROM outbox_ledger") for name in SERVICES]

    def mails_to(self, address: str) -> int:
        return sum(address in mail.recipients for mail in self.stack.mail.messages())
