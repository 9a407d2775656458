"""Every route of every service against everybody: who may, who may not, and what a refusal leaves behind.

The table below is the whole of it. A route that is not in it, or a line without a route, fails.
"""

import base64
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import jwt
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from services.matching import solver
from shared.contracts.topics import SERVICES
from shared.http.rules import Rule
from tests.integration.services.story import ELSEWHERE, LEVELS, PROGRAMME, SURNAME, Story
from tests.support.databases import Databases, new_tenant, rows_of
from tests.support.instance import Who
from tests.support.platform import Platform

OPEN: Final = {"/health/live", "/health/ready", "/health/startup", "/metrics"}
"""The only routes that need no token. They show no content."""

EVERYBODY: Final = frozenset(
    {
        "admin",
        "hr",
        "operator",
        "privacy",
        "mentor",
        "mentee",
        "neighbour",
        "coordinator",
        "outsider",
        "stranger",
    }
)
"""Four systems, each with one role; the two of the pair; somebody else of the programme, who has a proposal of
their own; the programme's coordinator; another programme's; and somebody who takes part in nothing."""

NOTHING_OF_OURS: Final = "nothing of ours"
"""Another tenant's namesake is answered, but from their own tenant."""
UNKNOWN: Final = "unknown"
"""To another tenant's namesake the thing does not exist: 404, or 409 because it may be on its way."""
FORBIDDEN: Final = "forbidden"


@dataclass(frozen=True)
class Expected:
    """Who may call a route, with a body that it takes, and what the same caller of another tenant gets."""

    who: frozenset[str]
    elsewhere: str
    body: Mapping[str, Any] | None = None
    unless: str = ""
    """With this code those who may are refused here, for the state of things and not for who they are."""


def may(
    *who: str,
    elsewhere: str = FORBIDDEN,
    body: Mapping[str, Any] | None = None,
    unless: str = "",
) -> Expected:
    """A line of the table. Nobody named: everybody."""
    return Expected(frozenset(who) or EVERYBODY, elsewhere, body, unless)


_PROGRAMME_BODY: Final = {"name": "Main", "coordinator_ids": ["<coordinator>"]}
_SESSION_BODY: Final = {"starts_at": "<soon>", "minutes": 30}
_ENROLMENT: Final = "/programmes/{programme_id}/enrolments/{role}/{person_id}"
_SESSION: Final = "/relationships/{relationship_id}/sessions/{session_id}"

ERASE: Final = "POST /people/{person_id}/erasure"
"""It works, so it is somebody who takes part in nothing."""

