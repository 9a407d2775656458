"""Timers on a real PostgreSQL: once, never early, and one that fails holds up nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from shared.persistence.timers import Timer
from shared.persistence.uow import Uow
from shared.runtime.management import counts
from tests.support.toy import THINGS, Thing, Toy
from tests.support.waiting import eventually


async def set_timers(toy: Toy, *keys: str, after: timedelta, tenant: str = "acme") -> None:
    async with toy.database.transaction(tenant) as uow:
        for key in keys:
            assert await uow.get(THINGS, key) is None
            uow.put(Thing(key, 1, "", 0))
            uow.set_timer("tick", key, uow.now + after)


@asynccontextmanager
async def working(toy: Toy) -> AsyncIterator[None]:
    """The worker at work, as in a service; it ends when it is told to."""
    work = asyncio.create_task(toy.timers.run())
    try:
        yield
    finally:
        toy.timers.stop()
        async with asyncio.timeout(10):
            await work


async def move_clock(toy: Toy, offset: timedelta) -> None:
    """As the role that alone may do so."""
    settings = toy.settings
    url = sa.URL.create(
        "postgresql+asyncpg",
        f"mentoring_{toy.name}_clock",
        "secret-of-the-toy",
        settings.database_host,
        settings.database_port,
        f"mentoring_{toy.name}",
    )
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(
            sa.text("UPDATE app_clock SET offset_interval = :offset"), {"offset": offset}
        )
    await engine.dispose()


async def test_a_timer_fires_once_and_never_early(toy: Toy) -> None:
    await set_timers(toy, "a", "b", after=timedelta(hours=1))
    assert await toy.timers.fire_due() == 0
    try:
        await move_clock(toy, timedelta(minutes=59))
        assert await toy.timers.fire_due() == 0
        await move_clock(toy, timedelta(minutes=61))
        assert await toy.timers.fire_due() == 2
        assert await toy.timers.fire_due() == 0
    finally:
        await move_clock(toy, timedelta(0))
    assert {thing.effects for thing in (await toy.things()).values()} == {1}
    assert await toy.plumbing("SELECT count(*) FROM timer") == [(0,)]


async def test_the_oldest_due_timer_is_known_by_its_age(toy: Toy) -> None:
    await set_timers(toy, "later", after=timedelta(hours=1))
    assert (await counts(toy.database))["timers_oldest_seconds"] == 0
    await set_timers(toy, "old", after=timedelta(hours=-2))
    await set_timers(toy, "young", after=timedelta(minutes=-1))
    assert (await counts(toy.database))["timers_oldest_seconds"] == pytest.approx(7200, abs=60)
    assert await toy.timers.fire_due() == 2
    assert (await counts(toy.database))["timers_oldest_seconds"] == 0


async def test_a_timer_that_fails_is_put_back_and_the_others_fire(toy: Toy) -> None:
    await set_timers(toy, "a", "bad", "c", after=timedelta(seconds=-1))
    handling = toy.handlers.timers["tick"]
    real = handling.handle

    async def handle(timer: Timer, uow: Uow) -> None:
        await real(timer, uow)
        if timer.key == "bad":
            raise ZeroDivisionError

    object.__setattr__(handling, "handle", handle)
    await toy.timers.fire_due()
    effects: dict[str, Any] = {key: thing.effects for key, thing in (await toy.things()).items()}
    assert effects == {"a": 1, "bad": 0, "c": 1}
    assert await toy.plumbing("SELECT key, attempts, retry_at > clock_timestamp() FROM timer") == [
        ("bad", 1, True)
    ]
    assert await toy.timers.fire_due() == 0


async def test_a_timer_set_again_by_its_own_handler_stays(toy: Toy) -> None:
    await set_timers(toy, "a", after=timedelta(seconds=-1))
    handling = toy.handlers.timers["tick"]

    async def again(timer: Timer, uow: Uow) -> None:
        uow.set_timer("tick", timer.key, uow.now + timedelta(hours=1), keep=True)

    object.__setattr__(handling, "handle", again)
    assert await toy.timers.fire_due() == 1
    assert await toy.timers.fire_due() == 0
    assert await toy.plumbing("SELECT key, due_at > app_now() FROM timer") == [("a", True)]


async def test_a_timer_that_takes_long_holds_up_no_other_kind(toy: Toy) -> None:
    begun, enough = asyncio.Event(), asyncio.Event()

    @toy.handlers.timer("long")
    async def long(timer: Timer, uow: Uow) -> None:
        begun.set()
        await enough.wait()

    async with toy.database.transaction("acme") as uow:
        uow.set_timer("long", "a", uow.now - timedelta(hours=1))
    async with working(toy):
        async with asyncio.timeout(10):
            await begun.wait()
        await set_timers(toy, "x", "y", after=timedelta(seconds=-1))
        await eventually(lambda: effects_are(toy, "acme", {"x": 1, "y": 1}))
        assert await toy.plumbing("SELECT kind, key FROM timer") == [("long", "a")]
        enough.set()
    assert await toy.plumbing("SELECT kind, key FROM timer") == []


async def test_a_tenant_whose_timers_cannot_fire_holds_up_no_other_tenant(toy: Toy) -> None:
    await set_timers(toy, "a", after=timedelta(hours=-1))
    handling = toy.handlers.timers["tick"]
    real, healed = handling.handle, asyncio.Event()

    async def handle(timer: Timer, uow: Uow) -> None:
        if uow.tenant == "acme" and not healed.is_set():
            raise TimeoutError
        await real(timer, uow)

    object.__setattr__(handling, "handle", handle)

    async def waits() -> bool:
        return toy.timers.waiting_for is not None

    async with working(toy):
        await eventually(waits)
        await set_timers(toy, "b", after=timedelta(seconds=-1), tenant="beta")
        await eventually(lambda: effects_are(toy, "beta", {"b": 1}))
        assert toy.timers.waiting_for is not None
        healed.set()
        await eventually(lambda: effects_are(toy, "acme", {"a": 1}))
    assert toy.timers.waiting_for is None


async def effects_are(toy: Toy, tenant: str, wanted: dict[str, int]) -> bool:
    return {key: thing.effects for key, thing in (await toy.things(tenant)).items()} == wanted
