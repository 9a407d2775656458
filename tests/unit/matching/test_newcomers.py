"""Who comes between rounds: what is remembered for them, and when they are left to the next round."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.matching import newcomers, remembered, solver, store
from services.matching.engine import Configuration, Pool
from services.matching.remembered import Key
from services.matching.solver_process import Result
from services.matching.waking import ARRIVAL, NEWCOMERS, ROUND, mentor_of, programme_of
from tests.unit.matching.engine.support import crowd
from tests.unit.matching.support import SPRING, World, enrolment, person, programme

CONFIGURATION = Configuration()
NOBODY = Result((), (), ())


def key(programme_id: str = "p", configuration: Configuration = CONFIGURATION) -> Key:
    return Key("t", programme_id, configuration.fingerprint())


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    remembered._programmes.clear()
    yield
    remembered._programmes.clear()


def remember(programme_id: str = "p", pool: Pool | None = None) -> Pool:
    seen = pool or crowd(2, 20)
    remembered.remember(key(programme_id), seen, CONFIGURATION, NOBODY)
    return seen


def test_what_was_never_seen_or_is_configured_anew_is_not_remembered() -> None:
    pool = crowd(2, 20)
    assert remembered.candidates(key(), pool.mentees, None) is None
    remember(pool=pool)
    assert remembered.candidates(key(), pool.mentees, None)
    other = replace(CONFIGURATION, version="2")
    assert remembered.candidates(key(configuration=other), pool.mentees, None) is None
    assert remembered.decide(key(), pool, other) is None
    assert remembered.candidates(Key("another", *key()[1:]), pool.mentees, None) is None


def test_few_programmes_are_remembered_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "a", "c"):
        remember(name)
    assert [programme_id for _, programme_id in remembered._programmes] == ["a", "c"]
    timers: list[tuple[float, Any]] = []

    class Timer:
        def __init__(self, seconds: float, function: Any, arguments: Any) -> None:
            timers.append((seconds, lambda: function(*arguments)))

        def start(self) -> None: ...

    monkeypatch.setattr(threading, "Timer", Timer)
    remember("a")
    remember("a")
    (seconds, first), (_, second) = timers
    assert seconds == remembered.SECONDS
    first()  # an older round's time is over: the newer one stays
    assert key("a")[:2] in remembered._programmes
    second()
    assert key("a")[:2] not in remembered._programmes


def test_mentors_who_changed_are_looked_at_until_there_are_too_many() -> None:
    pool = remember()
    for number in range(remembered.MOST_CHANGED):
        named = remembered.candidates(key(), (), f"new-{number}")
        assert named is not None
        assert f"new-{number}" in named
    assert named is not None
    assert len(named) == remembered.MOST_CHANGED
    assert set(named) <= set(remembered.candidates(key(), pool.mentees, None) or ())
    assert remembered.candidates(key(), (), "one-too-many") is None
    assert remembered.candidates(key(), (), None) is None


def test_places_that_are_given_are_gone() -> None:
    pool = crowd(1, 3)
    full = tuple(replace(one, free=1) for one in pool.mentors)
    remember(pool=replace(pool, mentors=full))
    few = replace(pool, mentors=full)
    result = remembered.decide(key(), few, CONFIGURATION)
    assert result is not None
    (pair,) = result.pairs
    assert pair.mentor_id not in (remembered.candidates(key(), pool.mentees, None) or ())


async def test_only_where_the_programme_wants_it_and_knows_who_changed(world: World) -> None:
    told = [person("ann"), enrolment("ann", "mentee"), person("max", level=6), enrolment("max", "mentor")]
    await world.hear(programme(), *told)
    assert not [name for name in world.store.timers if name[0] == ARRIVAL]
    await world.hear(programme(matching={"at_once": True}), person("ann", goals="law"))
    await world.hear(person("max", level=7))
    assert {name[1] for name in world.store.timers if name[0] == ARRIVAL} == {f"{SPRING}|", f"{SPRING}|max"}
    await world._fire((ARRIVAL, f"{SPRING}|max"))
    ((_, handed),) = [name for name in world.store.timers if name[0] == NEWCOMERS]
    assert (programme_of(handed), mentor_of(handed)) == (SPRING, "max")
    assert mentor_of(f"{SPRING}||2026") is None
    assert (ROUND, SPRING) in world.store.timers


@pytest.mark.parametrize(("coming", "asked"), [(newcomers.MOST_NEW, True), (newcomers.MOST_NEW + 1, False)])
async def test_many_who_come_together_are_left_to_the_round(
    world: World, monkeypatch: pytest.MonkeyPatch, coming: int, asked: bool
) -> None:
    questions: list[Any] = []

    async def ask(_: Any, function: Any, *arguments: Any) -> Any:
        questions.append(function)

    async def waiting(uow: Any, programme_id: str, after: Any, limit: int) -> Any:
        return [world.mentee(f"m{number}") for number in range(coming)]

    async def read_few(uow: Any, programme_id: str, mentees: Any, mentors: Any) -> Any:
        return await store.read_pool(uow, programme_id)

    monkeypatch.setattr(solver, "ask", ask)
    monkeypatch.setattr(solver, "is_running", lambda: True)
    monkeypatch.setattr(store, "waiting", waiting)
    monkeypatch.setattr(store, "read_few", read_few)
    await world.hear(programme(matching={"at_once": True}))
    for number in range(coming):
        await world.hear(person(f"m{number}"), enrolment(f"m{number}", "mentee"))
    await world.do(newcomers.match_newcomers, SPRING)
    assert bool(questions) == asked
    assert world.open_pairs() == set()