ROUTES: Final[dict[str, dict[str, Expected]]] = {
    "profiles": {
        "PUT /tenant": may("admin", elsewhere=NOTHING_OF_OURS, body={"name": "Story"}),
        "GET /people/{person_id}": may("mentee", "hr", elsewhere=UNKNOWN),
        "GET /people/{person_id}/export": may("mentee", "privacy", elsewhere=NOTHING_OF_OURS),
        ERASE: may("privacy", elsewhere=UNKNOWN),
        "GET /people/{person_id}/erasure": may(
            "mentee", "privacy", "operator", elsewhere=UNKNOWN, unless="erasure_unknown"
        ),
        "GET /erasures": may("privacy", "operator", elsewhere=NOTHING_OF_OURS),
        "PUT /people/{person_id}/profile": may("mentee", elsewhere=UNKNOWN, body={"goals": "to learn"}),
        "PUT /people/{person_id}/consents/{purpose}": may(
            "mentee", elsewhere=UNKNOWN, body={"granted": True}
        ),
        "PUT /programmes/{programme_id}": may(
            "admin", "coordinator", elsewhere=NOTHING_OF_OURS, body=_PROGRAMME_BODY
        ),
        "PUT /programmes/{programme_id}/matching": may("admin", "coordinator", elsewhere=UNKNOWN, body={}),
        "GET /programmes/{programme_id}/matching": may(elsewhere=UNKNOWN),
        "GET /programmes": may(elsewhere=NOTHING_OF_OURS),
        "GET /programmes/{programme_id}": may(elsewhere=UNKNOWN),
        "GET /programmes/{programme_id}/enrolments": may("coordinator"),
        f"PUT {_ENROLMENT}": may(
            "mentee", "coordinator", elsewhere=UNKNOWN, body={"consent_to_matching": True}
        ),
        f"GET {_ENROLMENT}/wishes": may("mentee", elsewhere=UNKNOWN),
        f"PUT {_ENROLMENT}/wishes": may("mentee", elsewhere=UNKNOWN, body={}),
        f"DELETE {_ENROLMENT}": may("mentee", "coordinator", elsewhere=UNKNOWN),
        "GET /me/enrolments": may(elsewhere=NOTHING_OF_OURS),
        "GET /hr/dropped-fields": may("hr", "operator", elsewhere=NOTHING_OF_OURS),
    },
    "matching": {
        "GET /people/{person_id}/export": may("mentee", "privacy", elsewhere=NOTHING_OF_OURS),
        "GET /me/proposals": may(elsewhere=NOTHING_OF_OURS),
        "GET /proposals/{proposal_id}": may("mentor", "mentee", "coordinator", elsewhere=UNKNOWN),
        "POST /proposals/{proposal_id}/accept": may("mentor", "mentee", elsewhere=UNKNOWN),
        "POST /proposals/{proposal_id}/decline": may(
            "mentor", "mentee", elsewhere=UNKNOWN, unless="proposal_closed"
        ),
        "GET /me/relationships": may(elsewhere=NOTHING_OF_OURS),
        "GET /relationships/{relationship_id}": may("mentor", "mentee", "coordinator", elsewhere=UNKNOWN),
        "POST /relationships/{relationship_id}/end": may(
            "mentor", "mentee", "coordinator", elsewhere=UNKNOWN, body={"reason": "no-fault"}
        ),
        "POST /programmes/{programme_id}/rounds": may("coordinator", elsewhere=UNKNOWN),
        "GET /programmes/{programme_id}/waiting": may("coordinator", elsewhere=UNKNOWN),
        "POST /programmes/{programme_id}/runs": may("coordinator", elsewhere=UNKNOWN, body={}),
        "GET /programmes/{programme_id}/runs": may("coordinator", elsewhere=UNKNOWN),
        "GET /runs/{run_id}": may("coordinator", elsewhere=UNKNOWN),
        "GET /runs/{run_id}/pairs": may("coordinator", elsewhere=UNKNOWN),
        "GET /runs/{run_id}/unmatched": may("coordinator", elsewhere=UNKNOWN),
        "GET /runs/{run_id}/compare/{other_id}": may("coordinator", elsewhere=UNKNOWN),
        "GET /runs/{run_id}/report": may("coordinator", elsewhere=UNKNOWN),
        "GET /runs/{run_id}/explain": may("coordinator", elsewhere=UNKNOWN),
        "POST /runs/{run_id}/publish": may("coordinator", elsewhere=UNKNOWN),
        "POST /runs/{run_id}/discard": may("coordinator", elsewhere=UNKNOWN, unless="run_published"),
    },
    "feedback": {
        "GET /people/{person_id}/export": may("mentee", "privacy", elsewhere=NOTHING_OF_OURS),
        f"PUT {_SESSION}": may("mentor", "mentee", elsewhere=UNKNOWN, body=_SESSION_BODY),
        f"POST {_SESSION}/complete": may("mentor", "mentee", elsewhere=UNKNOWN, unless="not_yet_started"),
        f"DELETE {_SESSION}": may("mentor", "mentee", elsewhere=UNKNOWN),
        "GET /relationships/{relationship_id}/sessions": may("mentor", "mentee", elsewhere=UNKNOWN),
        "GET /relationships/{relationship_id}/feedback": may("mentor", "mentee", elsewhere=UNKNOWN),
        "GET /me/feedback-requests": may(elsewhere=NOTHING_OF_OURS),
        "GET /feedback-requests/{feedback_request_id}": may("mentee", elsewhere=UNKNOWN),
        "PUT /feedback-requests/{feedback_request_id}/answer": may(
            "mentee", elsewhere=UNKNOWN, body={"audience": "partner", "impact": "much"}
        ),
        "DELETE /feedback-requests/{feedback_request_id}/answer": may("mentee", elsewhere=UNKNOWN),
        "GET /programmes/{programme_id}/feedback": may("coordinator", elsewhere=UNKNOWN),
        "GET /programmes/{programme_id}/analytics": may("coordinator", elsewhere=UNKNOWN),
    },
    "notifications": {
        "GET /people/{person_id}/export": may("mentee", "privacy", elsewhere=NOTHING_OF_OURS),
        "GET /people/{person_id}/preferences": may("mentee", elsewhere=NOTHING_OF_OURS),
        "PUT /people/{person_id}/preferences": may("mentee", elsewhere=NOTHING_OF_OURS, body={}),
        "GET /me/notifications": may(elsewhere=NOTHING_OF_OURS),
    },
}
_DEAD_LETTER: Final = "/management/dead-letters/{dead_letter_id}"
MANAGEMENT: Final = {
    "GET /management/status": may("operator", elsewhere=NOTHING_OF_OURS),
    "GET /management/summary": may("operator", elsewhere=NOTHING_OF_OURS),
    "GET /management/dead-letters": may("operator", elsewhere=NOTHING_OF_OURS),
    f"POST {_DEAD_LETTER}/redrive": may("operator", elsewhere=UNKNOWN, unless="not_yet_known"),
    f"POST {_DEAD_LETTER}/discard": may("operator", elsewhere=UNKNOWN),
}
TABLE: Final = {
    (service, line): expected
    for service in SERVICES
    for line, expected in {**ROUTES[service], **MANAGEMENT}.items()
}
EACH: Final = pytest.mark.parametrize(("service", "line"), TABLE, ids=lambda value: str(value))


