"""What people ask for: repeats change nothing and say nothing, and refusals have stable codes."""

from collections.abc import Callable
from datetime import datetime

import pytest

from services.feedback import commands
from services.feedback.domain.feedback import Audience, Content, RequestStatus
from services.feedback.domain.refusals import Refusal
from services.feedback.domain.sessions import MAX_BOOKED, SessionStatus
from services.feedback.store import FEEDBACK_ANSWER, FEEDBACK_REQUEST, SESSION
from shared.contracts.sessions import FeedbackRequestChanged, SessionChanged
from shared.errors import Conflict, Forbidden, Invalid, NotFound, NotYetKnown, ServiceError
from tests.support.memory import NOW, MemoryStore
from tests.unit.feedback.words import (
    DAY,
    HOUR,
    MENTEE,
    MENTOR,
    PAIR,
    completed,
    content,
    ended,
    hear,
    new_store,
    request_of,
    started,
)

TOMORROW = NOW + DAY


@pytest.fixture
async def store() -> MemoryStore:
    store = new_store()
    await hear(store, started())
    return store


async def book(
    store: MemoryStore,
    session: str = "s",
    starts_at: datetime = TOMORROW,
    *,
    pair: str = PAIR,
    now: datetime = NOW,
) -> None:
    async with store.uow(now) as uow:
        await commands.book_session(uow, pair, session, starts_at=starts_at, minutes=60)


async def complete(store: MemoryStore, now: datetime, session: str = "s") -> None:
    async with store.uow(now) as uow:
        await commands.complete_session(uow, PAIR, session)


async def cancel(store: MemoryStore, session: str = "s") -> None:
    async with store.uow() as uow:
        await commands.cancel_session(uow, PAIR, session)


async def answer(store: MemoryStore, what: Content, *, now: datetime = NOW, author: str = MENTEE) -> None:
    async with store.uow(now) as uow:
        await commands.submit_answer(uow, request_of(MENTEE), author, what)


async def retract(store: MemoryStore, *, now: datetime = NOW) -> None:
    async with store.uow(now) as uow:
        await commands.retract_answer(uow, request_of(MENTEE), MENTEE)


def refused(kind: type[ServiceError], code: str) -> "pytest.RaisesExc[ServiceError]":
    def has_code(error: ServiceError) -> bool:
        return error.code == code

    check: Callable[[ServiceError], bool] = has_code
    return pytest.RaisesExc(kind, check=check)


async def test_every_refusal_has_its_words() -> None:
    assert commands._REFUSALS.keys() == set(Refusal)


