"""Who may call what, and what forms take. The lists need SQL and are tested where there is a database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.feedback.api import api
from services.feedback.store import FEEDBACK_ANSWER, SESSION
from shared.http.api import install_error_answers
from shared.http.auth import Caller
from tests.support.memory import NOW, MemoryStore, MemoryUow
from tests.unit.feedback.words import (
    DAY,
    MENTEE,
    MENTOR,
    PAIR,
    completed,
    hear,
    new_store,
    request_of,
    started,
)

STRANGER = "stranger-1"
SESSION_PATH = f"/relationships/{PAIR}/sessions/s-1"
BOOKING: dict[str, Any] = {"starts_at": (NOW + DAY).isoformat(), "minutes": 60}
ANSWER: dict[str, Any] = {"ratings": {"empathy": 5}, "suggestion": "More of it.", "audience": "partner"}


class FakeDatabase:
    """Transactions on dictionaries."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    @asynccontextmanager
    async def transaction(self, tenant: str, *, read_only: bool = False) -> AsyncIterator[MemoryUow]:
        async with self.store.uow(tenant=tenant) as uow:
            uow.read_only = read_only
            yield uow


class FakeAuthenticator:
    """The token is the subject."""

    async def caller(self, authorization: str | None) -> Caller:
        return Caller((authorization or "").removeprefix("Bearer "), "acme", frozenset({"admin", "operator"}))


@pytest.fixture
async def store() -> MemoryStore:
    store = new_store()
    await hear(store, started())
    await hear(store, completed())
    return store


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(api.router)
    install_error_answers(app)
    app.state.database = FakeDatabase(store)
    app.state.authenticator = FakeAuthenticator()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://feedback") as client:
        yield client


def as_(person: str) -> dict[str, str]:
    return {"authorization": f"Bearer {person}"}


@pytest.mark.parametrize("person", [MENTOR, MENTEE])
async def test_either_of_the_pair_books_moves_and_cancels(
    client: httpx.AsyncClient, store: MemoryStore, person: str
) -> None:
    booked = await client.put(SESSION_PATH, json=BOOKING, headers=as_(person))
    assert (booked.status_code, booked.json()["status"]) == (200, "booked")
    moved = await client.put(SESSION_PATH, json=BOOKING | {"minutes": 30}, headers=as_(person))
    assert (moved.json()["minutes"], moved.json()["version"]) == (30, 2)
    early = await client.post(SESSION_PATH + "/complete", headers=as_(person))
    assert (early.status_code, early.json()["code"]) == (409, "not_yet_started")
    cancelled = await client.delete(SESSION_PATH, headers=as_(person))
    assert cancelled.json()["status"] == "cancelled"
    assert [row.version for row in store.all(SESSION)] == [3]


async def test_strangers_and_administrators_see_and_change_nothing(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    said = len(store.said)
    request = f"/feedback-requests/{request_of(MENTEE)}"
    for method, path, body in (
        ("PUT", SESSION_PATH, BOOKING),
        ("DELETE", SESSION_PATH, None),
        ("POST", SESSION_PATH + "/complete", None),
        ("GET", f"/relationships/{PAIR}/sessions", None),
        ("GET", f"/relationships/{PAIR}/feedback", None),
        ("GET", request, None),
        ("PUT", request + "/answer", ANSWER),
        ("DELETE", request + "/answer", None),
    ):
        refused = await client.request(method, path, json=body, headers=as_(STRANGER))
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (method, path)
    assert len(store.said) == said


async def test_the_partner_neither_reads_nor_answers_the_others_request(client: httpx.AsyncClient) -> None:
    path = f"/feedback-requests/{request_of(MENTEE)}"
    assert (await client.put(path + "/answer", json=ANSWER, headers=as_(MENTOR))).status_code == 403
    assert (await client.get(path, headers=as_(MENTOR))).status_code == 403


async def test_the_author_answers_reads_and_retracts(client: httpx.AsyncClient, store: MemoryStore) -> None:
    path = f"/feedback-requests/{request_of(MENTEE)}"
    answered = await client.put(path + "/answer", json=ANSWER, headers=as_(MENTEE))
    assert answered.status_code == 200
    shown = (await client.get(path, headers=as_(MENTEE))).json()
    assert shown == answered.json()
    assert (shown["status"], shown["answer"]["ratings"]["empathy"]) == ("submitted", 5)
    retracted = await client.delete(path + "/answer", headers=as_(MENTEE))
    assert (retracted.json()["status"], retracted.json()["answer"]) == ("closed", None)
    assert store.all(FEEDBACK_ANSWER) == []


@pytest.mark.parametrize(
    "path",
    [
        "/relationships/pair-9/sessions",
        "/relationships/pair-9/feedback",
        "/feedback-requests/nobody-knows",
        "/programmes/programme-9/analytics",
        "/programmes/programme-9/feedback",
    ],
)
async def test_what_is_not_known_yet_may_be_in_a_moment(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=as_(MENTOR))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_yet_known")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("name", ["%00", "a%00b", "a%20b", "x" * 129])
async def test_what_is_no_id_reaches_no_query(client: httpx.AsyncClient, name: str) -> None:
    for path in (f"/relationships/{name}/sessions", f"/relationships/{PAIR}/sessions?after={name}"):
        answer = await client.get(path, headers=as_(MENTOR))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    "change",
    [
        {"minutes": 4},
        {"minutes": 24 * 60 + 1},
        {"minutes": "60"},
        {"starts_at": "2026-03-03T09:00:00"},
        {"starts_at": "9999-12-31T23:59:59-12:00"},
        {"starts_at": "0001-01-01T00:00:00+12:00"},
        {"starts_at": None},
        {"place": "Room 1"},
    ],
)
async def test_bad_bookings(client: httpx.AsyncClient, store: MemoryStore, change: dict[str, Any]) -> None:
    answer = await client.put(SESSION_PATH, json=BOOKING | change, headers=as_(MENTOR))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert store.all(SESSION) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ratings": {"empathy": 0}}, "invalid"),
        ({"ratings": {"empathy": 6}}, "invalid"),
        ({"ratings": {"humour": 3}}, "invalid"),
        ({"audience": "everybody"}, "invalid"),
        ({"suggestion": "x" * 4001}, "invalid"),
        ({"suggestion": "a\x00b"}, "invalid"),
        ({"ratings": {}, "suggestion": "  "}, "empty_answer"),
    ],
)
async def test_bad_answers(client: httpx.AsyncClient, change: dict[str, Any], code: str) -> None:
    path = f"/feedback-requests/{request_of(MENTEE)}/answer"
    answer = await client.put(path, json=ANSWER | change, headers=as_(MENTEE))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "xxx" not in answer.text


def test_every_route_has_its_rule() -> None:
    routes = [route for route in api.router.routes if isinstance(route, APIRoute)]
    assert len(routes) == 12
    assert all(getattr(route, "allow", None) for route in routes)
