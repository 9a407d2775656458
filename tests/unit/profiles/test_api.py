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
from shared.contracts import person_id
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
BEN = person_id(TENANT, "E2")
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
        ("PUT", "/programmes/p1/matching", {}, [BOSS, "root admin"], [ADA, "sys hr"]),
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


async def test_wishes_are_told_and_read_by_the_person_alone(client: AsyncClient, world: World) -> None:
    await world.hear(recorded("E2"), 1)
    await ask(client, "PUT", PLACE, ADA, ENROL)
    form = {"avoid": [BEN], "choices": [], "preferences": ["a sailor"], "paused": False}
    for who in (BOSS, "root admin", "sys hr", "officer privacy", BEN):
        assert (await ask(client, "PUT", f"{PLACE}/wishes", who, form))[0] == 403
        assert (await ask(client, "GET", f"{PLACE}/wishes", who))[0] == 403
    assert await ask(client, "PUT", f"{PLACE}/wishes", ADA, form) == (200, {**form, "version": 2})
    assert await ask(client, "GET", f"{PLACE}/wishes", ADA) == (200, {**form, "version": 2})
    _, again = await ask(client, "PUT", PLACE, BOSS, ENROL)
    _, withdrawn = await ask(client, "DELETE", PLACE, BOSS)
    for seen in (again, withdrawn):
        assert seen.keys().isdisjoint(form.keys() - {"paused"})
        assert BEN not in str(seen)
        assert "sailor" not in str(seen)


async def test_an_avoid_list_is_exported_to_its_person_only(client: AsyncClient, world: World) -> None:
    await world.hear(recorded("E2"), 1)
    await ask(client, "PUT", PLACE, ADA, ENROL)
    await ask(client, "PUT", f"{PLACE}/wishes", ADA, {"avoid": [BEN], "preferences": ["a sailor"]})
    _, own = await ask(client, "GET", f"/people/{ADA}/export", ADA)
    (mine,) = own["tables"]["enrolment"]
    assert (mine["avoid"], mine["preferences"]) == ([BEN], ["a sailor"])
    _, officers = await ask(client, "GET", f"/people/{ADA}/export", "officer privacy")
    assert BEN not in str(officers)
    assert "enrolment.avoid: only the person" in str(officers["withheld"])
    for who in (BEN, "officer privacy"):
        _, named = await ask(client, "GET", f"/people/{BEN}/export", who)
        assert ADA not in str(named)


async def test_a_programmes_matching_is_configured_and_shown(client: AsyncClient) -> None:
    path = "/programmes/p1/matching"
    form = {"rounds": "supervised", "objective": "value", "weights": {"skill": 900}}
    _, made = await ask(client, "PUT", path, BOSS, form)
    assert (made["rounds"], made["configuration_version"], made["weights"]["skill"]) == ("supervised", 2, 900)
    assert (made["objective"], made["tolerance"], made["rules"]["common_language"]) == ("value", None, None)
    assert await ask(client, "GET", path, ADA) == (200, made)


async def test_a_programme_matches_in_groups_or_at_once(client: AsyncClient) -> None:
    path, group = (
        "/programmes/p1/matching",
        {"form": "group", "group_size": 5, "weights": {"coherence": 2_000}},
    )
    status, made = await ask(client, "PUT", path, BOSS, group)
    assert (status, made["form"], made["group_size"], made["weights"]["coherence"]) == (
        200,
        "group",
        5,
        2_000,
    )
    status, made = await ask(client, "PUT", path, BOSS, {"at_once": True, "method": "mentee-proposing"})
    assert (status, made["at_once"], made["method"], made["form"]) == (200, True, "mentee-proposing", None)


async def test_who_knows_nothing_of_matching_changes_nothing_of_it(client: AsyncClient) -> None:
    """Clients read a programme, change something and write it back; those from before do so, too."""
    path = "/programmes/p1/matching"
    _, made = await ask(client, "PUT", path, BOSS, {"rounds": "supervised", "objective": "value"})
    _, seen = await ask(client, "GET", "/programmes/p1", BOSS)
    form = {name: value for name, value in seen.items() if name not in ("programme_id", "version")}
    status, changed = await ask(client, "PUT", "/programmes/p1", BOSS, form | {"name": "Summer"})
    assert (status, changed) == (200, seen | {"name": "Summer", "version": 3})
    assert await ask(client, "GET", path, ADA) == (200, made)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"weights": {"skill": -1}}, "invalid"),
        ({"weights": {"skills": 1}}, "invalid"),
        ({"rules": {"no_such_rule": True}}, "invalid"),
        ({"weighs": {}}, "invalid"),
        ({"tolerance": "NaN"}, "invalid"),
        ({"rounds": "never"}, "invalid"),
        ({"rules": {"maximum_level_gap": 0}}, "matching_contradictory"),
        ({"weights": {"experience_best": [3, 1]}}, "matching_contradictory"),
        ({"form": "group", "smallest_group": 9}, "matching_contradictory"),
        ({"form": "peer", "at_once": True}, "matching_contradictory"),
        ({"form": "flash"}, "form_not_offered"),
        ({"form": "chain"}, "invalid"),
    ],
)
async def test_a_matching_that_cannot_be_is_refused(
    client: AsyncClient, world: World, form: Any, code: str
) -> None:
    said = len(world.said)
    status, problem = await ask(client, "PUT", "/programmes/p1/matching", BOSS, form)
    assert (status, problem["code"]) == (422, code)
    assert len(world.said) == said


async def test_not_a_number_is_no_number(client: AsyncClient) -> None:
    answer = await client.put(
        "/programmes/p1/matching", content=b'{"tolerance": NaN}', headers={"Authorization": f"Bearer {BOSS}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_a_level_gap_that_excludes_the_matching_is_refused(client: AsyncClient) -> None:
    await ask(client, "PUT", "/programmes/p1/matching", BOSS, {"rules": {"maximum_level_gap": 2}})
    _, problem = await ask(client, "PUT", "/programmes/p1", BOSS, SPRING | {"minimum_level_gap": 3})
    assert problem["code"] == "matching_contradictory"
    assert "at least 3 and at most 2" in problem["detail"]


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
    assert (await ask(client, "GET", "/programmes/p9/matching", ADA))[1]["code"] == "programme_unknown"
    assert (await ask(client, "PUT", "/programmes/p9/matching", "x admin", {}))[1][
        "code"
    ] == "programme_unknown"
    path = "/programmes/p1/enrolments/mentee/nobody"
    status, problem = await ask(client, "PUT", path, "nobody", ENROL)
    assert (status, problem["code"]) == (409, "not_yet_known")