class TestSessions:
    async def test_the_whole_way_is_said_in_versions_without_gap(self, store: MemoryStore) -> None:
        for _ in range(2):
            await book(store)
        for _ in range(2):
            await book(store, starts_at=TOMORROW + HOUR)
        for _ in range(2):
            await complete(store, TOMORROW + 2 * HOUR)
        said = [item for item in store.said if isinstance(item, SessionChanged)]
        assert [(item.status, item.starts_at) for item in said] == [
            ("booked", TOMORROW),
            ("booked", TOMORROW + HOUR),
            ("completed", TOMORROW + HOUR),
        ]
        assert store.versions == [1, 2, 3]
        assert said[-1].completed_at == TOMORROW + 2 * HOUR

    async def test_a_repeat_after_the_start_is_still_good(self, store: MemoryStore) -> None:
        await book(store)
        await book(store, now=TOMORROW + DAY)
        assert len(store.said) == 1

    async def test_unknown_pair(self, store: MemoryStore) -> None:
        with refused(NotYetKnown, "not_yet_known"):
            await book(store, pair="pair-9")

    async def test_past(self, store: MemoryStore) -> None:
        with refused(Invalid, "starts_in_the_past"):
            await book(store, starts_at=NOW)
        assert store.all(SESSION) == []

    async def test_id_of_another_pair(self, store: MemoryStore) -> None:
        await hear(store, started("pair-2"))
        await book(store, pair="pair-2")
        for command in (book(store), cancel(store), complete(store, TOMORROW)):
            with refused(Conflict, "session_of_another_relationship"):
                await command

    async def test_at_most_so_many(self, store: MemoryStore) -> None:
        for number in range(MAX_BOOKED):
            await book(store, f"s-{number}")
        with refused(Conflict, "too_many_sessions"):
            await book(store, "one-more")
        await book(store, "s-7", starts_at=TOMORROW + HOUR)
        await cancel(store, "s-7")
        await book(store, "one-more")

    async def test_cancelling(self, store: MemoryStore) -> None:
        with refused(NotFound, "session_not_found"):
            await cancel(store)
        await book(store)
        for _ in range(2):
            await cancel(store)
        assert store.versions == [1, 2]
        with refused(Conflict, "session_cancelled"):
            await complete(store, TOMORROW)
        await book(store)  # a late repeat of the booking does not bring it back
        assert [row.status for row in store.all(SESSION)] == [SessionStatus.CANCELLED]
        with refused(Conflict, "session_cancelled"):
            await book(store, starts_at=TOMORROW + HOUR)

    async def test_completing(self, store: MemoryStore) -> None:
        await book(store)
        with refused(Conflict, "not_yet_started"):
            await complete(store, TOMORROW - HOUR)
        await complete(store, TOMORROW)
        with refused(Conflict, "session_completed"):
            await cancel(store)
        with refused(Conflict, "session_completed"):
            await book(store, starts_at=TOMORROW + DAY)

    async def test_completing_after_the_pair_has_ended(self, store: MemoryStore) -> None:
        await book(store)
        await hear(store, ended(at=TOMORROW + HOUR), sequence=2, now=TOMORROW + HOUR)
        await complete(store, TOMORROW + DAY)
        assert [row.status for row in store.all(SESSION)] == [SessionStatus.COMPLETED]


class TestAnswers:
    @pytest.fixture
    async def store(self) -> MemoryStore:
        store = new_store()
        await hear(store, completed())
        store.said.clear()
        store.versions.clear()
        return store

    async def test_unknown_request(self) -> None:
        with refused(NotYetKnown, "not_yet_known"):
            await answer(new_store(), content())

    async def test_only_the_author(self, store: MemoryStore) -> None:
        with refused(Forbidden, "forbidden"):
            await answer(store, content(), author=MENTOR)

    async def test_submitting_changing_and_repeating(self, store: MemoryStore) -> None:
        for words in (
            content(),
            content(),
            content(audience=Audience.AGGREGATE),
            content(audience=Audience.AGGREGATE),
        ):
            await answer(store, words)
        said = [item for item in store.said if isinstance(item, FeedbackRequestChanged)]
        assert [item.status for item in said] == ["submitted", "submitted"]
        assert store.versions == [2, 3]
        (row,) = store.all(FEEDBACK_ANSWER)
        assert row.audience is Audience.AGGREGATE

    async def test_no_event_carries_what_was_written(self, store: MemoryStore) -> None:
        await answer(store, content("A secret wish."))
        assert "secret" not in "".join(item.model_dump_json() for item in store.said)

    async def test_empty(self, store: MemoryStore) -> None:
        nothing = content("", communication=None, empathy=None, boundaries=None, behaviour="", impact="")
        with refused(Invalid, "empty_answer"):
            await answer(store, nothing)

    async def test_retracting(self, store: MemoryStore) -> None:
        with refused(NotFound, "answer_not_found"):
            await retract(store)
        await answer(store, content())
        for _ in range(2):
            await retract(store, now=NOW + DAY)
        assert store.all(FEEDBACK_ANSWER) == []
        statuses = {row.author_id: row.status for row in store.all(FEEDBACK_REQUEST)}
        assert statuses[MENTEE] is RequestStatus.CLOSED
        assert store.versions == [2, 3]
        with refused(Conflict, "feedback_closed"):
            await answer(store, content(), now=NOW + DAY)

    async def test_final(self, store: MemoryStore) -> None:
        await answer(store, content())
        week = NOW + 7 * DAY
        with refused(Conflict, "answer_final"):
            await answer(store, content("Too late."), now=week)
        with refused(Conflict, "answer_final"):
            await retract(store, now=week)
        await answer(store, content(), now=week)
        assert store.versions == [2]
