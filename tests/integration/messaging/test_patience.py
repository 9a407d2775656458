"""What no number of failures may bury, and what may not even be buried."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from shared.messaging import dead_letters, processor
from shared.messaging.redrive import _Original
from shared.persistence.uow import Uow, want
from tests.support.publishing import STRUCTURED, programme_event
from tests.support.servers import Servers
from tests.support.toy import THINGS, Toy
from tests.support.waiting import eventually


def record(place: int, key: str, sequence: int, **data: Any) -> _Original:
    value = json.dumps(programme_event(f"{key}-{sequence}", key, sequence=sequence, **data)).encode()
    return _Original("programme", 0, place, key.encode(), value, [STRUCTURED], 0)


@pytest.fixture(autouse=True)
def impatient(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes a second."""
    monkeypatch.setattr(processor, "_MAX_TRIES", 2)
    monkeypatch.setattr(processor, "_MAX_DELAY", 0.05)

    @sa.event.listens_for(toy.database.app.sync_engine, "connect")
    def connected(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SET lock_timeout = '50ms'")
        cursor.close()


async def test_a_good_record_outlasts_somebody_elses_lock(toy: Toy) -> None:
    await toy.processor.process([record(0, "a", 1)])
    async with toy.database.transaction("acme") as holding:
        await holding.prefetch([want(THINGS, "a")])
        # Its neighbour comes first, because waiting keeps a partition's order.
        processing = asyncio.create_task(toy.processor.process([record(1, "b", 1), record(2, "a", 2)]))

        async def waiting() -> bool:
            return toy.processor.waiting_for == "rows that others have locked"

        await eventually(waiting, what="a consumer that waits for the lock")
        assert set(await toy.things()) == {"a", "b"}
    await processing
    assert (await toy.things())["a"].version == 2
    assert toy.processor.waiting_for is None
    assert await toy.plumbing("SELECT event_id FROM dead_letter") == []


async def test_a_dead_letter_that_is_refused_waits_until_it_is_not(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury, seen = dead_letters.bury, list[str | None]()

    async def refused(uow: Uow, *place: Any) -> None:
        if place[-1] and len(seen) < 5:
            seen.append(toy.processor.waiting_for)
            await uow.rows(sa.text("SELECT 1 / 0"))
        await bury(uow, *place)

    monkeypatch.setattr(dead_letters, "bury", refused)
    await toy.processor.process([record(0, "a", 1, name="too long for the table"), record(1, "b", 1)])
    assert seen == [None] + ["a dead letter that PostgreSQL refuses"] * 4
    assert set(await toy.things()) == {"b"}
    assert await toy.plumbing("SELECT event_id, reason FROM dead_letter") == [("a-1", "unexpected")]


async def test_a_session_that_ends_between_two_statements_buries_nothing(toy: Toy, servers: Servers) -> None:
    """asyncpg has an error of its own for that moment, which looks like a defect (``InternalClientError``)."""
    admin = await asyncpg.connect(servers.admin_dsn)
    killed, done = 0, asyncio.Event()

    async def kill() -> None:
        nonlocal killed
        while not done.is_set():
            killed += await admin.fetchval(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1",
                toy.settings.database_app_user or f"mentoring_{toy.database.service}_app",
            )
            await asyncio.sleep(0.005)

    killing = asyncio.create_task(kill())
    records = 0
    try:
        async with asyncio.timeout(60):
            while killed < 40:
                await toy.processor.process([record(records, f"thing-{records}", 1)])
                records += 1
    finally:
        done.set()
        await killing
        await admin.close()
    assert len(await toy.things()) == records
    assert await toy.plumbing("SELECT event_id FROM dead_letter") == []