class World:
    """A story, and the words of the table in it."""

    def __init__(self, story: Story, soon: str, admins: Mapping[str, "asyncpg.Connection[Any]"]) -> None:
        self.story = story
        self._admins = admins
        self.platform = story.platform
        self.folder = story.platform.issuer.jwks_file.parent
        self.secrets = {story.tenant, *map(story.id, LEVELS), story.relationship, story.request, SURNAME}
        self._soon = soon

    async def rows(self, service: str) -> list[tuple[str, str]]:
        """All rows of the story in a service's database."""
        return await rows_of(self._admins[service], self.story.tenant)

    def who(self, name: str) -> Who:
        if name in ("admin", "hr", "operator", "privacy"):
            return self.story.system(name)
        mentor, mentee = self.story.pair
        in_story = {"mentor": mentor, "mentee": mentee, "neighbour": "mentee-b"}
        return self.story.who(in_story.get(name, name))

    def namesake(self, name: str) -> Who:
        """Somebody with the same subject and roles, in a tenant that is new."""
        return replace(self.who(name), tenant=new_tenant())

    def request(self, service: str, line: str) -> tuple[str, str]:
        """Method and path of a line of the table, about things of the story."""
        method, _, path = line.partition(" ")
        values = {
            "person_id": self.who("stranger" if line == ERASE else "mentee").subject,
            "purpose": "matching",
            "programme_id": PROGRAMME,
            "role": "mentee",
            "proposal_id": self.story.accepted_proposal,
            "relationship_id": self.story.relationship,
            "session_id": self.story.session,
            "feedback_request_id": self.story.request,
            "dead_letter_id": self.story.dead_letters[service],
            "run_id": self.story.run,
            "other_id": self.story.run,
        }
        if path.endswith("/explain"):
            path += "?mentee={mentee}&mentor={mentor}"
        pair = {name: self.who(name).subject for name in ("mentee", "mentor")}
        return method, path.format(**values, **pair)

    def body(self, expected: Expected, *, by_namesake: bool = False) -> dict[str, Any]:
        """The body for a line of the table, as an option of httpx; a namesake names nobody of ours."""
        if expected.body is None:
            return {}
        coordinator = "somebody" if by_namesake else self.who("coordinator").subject
        words = {"<coordinator>": coordinator, "<soon>": self._soon}
        return {"json": {name: _in_words(value, words) for name, value in expected.body.items()}}


