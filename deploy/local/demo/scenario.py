"""The story: an organisation becomes known, people enrol, pairs form, meet, give feedback, and some leave.

Every decision depends on the seed and on ids only, and is taken while the platform is at rest, so the
same story has the same business result whatever happens to the processes meanwhile.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from deploy.local.demo.people import People, Refused, all_at_once
from deploy.local.demo.quiet import Quiet
from deploy.local.demo.watch import Watch, chance
from deploy.local.hr.member import Organisation
from deploy.local.hr.publisher import HrPublisher
from deploy.local.requests import Effect, effect
from shared.contracts import derived_id, person_id
from shared.contracts.pairs import RelationshipEnded

PROGRAMME: Final = "career-mentoring"
ROUNDS: Final = 3
CYCLES: Final = 3
LAST_DAYS: Final = 15

Step = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class Ledger:
    """What the driver did and was told: the other side of every balance."""

    hr_events: int = 0
    unmapped_fields: int = 0
    terminated_now: list[str] = field(default_factory=list)
    terminated_later: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    enrolled_mentors: list[str] = field(default_factory=list)
    enrolled_mentees: list[str] = field(default_factory=list)
    sessions_booked: int = 0
    sessions_moved: int = 0
    sessions_cancelled: int = 0
    sessions_completed: int = 0
    answers: int = 0
    ended_by_people: int = 0
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def leavers(self) -> int:
        return len(self.terminated_now) + len(self.terminated_later) - len(self.cancelled)


class Scenario:
    """One run of the story."""

    def __init__(
        self,
        *,
        organisation: Organisation,
        tenant: str,
        seed: int,
        hr: HrPublisher,
        people: People,
        watch: Watch,
        quiet: Quiet,
        say: Callable[[str], None],
        count: Callable[[str, int, int], None],
        step: Step | None = None,
        rounds: int = ROUNDS,
        cycles: int = CYCLES,
        last_days: int = LAST_DAYS,
    ) -> None:
        self.rounds, self.cycles, self.last_days = rounds, cycles, last_days
        self.organisation, self.tenant, self.seed = organisation, tenant, seed
        self.hr, self.people, self.watch, self.quiet = hr, people, watch, quiet
        self._say, self._count, self._step = say, count, step
        self.ledger = Ledger()
        self.members = {person_id(tenant, member.employee_id): member for member in organisation.members}
        self.coordinator = next(iter(self.members))

    async def run(self) -> Ledger:
        """The whole story; afterwards everything is at rest."""
        await self._begin("HR makes the organisation known", self._make_known)
        await self._begin("people write their profiles and enrol", self._enrol)
        for number in range(1, self.rounds + 1):
            await self._begin(f"matching round {number}: proposals and answers", self._round)
        for cycle in range(1, self.cycles + 1):
            await self._begin(f"cycle {cycle}: pairs book sessions", lambda c=cycle: self._book(c))  # type: ignore[misc]
            if cycle > 1 or self.cycles == 1:
                await self._begin(f"cycle {cycle}: HR reports leavers", lambda c=cycle: self._leave(c))  # type: ignore[misc]
            await self._begin(f"cycle {cycle}: pairs meet and give feedback", lambda c=cycle: self._meet(c))  # type: ignore[misc]
            await self._begin(f"cycle {cycle}: rematching", self._round)
        await self._begin("pairs that reached their goal end well", self._end)
        await self._begin("the rest comes due", self._come_due)
        return self.ledger

    async def _begin(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        self._say(name)
        if self._step is not None:
            await self._step(name)
        await act()

    # HR

    async def _make_known(self) -> None:
        await self.people.call(
            "demo-admin",
            "PUT",
            "profiles",
            "/tenant",
            {"name": "Demonstration", "time_zone": "Europe/Berlin"},
            roles=("admin",),
        )
        members = self.organisation.members
        at = await self.quiet.now()
        await self.hr.record(
            members, at=at, progress=lambda done: self._count("HR records", done, len(members))
        )
        self.ledger.hr_events += len(members)
        self.ledger.unmapped_fields += sum(len(member.unmapped) for member in members)
        await self.people.call(
            "demo-admin",
            "PUT",
            "profiles",
            f"/programmes/{PROGRAMME}",
            {
                "name": "Career mentoring",
                "coordinator_ids": [self.coordinator],
                "matching_delay_minutes": 720,
                "proposal_days": 7,
                "minimum_level_gap": 1,
                "same_department_allowed": True,
                "session_reminder_hours": 24,
                "feedback_reminder_days": 3,
            },
            roles=("admin",),
            effect=effect("programme", PROGRAMME, active=True),
        )
        await self._rest()

    async def _leave(self, cycle: int) -> None:
        """A share of the leavers: most at once, a third with a date in the future, some of those cancelled."""
        now = await self.quiet.now()
        leavers = self._choose_leavers(cycle)
        for number, person in enumerate(leavers):
            employee = self.members[person].employee_id
            if number % 3 == 2:
                await self.hr.terminate(employee, now.date() + timedelta(days=12), at=now)
                self.ledger.terminated_later.append(person)
                self.ledger.hr_events += 1
                if number % 12 == 2:
                    await self.hr.cancel_termination(employee, at=now)
                    self.ledger.cancelled.append(person)
                    self.ledger.hr_events += 1
            else:
                await self.hr.terminate(employee, _long_over(now.date()), at=now)
                self.ledger.terminated_now.append(person)
                self.ledger.hr_events += 1
        await self._rest()

    def _choose_leavers(self, cycle: int) -> list[str]:
        """At most one of each pair (else it would be chance who left first), and a third from outside."""
        share = max(25, len(self.members) // 400)
        gone = {*self.ledger.terminated_now, *self.ledger.terminated_later, self.coordinator}
        chosen: list[str] = []
        involved: set[str] = set()
        pairs = [r for r in self.watch.states("relationship") if "ended_at" not in r]
        pairs.sort(key=lambda pair: chance(self.seed, "leaving pair", str(cycle), pair["relationship_id"]))
        for pair in pairs:
            if len(chosen) >= share * 2 // 3:
                break
            both = {pair["mentor_id"], pair["mentee_id"]}
            if both & (involved | gone):
                continue
            who = (
                "mentor_id" if chance(self.seed, "who leaves", pair["relationship_id"]) < 0.5 else "mentee_id"
            )
            chosen.append(pair[who])
            involved |= both | self._partners(pair[who])
        paired = {p for pair in pairs for p in (pair["mentor_id"], pair["mentee_id"])}
        others = sorted(
            set(self.members) - gone - paired,
            key=lambda person: chance(self.seed, "outside leaver", str(cycle), person),
        )
        return chosen + others[: share - len(chosen)]

    def _partners(self, person: str) -> set[str]:
        return {
            other
            for pair in self.watch.states("relationship")
            for other in (pair["mentor_id"], pair["mentee_id"])
            if person in (pair["mentor_id"], pair["mentee_id"])
        }

    # people

    async def _enrol(self) -> None:
        mentors, mentees = self._volunteers()
        work = [("mentor", person) for person in mentors] + [("mentee", person) for person in mentees]
        await all_at_once(work, self._enrol_one, done=lambda n: self._count("enrolments", n, len(work)))
        self.ledger.enrolled_mentors, self.ledger.enrolled_mentees = mentors, mentees
        await self._rest()

    def _volunteers(self) -> tuple[list[str], list[str]]:
        """Of those above the lower half of the levels, mentors; of the others, mentees; the seed decides who."""
        wanted = mentees_of(len(self.members))
        willing = sorted(self.members, key=lambda person: chance(self.seed, "volunteer", person))
        levels = sorted(member.job_level or 1 for member in self.members.values())
        middle = levels[len(levels) // 2]
        able = [
            p
            for p in willing
            if self._level(p) > middle or (self._level(p) == middle and chance(self.seed, "m", p) < 0.5)
        ]
        mentors = able[: max(1, int(wanted * 0.8))]
        taken = set(mentors)
        rest = sorted((p for p in willing if p not in taken), key=self._level)
        return sorted(mentors), sorted(rest[:wanted])

    def _level(self, person: str) -> int:
        return self.members[person].job_level or 1

    async def _enrol_one(self, work: tuple[str, str]) -> None:
        role, person = work
        await self.people.call(
            person, "PUT", "profiles", f"/people/{person}/profile", self._profile(role, person)
        )
        await self.people.call(
            person,
            "PUT",
            "profiles",
            f"/programmes/{PROGRAMME}/enrolments/{role}/{person}",
            {"consent_to_matching": True},
            effect=effect(
                "enrolment", derived_id("enrolment", PROGRAMME, person, role), role=role, status="active"
            ),
        )

    def _profile(self, role: str, person: str) -> dict[str, Any]:
        profile = self.members[person].profile()
        if role == "mentor":
            profile["mentor_capacity"] = max(2, int(profile["mentor_capacity"]))
        return profile

    async def _round(self) -> None:
        """Let the pending round run, then everybody answers: nearly all with yes."""
        await self._pass(timedelta(hours=13))
        proposals = self.watch.states("proposal", status="open")
        await all_at_once(proposals, self._answer, done=lambda n: self._count("proposals", n, len(proposals)))
        await self._rest()

    async def _answer(self, proposal: dict[str, Any]) -> None:
        identity = proposal["proposal_id"]
        luck = chance(self.seed, "answer", identity)
        path = f"/proposals/{identity}"
        if luck < 0.03:
            return  # nobody answers: it will expire
        if luck < 0.08:
            no = effect("proposal", identity, status="declined")
            await self._try(proposal["mentee_id"], "POST", "matching", f"{path}/decline", effect=no)
            return
        for who, yes in (
            ("mentee_id", effect("proposal", identity, mentee_accepted=True)),
            ("mentor_id", effect("proposal", identity, mentor_accepted=True)),
        ):
            await self._try(proposal[who], "POST", "matching", f"{path}/accept", effect=yes)

    async def _book(self, cycle: int) -> None:
        now = await self.quiet.now()
        pairs = self._active()

        async def book(pair: dict[str, Any]) -> None:
            identity = pair["relationship_id"]
            session = derived_id("demo-session", identity, str(cycle))
            path = f"/relationships/{identity}/sessions/{session}"
            starts = (now + timedelta(days=3, hours=int(chance(self.seed, "hour", session) * 8))).replace(
                minute=0, second=0, microsecond=0
            )
            body = {"starts_at": starts.isoformat(), "minutes": 60}

            def booked() -> Effect:
                return effect("session", session, status="booked", starts_at=body["starts_at"])

            if not await self._try(pair["mentee_id"], "PUT", "feedback", path, body, booked()):
                return
            self.ledger.sessions_booked += 1
            luck = chance(self.seed, "change of plan", session)
            if luck < 0.05:
                body["starts_at"] = (starts + timedelta(hours=1)).isoformat()
                if await self._try(pair["mentor_id"], "PUT", "feedback", path, body, booked()):
                    self.ledger.sessions_moved += 1
            elif luck < 0.08:
                off = effect("session", session, status="cancelled")
                if await self._try(pair["mentor_id"], "DELETE", "feedback", path, effect=off):
                    self.ledger.sessions_cancelled += 1

        await all_at_once(pairs, book, done=lambda n: self._count("bookings", n, len(pairs)))
        await self._rest()

    async def _meet(self, cycle: int) -> None:
        """Reminders come due, sessions take place, feedback is asked for and mostly given."""
        await self._pass(timedelta(days=2, hours=14))
        await self._pass(timedelta(days=1, hours=10))
        booked = self.watch.states("session", status="booked")

        async def complete(session: dict[str, Any]) -> None:
            path = f"/relationships/{session['relationship_id']}/sessions/{session['session_id']}/complete"
            who = "mentor_id" if chance(self.seed, "completes", session["session_id"]) < 0.5 else "mentee_id"
            met = effect("session", session["session_id"], status="completed")
            if await self._try(session[who], "POST", "feedback", path, effect=met):
                self.ledger.sessions_completed += 1

        await all_at_once(booked, complete, done=lambda n: self._count("sessions", n, len(booked)))
        await self._rest()
        asked = self.watch.states("feedback-request", status="requested")

        async def answer(request: dict[str, Any]) -> None:
            identity = request["feedback_request_id"]
            if chance(self.seed, "feedback", identity, str(cycle)) < 0.8:
                body = {
                    "ratings": {"communication": 4, "empathy": 5},
                    "behaviour": "You asked before you advised.",
                    "impact": "I found my own next step.",
                    "suggestion": "Let us agree on a goal next time.",
                    "audience": "partner",
                }
                given = effect("feedback-request", identity, status="submitted")
                path = f"/feedback-requests/{identity}/answer"
                if await self._try(request["author_id"], "PUT", "feedback", path, body, given):
                    self.ledger.answers += 1

        await all_at_once(asked, answer, done=lambda n: self._count("feedback", n, len(asked)))
        await self._pass(timedelta(days=4))

    async def _end(self) -> None:
        pairs = self._active()

        async def end(pair: dict[str, Any]) -> None:
            luck = chance(self.seed, "ends", pair["relationship_id"])
            if luck < 0.13:
                reason = "completed" if luck < 0.1 else "no-fault"
                path = f"/relationships/{pair['relationship_id']}/end"
                over = effect(
                    "relationship", pair["relationship_id"], type=RelationshipEnded.TYPE, reason=reason
                )
                if await self._try(pair["mentee_id"], "POST", "matching", path, {"reason": reason}, over):
                    self.ledger.ended_by_people += 1

        await all_at_once(pairs, end, done=lambda n: self._count("pairs", n, len(pairs)))
        await self._rest()

    async def _come_due(self) -> None:
        """What depends on each other comes due in separate leaps: within one, chance decides what fires first.

        First the rounds for those who wait since the last step, then the announced last days, the rounds that
        follow from them, and then the proposals that nobody has answered, and what remains.
        """
        rounds = timedelta(hours=13)
        for delta in (rounds, timedelta(days=5), rounds, timedelta(days=self.last_days)):
            await self._pass(delta)

    def _active(self) -> list[dict[str, Any]]:
        return [pair for pair in self.watch.states("relationship") if "ended_at" not in pair]

    # common

    async def _try(
        self,
        person: str,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        effect: Effect | None = None,
    ) -> bool:
        """Act as *person*; a refusal is counted, because people may be too late."""
        try:
            await self.people.call(person, method, service, path, body, effect=effect)
        except Refused as refusal:
            self.ledger.refusals[refusal.code] = self.ledger.refusals.get(refusal.code, 0) + 1
            return False
        return True

    async def _rest(self) -> None:
        await self.quiet.wait(lambda moving: self._say(f"  waiting: {moving}"))

    async def _pass(self, delta: timedelta) -> None:
        await self.quiet.let_pass(delta, lambda moving: self._say(f"  waiting: {moving}"))


def mentees_of(people: int) -> int:
    """How many enrol as mentees: about a quarter of 1,500 people, one in 200 of those beyond."""
    return int(min(people, 1500) * 0.24 + max(0, people - 1500) * 0.005)


def _long_over(today: date) -> date:
    """A last day that has ended in every time zone."""
    return today - timedelta(days=2)
