"""Outbox, relay, inbox, retry and redrive in random order, with crashes between any two steps.

Hypothesis chooses the steps, a real PostgreSQL keeps the books, and a log in memory stands for Kafka (a real
broker cannot be told to lose one acknowledgement). ``MENTORING_INTERLEAVINGS=2000`` runs that many random
stories instead of the fixed ones of ``make test``.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.messaging import inbox
from shared.messaging import relay as relay_module
from shared.messaging.consumer import TopicConsumer
from shared.messaging.relay import Relay
from shared.runtime.settings import Settings
from tests.support.interleaved import PARTITIONS, TROUBLE, World
from tests.support.memory_log import Fate
from tests.support.servers import Servers
from tests.support.toy import make_toy_settings

STORIES = int(os.environ.get("MENTORING_INTERLEAVINGS", "0"))
pytestmark = pytest.mark.timeout(6 * 3600 if STORIES else 600)
PROFILE = settings(
    max_examples=STORIES or 25,
    stateful_step_count=30,
    derandomize=not STORIES,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink] if STORIES else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)

keys = st.sampled_from("abc")
kinds = st.sampled_from(["plain", "plain", "plain", "refuse", "defect", "too long"])
foreigners = st.sampled_from(["copy", "copy", "other body", "garbage", "bad header", "invalid", "unknown"])
partitions = st.integers(0, PARTITIONS - 1)
numbers = st.integers(0, 1000)
sizes = st.sampled_from([1, 2, 5, 100])
few = st.sampled_from([1, 1, 2])
fates = st.sampled_from([*[Fate.OK] * 4, *Fate])
commands = st.tuples(keys, kinds, st.sampled_from([*[""] * 5, "flushed"]))
CONSUMER_CRASHES = [
    "received_before_transaction",
    "before_transaction",
    "handling",
    "flushed",
    "after_write_before_commit",
    "after_commit",
    "committed_before_offset_commit",
]
RELAY_CRASHES = ["outbox_read_before_produce", "sending", "produced_before_outbox_delete"]
consumer_crashes = st.sampled_from([*[""] * 3, *CONSUMER_CRASHES])
relay_crashes = st.sampled_from([*[""] * 3, *RELAY_CRASHES])
redrive_crashes = st.sampled_from(["", "", "handling", "flushed"])


def machine_of(world: World, loop: asyncio.AbstractEventLoop) -> type[RuleBasedStateMachine]:
    """The machine that drives *world*."""
    run: Callable[[Any], Any] = loop.run_until_complete

    class Interleavings(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            run(world.begin())

        # Few rules with many choices: Hypothesis leaves some rules out of every story.

        @rule(commands=st.lists(commands, min_size=1, max_size=3))
        def say(self, commands: list[tuple[str, str, str]]) -> None:
            for key, kind, crash in commands:
                run(world.command(key, kind, crash))

        @rule(kind=foreigners, number=numbers, key=keys)
        def foreign_record(self, kind: str, number: int, key: str) -> None:
            world.foreign(kind, number, key)

        @rule(relays=few, fate=fates, at=st.integers(0, 2), crash=relay_crashes, late=st.booleans())
        def relay(self, relays: int, fate: Fate, at: int, crash: str, late: bool) -> None:
            if late:
                world.log.arrive()
            working = [world.relay, *(world.make_relay() for _ in range(relays - 1))]
            run(world.move(*working, fate=fate, at=at, crash=crash))

        @rule(
            workers=few,
            partition=partitions,
            most=sizes,
            crash=consumer_crashes,
            times=st.sampled_from([1, 1, 2]),
            trouble=st.lists(st.sampled_from(sorted(TROUBLE)), max_size=3),
            commit_fails=st.sampled_from([False, False, True]),
            restart=st.booleans(),
        )
        def consume(
            self,
            workers: int,
            partition: int,
            most: int,
            crash: str,
            times: int,
            trouble: list[str],
            commit_fails: bool,
            restart: bool,
        ) -> None:
            if restart:
                world.restart()
            world.trouble[:] = trouble
            world.worker.member.commit_fails = commit_fails
            working = [world.worker, *(world.make_worker() for _ in range(workers - 1))]
            if not world.unread(partition):
                partition = (partition + 1) % PARTITIONS
            run(world.consume(*working, partition=partition, most=most, crash=crash, times=times))
            world.worker.member.commit_fails = False
            world.trouble.clear()

        @rule(number=numbers, operators=few, mended=st.booleans(), crash=redrive_crashes)
        def redrive(self, number: int, operators: int, mended: bool, crash: str) -> None:
            letters = run(world.letters())
            if letters:
                world.mended = mended
                letter = letters[number % len(letters)]
                run(world.redrive(letter, operators=operators, crash=crash))
                world.mended = False

        @invariant()
        def nothing_doubled_and_nothing_invented(self) -> None:
            run(world.check_always())
            world.check_order()

        def teardown(self) -> None:
            run(world.quiesce())
            run(world.check_quiet())
            world.check_order()

    return Interleavings


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def toy_settings(servers: Servers) -> tuple[str, Settings]:
    return await make_toy_settings(servers)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all stories: Hypothesis calls plain functions."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture
def world(
    toy_settings: tuple[str, Settings], loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    name, values = toy_settings
    made = World(name, values, monkeypatch)
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield made
    structlog.configure(**before)
    loop.run_until_complete(made.close())


def test_every_interleaving_keeps_the_books(world: World, loop: asyncio.AbstractEventLoop) -> None:
    run_state_machine_as_test(machine_of(world, loop), settings=PROFILE)
    assert world.crashes.reached, "no story had a crash in it"


@pytest.mark.parametrize("crash", [*RELAY_CRASHES, *CONSUMER_CRASHES])
def test_a_crash_at_each_point(world: World, loop: asyncio.AbstractEventLoop, crash: str) -> None:
    """The shortest story of each crash point, so that none depends on luck."""

    async def story() -> None:
        await world.begin()
        for key in ("a", "b", "a"):
            await world.command(key, "plain", "")
        await world.move(world.relay, crash=crash)
        await world.move(world.relay)
        for partition in range(PARTITIONS):
            await world.consume(world.worker, partition=partition, most=100, crash=crash)
        assert crash in world.crashes.reached
        await world.check_always()
        await world.quiesce()
        await world.check_quiet()
        world.check_order()

    loop.run_until_complete(story())


def test_a_letter_with_anothers_id_does_not_take_its_place(
    world: World, loop: asyncio.AbstractEventLoop
) -> None:
    """Two bodies under one id, both dead: redriving the second must not settle the first."""

    async def story() -> None:
        await world.begin()
        await world.command("a", "refuse", "")
        await world.move(world.relay)
        world.foreign("other body", 0, "a")
        for partition in range(PARTITIONS):
            await world.consume(world.worker, partition=partition, most=100)
        while await world.unsent():
            await world.move(world.relay)
        world.mended = True
        first, second = await world.letters()
        assert not await world.redrive(second, operators=1)
        assert await world.redrive(first, operators=1)
        await world.quiesce()
        await world.check_quiet()

    loop.run_until_complete(story())


async def _claim_nothing(uow: Any, consumer: str, items: Any) -> inbox.Claimed:
    """The inbox check removed."""
    del uow, consumer
    return inbox.Claimed(fresh=list(items))


async def _offsets_first(self: TopicConsumer, records: Any) -> None:
    await self._commit(records)
    await self.processor.process(records)


async def _delete_first(self: Relay) -> int:
    async with self._database.moving() as connection:
        rows = await self._read(connection)
        await connection.fetch(relay_module._DELETE, {"ids": [row.id for row in rows]})
        await connection.commit()
    await self._send(rows)
    return len(rows)


async def _revive_anything(uow: Any, consumer: str, item: Any) -> bool:
    """Redrive that does not ask the inbox."""
    del uow, consumer, item
    return True


MUTATIONS: dict[str, tuple[Any, str, Any]] = {
    "inbox check removed": (inbox, "claim", _claim_nothing),
    "offsets committed first": (TopicConsumer, "_consume", _offsets_first),
    "outbox deleted before it is produced": (Relay, "move_batch", _delete_first),
    "redrive without the inbox": (inbox, "revive", _revive_anything),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_is_broken_on_purpose_is_found(
    world: World, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, mutation: str
) -> None:
    place, name, broken = MUTATIONS[mutation]
    monkeypatch.setattr(place, name, broken)
    with pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(
            machine_of(world, loop), settings=settings(PROFILE, phases=[Phase.generate])
        )
