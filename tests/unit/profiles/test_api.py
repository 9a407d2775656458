"""Routes and their rules, over the handlers' memory store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from services.profiles import commands
from services.profiles.api import api
from services.profiles.domain.programmes import Programme
from shared.http.api import install_error_answers
from shared.http.auth import Caller, Unauthenticated
from tests.support.memory import MemoryUow
from tests.unit.profiles.support import ADA, TENANT, World, command, recorded

BOSS = "boss"


class Tokens:
    """A bearer token is ``subject role role ...``."""

    async def caller(self, authorization: str | None) -> Caller:
        if not authorization:
            raise Unauthenticated("a bearer token is needed")
        subject, *roles = authorization.removeprefix("Bearer ").split()
        return Caller(subject, TENANT, frozenset(roles))


class MemoryDatabase:
    def __init__(self, world: World) -> None:
        self.world = world

    @asynccontextmanager
    async def transaction(self, tenant: str, *, read_only: bool = False) -> AsyncIterator[MemoryUow]:
        async with self.world.uow() as uow:
            yield uow


@pytest.fixture
async def world() -> World:
    world = World()
    await world.hear(recorded(), 1)
    await command(world, commands.put_programme, Programme("p1", "Spring", coordinator_ids=[BOSS]))
    return world


@pytest.fixture
async def client(world: World) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.include_router(api.router)
    app.state.authenticator = Tokens()
    app.state.database = MemoryDatabase(world)
    install_error_answers(app)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://profiles") as client:
        yield client


async def ask(client: AsyncClient, method: str, path: str, who: str, body: Any = None) -> tuple[int, Any]:
    answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {who}"})
    return answer.status_code, answer.json()


ENROL = {"consent_to_matching": True}
SPRING = {"name": "Spring", "coordinator_ids": [BOSS]}
PLACE = f"/programmes/p1/enrolments/mentee/{ADA}"


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed", "refused"),
    [
        ("PUT", "/tenant", {"name": "Acme"}, ["root admin"], [ADA, BOSS, "sys hr", "op operator"]),
        ("GET", f"/people/{ADA}", None, [ADA, "sys hr"], [BOSS, "root admin", "op operator"]),
        ("PUT", f"/people/{ADA}/profile", {}, [ADA], [BOSS, "root admin", "sys hr"]),
        ("PUT", f"/people/{ADA}/consents/matching", {"granted": False}, [ADA], [BOSS, "root admin"]),
        ("PUT", "/programmes/p1", SPRING, [BOSS, "root admin"], [ADA, "sys hr"]),
        ("PUT", "/programmes/p2", SPRING, ["root admin"], [ADA, BOSS]),
        ("GET", "/programmes/p1", None, [ADA, BOSS, "root admin"], []),
        ("PUT", PLACE, ENROL, [ADA, BOSS], ["root admin", "other", "sys hr"]),
    ],
)
async def test_who_may(
    client: AsyncClient, method: str, path: str, body: Any, allowed: list[str], refused: list[str]
) -> None:
    for who in refused:
        status, problem = await ask(client, method, path, who, body)
        assert (status, problem["code"]) == (403, "forbidden"), who
    for who in allowed:
        status, _ = await ask(client, method, path, who, body)
        assert status == 200, who


@pytest.mark.parametrize(
    "path", ["/programmes/p1/enrolments", "/programmes/nothing/enrolments", "/hr/dropped-fields"]
)
async def test_lists_are_not_for_everybody(client: AsyncClient, path: str) -> None:
    assert (await ask(client, "GET", path, ADA))[0] == 403


async def test_nothing_without_a_token(client: AsyncClient) -> None:
    assert (await client.get("/programmes/p1")).status_code == 401


async def test_a_person_sees_themselves_and_no_date_of_leaving(client: AsyncClient) -> None:
    form = {"languages": ["fr"], "skills_offered": {"Go": 3}}
    await ask(client, "PUT", f"/people/{ADA}/profile", ADA, form)
    _, person = await ask(client, "GET", f"/people/{ADA}", ADA)
    assert [person[f"{name}languages"] for name in ("", "own_", "hr_")] == [["fr"], ["fr"], ["en", "de"]]
    assert (person["version"], person["skills_offered"]) == (2, {"Go": 3})
    assert "effective_on" not in person


async def test_enrol_and_withdraw(client: AsyncClient) -> None:
    _, enrolled = await ask(client, "PUT", PLACE, ADA, ENROL)
    assert (enrolled["status"], enrolled["version"]) == ("active", 1)
    for who in (BOSS, ADA):
        _, withdrawn = await ask(client, "DELETE", PLACE, who)
        assert withdrawn == enrolled | {"status": "withdrawn", "version": 2}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"/people/{ADA}/profile", {"skills_ofered": {}}),
        ("PUT", f"/people/{ADA}/profile", {"skills_offered": {"Go": 6}}),
        ("PUT", f"/people/{ADA}/profile", {"mentor_capacity": 51}),
        ("PUT", f"/people/{ADA}/profile", {"goals": "x" * 4001}),
        ("PUT", f"/people/{ADA}/consents/marketing", {"granted": True}),
        ("PUT", f"/programmes/p1/enrolments/boss/{ADA}", ENROL),
        ("PUT", PLACE, {}),
        ("PUT", PLACE, {"consent_to_matching": False}),
    ],
)
async def test_what_has_not_the_form_is_refused(
    client: AsyncClient, method: str, path: str, body: Any
) -> None:
    assert (await ask(client, method, path, ADA, body))[0] == 422


async def test_the_unknown(client: AsyncClient) -> None:
    assert (await ask(client, "GET", "/people/nobody", "sys hr"))[1]["code"] == "person_unknown"
    assert (await ask(client, "GET", "/programmes/p9", ADA))[1]["code"] == "programme_unknown"
    path = "/programmes/p1/enrolments/mentee/nobody"
    status, problem = await ask(client, "PUT", path, "nobody", ENROL)
    assert (status, problem["code"]) == (409, "not_yet_known")
