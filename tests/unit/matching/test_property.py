"""Whatever people do in whatever order: places are never exceeded and every count equals its rows."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching import commands
from services.matching.domain.pairs import EndReason
from services.matching.store import PROPOSAL, RELATIONSHIP
from shared.contracts.people import PersonErased
from shared.errors import Conflict
from tests.unit.matching.support import World, enrolment, memory, person, programme

MENTEES = ("a1", "a2", "a3", "a4")
MENTORS = {"m1": 1, "m2": 2}
EVERYBODY = (*MENTEES, *MENTORS)

actions = st.one_of(
    st.tuples(st.just("accept"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("accept both"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("decline"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("end"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 60 * 24 * 8]), st.booleans()),
    st.tuples(st.sampled_from(["leave", "return", "withdraw", "enrol", "erase", "capacity", "consent"]),
              st.integers(0, len(EVERYBODY) - 1), st.booleans()),
)  # fmt: skip


class Life:
    """What the actions mean."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spells = dict.fromkeys(EVERYBODY, 1)
        self.here = dict.fromkeys(EVERYBODY, True)
        self.capacity = dict(MENTORS)
        self.consent = dict.fromkeys(EVERYBODY, True)

    async def begin(self) -> None:
        await self.world.hear(programme(), programme("autumn"))
        for name in EVERYBODY:
            await self.tell(name)
            await self.enrol(name, "active")

    async def tell(self, name: str) -> None:
        await self.world.hear(
            person(
                name,
                level=6 if name in MENTORS else 3,
                capacity=self.capacity.get(name, 1),
                status="active" if self.here[name] else "left",
                spell=self.spells[name],
                matching_consent=self.consent[name],
            )
        )

    async def enrol(self, name: str, status: str) -> None:
        role = "mentor" if name in MENTORS else "mentee"
        await self.world.hear(enrolment(name, role, status))
        if name in (*MENTORS, "a1"):
            await self.world.hear(enrolment(name, role, status, "autumn"))

    async def act(self, what: str, number: int, flag: bool) -> None:
        name = EVERYBODY[number % len(EVERYBODY)]
        match what:
            case "wait":
                await self.world.wait(minutes=number)
            case "leave":
                self.here[name] = False
                await self.tell(name)
                if flag:
                    await self.enrol(name, "withdrawn")
            case "return":
                self.spells[name] += 1
                self.here[name] = True
                await self.tell(name)
            case "withdraw" | "enrol":
                await self.enrol(name, "withdrawn" if what == "withdraw" else "active")
            case "erase":
                self.here[name] = False
                await self.world.hear(PersonErased(person_id=name))
            case "capacity" if name in MENTORS:
                self.capacity[name] = 3 if flag else 1
                await self.tell(name)
            case "consent":
                self.consent[name] = flag
                await self.tell(name)
            case _:
                await self.answer(what, number, flag)

    async def answer(self, what: str, number: int, flag: bool) -> None:
        rows = self.world.store.all(RELATIONSHIP if what == "end" else PROPOSAL)
        if not rows or what not in ("accept", "accept both", "decline", "end"):
            return
        row = rows[number % len(rows)]
        who = row.mentor_id if flag else row.mentee_id
        try:
            if what == "end":
                reason = EndReason.COMPLETED if flag else EndReason.NO_FAULT
                await self.world.do(commands.end_pair, row.relationship_id, reason)
            elif what == "decline":
                await self.world.do(commands.decline_proposal, row.proposal_id, who)
            else:
                await self.world.do(commands.accept_proposal, row.proposal_id, who)
                if what == "accept both":
                    other = row.mentee_id if flag else row.mentor_id
                    await self.world.do(commands.accept_proposal, row.proposal_id, other)
        except Conflict:
            return


class LifeOfPeers(Life):
    """The same people are peers in one programme; in the other there are mentors among them and mentees."""

    async def begin(self) -> None:
        await self.world.hear(programme(matching={"form": "peer", "rules": {"peer_level_gap": None}}))
        await self.world.hear(programme("autumn"))
        for name in EVERYBODY:
            await self.tell(name)
            await self.enrol(name, "active")

    async def enrol(self, name: str, status: str) -> None:
        await self.world.hear(enrolment(name, "mentee", status))
        if name in (*MENTORS, "a1", "a2"):
            role = "mentor" if name in MENTORS else "mentee"
            await self.world.hear(enrolment(name, role, status, "autumn"))


@pytest.mark.parametrize("kind", [Life, LifeOfPeers])
@given(life=st.lists(actions, max_size=25))
@settings(max_examples=200, deadline=None)
def test_any_life_keeps_the_invariants(kind: type[Life], life: list[tuple[str, int, bool]]) -> None:
    async def live() -> None:
        with memory(World()) as world:
            alive = kind(world)
            await alive.begin()
            await world.wait(minutes=2)
            for action in life:
                await alive.act(*action)
                world.check()

    asyncio.run(live())