def _in_words(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_in_words(each, words) for each in value]
    return words.get(value, value) if isinstance(value, str) else value


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    letters = [f"dlt.{service}" for service in SERVICES]
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer"), topics=letters) as platform:
        story = Story(platform, new_tenant())
        await story.until_they_meet()
        soon = await platform["feedback"].now() + timedelta(days=2)
        async with AsyncExitStack() as stack:
            admins = {
                service: await stack.enter_async_context(databases.login(service, "admin"))
                for service in SERVICES
            }
            yield World(story, soon.isoformat(), admins)
    solver.close()


# the table is complete


def routes_of(router: Any) -> Iterator[APIRoute]:
    """All routes below a router, however deep it was included."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner)
        else:
            assert isinstance(route, APIRoute), f"{route!r} is no route that can declare a rule"
            yield route


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_declares_its_rule_and_is_in_the_table(world: World, service: str) -> None:
    lines, without_rule = set(), set()
    for route in routes_of(world.platform[service].process.app):
        rules = getattr(route, "allow", ())
        if not rules:
            without_rule.add(route.path)
            continue
        assert all(isinstance(rule, Rule) for rule in rules)
        lines |= {f"{method} {route.path}" for method in route.methods or ()}
    assert without_rule == OPEN
    assert lines == {line for name, line in TABLE if name == service}


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_open_shows_no_content(world: World, service: str) -> None:
    for path in sorted(OPEN):
        answer = await world.platform[service].call(None, "GET", path)
        assert answer.status_code in (200, 503)  # nothing of it runs by itself, so it may not be ready
        assert [secret for secret in world.secrets if secret in answer.text] == []


# who somebody is


COMMON: Final = (
    "none", "garbage", "expired", "of another issuer", "for another audience", "signed with another key",
    "signed with another key that borrows our id",
)  # fmt: skip


def _claims(who: Who, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": who.subject,
        "tenant": who.tenant,
        "roles": list(who.roles),
        "iat": now,
        "exp": now + 600,
    } | changes


def bad_tokens(world: World, who: Who, folder: Path) -> dict[str, str | None]:
    """Authorization headers, each wrong in one way, for somebody who would be let in with a right one."""
    ours, stranger = Issuer.open(world.folder), Issuer.open(folder)
    good = ours.token(who.subject, who.tenant, who.roles)
    header = jwt.get_unverified_header(good)

    def signed(issuer: Issuer, kid: str, **changes: Any) -> str:
        claims = {name: value for name, value in _claims(who, **changes).items() if value is not None}
        return "Bearer " + jwt.encode(claims, issuer._key, algorithm="EdDSA", headers={"kid": kid})

    kid, foreign_kid = header["kid"], stranger.jwks()["keys"][0]["kid"]
    public = base64.urlsafe_b64decode(ours.jwks()["keys"][0]["x"] + "=")
    now = int(time.time())
    return {
        "none": None,
        "empty": "Bearer ",
        "another scheme": "Basic dXNlcjpwYXNz",
        "garbage": "Bearer garbage",
        "three parts of garbage": "Bearer a.b.c",
        "cut short": f"Bearer {good[:-8]}",
        "expired": signed(ours, kid, exp=now - 1),
        "without an end": signed(ours, kid, exp=None),
        "without a subject": signed(ours, kid, sub=None),
        "without a tenant": signed(ours, kid, tenant=None),
        "with an empty tenant": signed(ours, kid, tenant=""),
        "of another issuer": signed(ours, kid, iss="somebody-else"),
        "for another audience": signed(ours, kid, aud="another-platform"),
        "signed with another key": signed(stranger, foreign_kid),
        "signed with another key that borrows our id": signed(stranger, kid),
        "not signed": "Bearer " + jwt.encode(_claims(who), "", algorithm="none", headers={"kid": kid}),
        "signed with our public key": "Bearer "
        + jwt.encode(_claims(who), public, algorithm="HS256", headers={"kid": kid}),
    }


@EACH
async def test_without_a_good_token_nobody_is_let_in(
    world: World, service: str, line: str, tmp_path: Path
) -> None:
    method, path = world.request(service, line)
    expected = TABLE[service, line]
    caller = world.who(min(expected.who))
    tokens = bad_tokens(world, caller, tmp_path)
    # All of them on one route of each service, the commonest ones on every route.
    tried = tokens if line in ("GET /management/status", "GET /me/notifications") else COMMON
    before = await world.rows(service)
    for what in tried:
        token = tokens[what]
        headers = {} if token is None else {"authorization": token}
        answer = await world.platform[service].call(
            None, method, path, headers=headers, **world.body(expected)
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), what
        assert answer.headers["www-authenticate"] == "Bearer"
        assert caller.subject not in answer.text
    assert await world.rows(service) == before


# what somebody may


@EACH
async def test_others_are_refused_and_leave_no_trace(world: World, service: str, line: str) -> None:
    method, path = world.request(service, line)
    expected = TABLE[service, line]
    instance = world.platform[service]
    before = await world.rows(service)
    for name in sorted(EVERYBODY - expected.who):
        answer = await instance.call(world.who(name), method, path, **world.body(expected))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), name
    assert await world.rows(service) == before


@EACH
async def test_the_rule_comes_before_the_body(world: World, service: str, line: str) -> None:
    """So that a refusal tells nothing about what would be accepted."""
    method, path = world.request(service, line)
    for name in sorted(EVERYBODY - TABLE[service, line].who)[:1]:
        answer = await world.platform[service].call(world.who(name), method, path, content=b"{not json")
        assert answer.status_code == 403


@EACH
async def test_another_tenants_namesake_finds_nothing_and_leaves_no_trace(
    world: World, service: str, line: str
) -> None:
    method, path = world.request(service, line)
    expected = TABLE[service, line]
    before = await world.rows(service)
    for name in sorted(expected.who):
        caller, body = world.namesake(name), world.body(expected, by_namesake=True)
        answer = await world.platform[service].call(caller, method, path, **body)
        assert allows(expected.elsewhere, answer), (name, answer.status_code, answer.text)
        if method == "GET":
            own = {caller.subject, *path.split("/")}
            assert [secret for secret in world.secrets - own if secret in answer.text] == [], name
    assert await world.rows(service) == before


def allows(elsewhere: str, answer: httpx.Response) -> bool:
    """Whether a namesake may be answered so. To be refused is always right."""
    if answer.status_code == 403:
        return True
    if elsewhere == UNKNOWN:
        return answer.status_code == 404 or (
            answer.status_code == 409 and answer.json()["code"] == "not_yet_known"
        )
    return elsewhere == NOTHING_OF_OURS and answer.is_success


@EACH
async def test_those_who_may_are_let_in(world: World, service: str, line: str) -> None:
    method, path = world.request(service, line)
    expected = TABLE[service, line]
    for name in sorted(expected.who):
        answer = await world.platform[service].call(world.who(name), method, path, **world.body(expected))
        told = answer.status_code, answer.text
        assert answer.is_success or answer.json()["code"] == expected.unless, (name, told)


# cases that one line cannot say


async def test_only_an_administrator_makes_a_programme(world: World) -> None:
    for name in sorted(EVERYBODY - {"admin"}):
        answer = await world.platform["profiles"].call(
            world.who(name), "PUT", "/programmes/p-new", json={"name": "New", "coordinator_ids": []}
        )
        assert answer.status_code == 403, name


async def test_the_one_of_the_pair_does_not_see_what_the_other_is_asked(world: World) -> None:
    path = f"/feedback-requests/{world.story.request}"
    answer = await world.platform["feedback"].call(world.who("mentor"), "GET", path)
    assert answer.status_code == 403


async def test_the_coordinator_of_another_programme_is_one_there(world: World) -> None:
    """Who is refused above is not refused for being nobody."""
    for service, path in (
        ("profiles", f"/programmes/{ELSEWHERE}/enrolments"),
        ("matching", f"/programmes/{ELSEWHERE}/waiting"),
        ("feedback", f"/programmes/{ELSEWHERE}/analytics"),
    ):
        await world.platform[service].ask(world.who("outsider"), "GET", path)
