"""The unit of work: what it remembers, what it takes back, and what it refuses."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.contracts.people import EnrolmentChanged, EnrolmentStatus, ProgrammeChanged, Role
from shared.persistence.outbox import EventTooLarge
from shared.persistence.uow import want, want_all
from tests.support.memory import NOW, MemoryStore
from tests.support.toy import THINGS, Thing


def store(*things: Thing) -> MemoryStore:
    made = MemoryStore("toy", [THINGS])
    made.add(*things)
    return made


def said(programme: str = "a") -> EnrolmentChanged:
    return EnrolmentChanged(
        enrolment_id=programme,
        programme_id=programme,
        person_id="p",
        role=Role.MENTEE,
        status=EnrolmentStatus.ACTIVE,
    )


async def test_put_before_get_is_refused() -> None:
    async with store().uow() as uow:
        with pytest.raises(RuntimeError, match="without having been asked for"):
            uow.put(Thing("a", 1, "", 0))


async def test_undo_takes_back_rows_events_and_timers_and_nothing_else() -> None:
    there = store(Thing("a", 1, "before", 0), Thing("b", 1, "before", 0))
    async with there.uow() as uow:
        a, b = await uow.get(THINGS, "a"), await uow.get(THINGS, "b")
        assert a is not None
        assert b is not None
        uow.put(replace(a, name="kept"))
        uow.say(said("a"), version=1)
        uow.set_timer("tick", "a", NOW)
        mark = uow.mark()
        uow.put(replace(a, name="undone"))
        uow.delete(b)
        assert await uow.get(THINGS, "c") is None
        uow.put(Thing("c", 1, "new", 0))
        uow.say(said("b"), version=2)
        uow.set_timer("tick", "a", NOW + timedelta(hours=1))
        uow.cancel_timer("tick", "b")
        uow.undo(mark)
        assert await uow.find(THINGS, name="new") == []
    assert [thing.name for thing in there.all(THINGS)] == ["kept", "before"]
    assert there.versions == [1]
    assert {name: change.due for name, change in there.timers.items()} == {("tick", "a"): NOW}


async def test_find_sees_what_was_put_and_deleted() -> None:
    there = store(Thing("a", 1, "x", 0), Thing("b", 1, "x", 0))
    async with there.uow() as uow:
        a, b = await uow.find(THINGS, name="x")
        uow.put(replace(a, name="y"))
        uow.delete(b)
        assert await uow.get(THINGS, "c") is None
        uow.put(Thing("c", 1, "x", 0))
        assert [thing.thing_id for thing in await uow.find(THINGS, name="x")] == ["c"]
        assert [thing.thing_id for thing in await uow.find(THINGS, name="y")] == ["a"]


async def test_prefetch_answers_later_questions() -> None:
    there = store(Thing("a", 1, "x", 0))
    async with there.uow() as uow:
        await uow.prefetch([want(THINGS, "a"), want(THINGS, "z"), want_all(THINGS, name="x")])
        there.rows["thing"].clear()
        assert await uow.get(THINGS, "a") is not None
        assert await uow.get(THINGS, "z") is None
        assert len(await uow.find(THINGS, name="x")) == 1


async def test_keeping_a_timer_that_was_cancelled_a_moment_ago_sets_it() -> None:
    async with store().uow() as uow:
        uow.set_timer("tick", "a", NOW)
        uow.set_timer("tick", "a", NOW + timedelta(hours=1), keep=True)
        assert uow._timers["tick", "a"].due == NOW
        uow.cancel_timer("tick", "a")
        uow.set_timer("tick", "a", NOW + timedelta(hours=2), keep=True)
        assert uow._timers["tick", "a"].due == NOW + timedelta(hours=2)
        assert not uow._timers["tick", "a"].keep


async def test_an_event_too_large_is_refused_to_whoever_says_it() -> None:
    async with store().uow() as uow:
        names = [f"c{number}" * 10 for number in range(100)]
        huge = ProgrammeChanged.model_construct(programme_id="p", name="x" * 2_000_000, coordinator_ids=names)
        with pytest.raises(EventTooLarge):
            uow.say(huge, version=1)
        assert not uow.says
