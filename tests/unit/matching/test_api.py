"""Routes and their rules, over the handlers' memory store."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from services.matching import store as sql
from services.matching.api import api
from services.matching.domain.mentees import Mentee
from services.matching.domain.pairs import Proposal, ProposalStatus, Relationship
from services.matching.pairs import relationship_id_of
from services.matching.store import MENTEE
from services.matching.waking import ROUND
from shared.http.api import install_error_answers
from shared.http.auth import Caller, Unauthenticated
from shared.persistence.uow import Uow
from tests.support.memory import MemoryUow
from tests.unit.matching.support import SPRING, World, enrolment, person, programme


class Tokens:
    """A bearer token is the subject."""

    async def caller(self, authorization: str | None) -> Caller:
        if not authorization:
            raise Unauthenticated("a bearer token is needed")
        return Caller(authorization.removeprefix("Bearer "), "acme", frozenset())


class MemoryDatabase:
    def __init__(self, world: World) -> None:
        self.world = world

    @asynccontextmanager
    async def transaction(self, tenant: str, *, read_only: bool = False) -> AsyncIterator[MemoryUow]:
        async with self.world.uow() as uow:
            yield uow


@pytest.fixture
async def client(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncClient]:
    async def proposals_of(
        uow: Uow, person_id: str, status: ProposalStatus | None, limit: int
    ) -> Sequence[Proposal]:
        return [each for each in world.proposals(status) if person_id in (each.mentor_id, each.mentee_id)]

    async def relationships_of(uow: Uow, person_id: str, limit: int) -> Sequence[Relationship]:
        return [world.relationship()]

    async def waiting(
        uow: Uow, programme_id: str, after: tuple[date, str] | None, limit: int
    ) -> Sequence[Mentee]:
        rows = [each for each in world.store.all(MENTEE) if each.waits]
        return [each for each in rows if after is None or (each.since, each.person_id) > after][:limit]

    monkeypatch.setattr(sql, "proposals_of", proposals_of)
    monkeypatch.setattr(sql, "relationships_of", relationships_of)
    monkeypatch.setattr(sql, "waiting", waiting)
    await world.hear(programme(), person("max", level=6), enrolment("max", "mentor"))
    for name in ("ann", "bob", "cid"):
        await world.hear(person(name), enrolment(name, "mentee"))
    await world.wait(minutes=1)
    app = FastAPI()
    app.include_router(api.router)
    app.state.authenticator = Tokens()
    app.state.database = MemoryDatabase(world)
    install_error_answers(app)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://matching") as client:
        yield client


def by(subject: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {subject}"}


async def test_the_two_answer_and_are_a_pair(world: World, client: AsyncClient) -> None:
    (proposal,) = world.proposals()
    path = f"/proposals/{proposal.proposal_id}"
    mine = (await client.get("/me/proposals?status=open", headers=by("max"))).json()["items"]
    assert [each["proposal_id"] for each in mine] == [proposal.proposal_id]
    assert (await client.get(path, headers=by("boss"))).json()["status"] == "open"
    assert (await client.post(f"{path}/accept", headers=by("max"))).json()["mentor_accepted"] is True
    answer = await client.post(f"{path}/accept", headers=by(proposal.mentee_id))
    assert answer.json()["status"] == "accepted"

    pair = f"/relationships/{relationship_id_of(proposal.proposal_id)}"
    assert (await client.get(pair, headers=by("max"))).json()["status"] == "active"
    assert len((await client.get("/me/relationships", headers=by("max"))).json()["items"]) == 1
    assert (await client.post(f"{pair}/end", json={"reason": "left"}, headers=by("max"))).status_code == 422
    ended = await client.post(f"{pair}/end", json={"reason": "no-fault"}, headers=by("boss"))
    assert ended.json()["requeue"] == "queued"
    assert "leaver_ids" not in ended.json()
    again = await client.post(f"{path}/decline", headers=by("max"))
    assert (again.status_code, again.json()["code"]) == (409, "proposal_closed")


async def test_the_two_read_no_points(world: World, client: AsyncClient) -> None:
    """A choice of the partner's is worth 15,000: who knows the points of the factors would find it in the sum."""
    (proposal,) = world.proposals()
    path = f"/proposals/{proposal.proposal_id}"
    assert (await client.get(path, headers=by("boss"))).json()["score"] == proposal.score > 0
    for who in (proposal.mentor_id, proposal.mentee_id):
        (mine,) = (await client.get("/me/proposals", headers=by(who))).json()["items"]
        seen = [mine, (await client.get(path, headers=by(who))).json()]
        seen.append((await client.post(f"{path}/accept", headers=by(who))).json())
        assert [(each["score"], bool(each["reasons"])) for each in seen] == [(None, True)] * 3


async def test_nobody_else_may(world: World, client: AsyncClient) -> None:
    (proposal,) = world.proposals()
    path = f"/proposals/{proposal.proposal_id}"
    stranger = next(name for name in ("ann", "bob", "cid") if name != proposal.mentee_id)
    for method, route, who in [
        ("GET", path, stranger), ("POST", f"{path}/accept", "boss"), ("POST", f"{path}/decline", stranger),
        ("GET", f"/programmes/{SPRING}/waiting", "max"), ("POST", f"/programmes/{SPRING}/rounds", "max"),
    ]:  # fmt: skip
        assert (await client.request(method, route, headers=by(who))).status_code == 403, route
    assert (await client.get("/me/proposals")).status_code == 401


async def test_what_is_not_heard_of_is_not_yet_known(client: AsyncClient) -> None:
    for method, route in [
        ("POST", "/proposals/none/accept"), ("GET", "/relationships/none"), ("GET", "/programmes/none/waiting"),
    ]:  # fmt: skip
        answer = await client.request(method, route, headers=by("max"))
        assert (answer.status_code, answer.json()["code"]) == (409, "not_yet_known")
        assert answer.headers["retry-after"] == "1"


async def test_a_coordinator_sees_who_waits_and_starts_a_round(world: World, client: AsyncClient) -> None:
    route = f"/programmes/{SPRING}/waiting"
    page = (await client.get(route, params={"limit": 1}, headers=by("boss"))).json()
    rest = (await client.get(route, params={"after": page["next"]}, headers=by("boss"))).json()
    assert [each["found"] for each in page["items"] + rest["items"]] == ["all-full", "all-full"]
    assert (len(rest["items"]), rest["next"]) == (1, None)
    wrong = await client.get(route, params={"after": "yesterday"}, headers=by("boss"))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_page")

    answer = await client.post(f"/programmes/{SPRING}/rounds", headers=by("boss"))
    assert answer.status_code == 202
    assert world.store.timers[ROUND, SPRING].due == world.now
