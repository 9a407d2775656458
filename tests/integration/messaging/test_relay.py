"""The relay on real servers: in order per key, also with two at once, and never two records for one row."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from shared.contracts import TOPIC
from shared.contracts.people import EnrolmentChanged, EnrolmentStatus, ProgrammeChanged, Role
from shared.messaging import relay as relay_module
from shared.messaging.kafka import make_admin, make_reader, topic_name
from shared.messaging.relay import Relay
from shared.messaging.topics import create_topics
from shared.persistence.database import is_unavailable
from tests.support.toy import Toy
from tests.support.waiting import eventually

KEYS, VERSIONS = 20, 25


async def say_one(toy: Toy, key: str, version: int) -> None:
    async with toy.database.transaction("acme") as uow:
        uow.say(
            EnrolmentChanged(
                enrolment_id=key,
                programme_id="p",
                person_id="p",
                role=Role.MENTEE,
                status=EnrolmentStatus.ACTIVE,
            ),
            version=version,
        )


async def say_everything(toy: Toy) -> None:
    """Versions of a key are said one transaction after the other, keys at the same time."""

    async def one(key: int) -> None:
        for version in range(1, VERSIONS + 1):
            await say_one(toy, f"k{key}", version)

    await asyncio.gather(*(one(key) for key in range(KEYS)))


async def read_all(toy: Toy, count: int, topic: str = "enrolment") -> list[tuple[str, int]]:
    reader = make_reader(toy.settings, topic_name(toy.settings, topic), client_id="test")
    await reader.start()
    found: list[tuple[str, int]] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await reader.getmany(timeout_ms=200)).values():
                    found += [(r.key.decode(), int(json.loads(r.value)["sequence"])) for r in records]
    finally:
        await reader.stop()
    return found


async def test_a_turn_is_alone_and_sends_what_is_written_while_it_lasts(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Relay(toy.settings, toy.database, toy.metrics)
    moved_by_second: list[int] = []
    sends: list[int] = []
    send = toy.relay._send

    async def send_while_more_is_written(rows: Sequence[Any]) -> list[int]:
        sends.append(len(rows))
        if len(sends) == 1:
            await say_one(toy, "k1", 2)
        moved_by_second.append(await second.turn())
        return await send(rows)

    monkeypatch.setattr(toy.relay, "_send", send_while_more_is_written)
    await say_one(toy, "k1", 1)
    assert await toy.relay.turn() == 2
    assert (sends, moved_by_second) == ([1, 1], [0, 0])
    assert await second.turn() == 0
    assert await read_all(toy, 2) == [("k1", 1), ("k1", 2)]


async def test_a_turn_that_has_lost_its_lock_reads_no_more(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    send = toy.relay._send

    async def send_and_lose_the_lock(rows: Sequence[Any]) -> list[int]:
        sent = await send(rows)
        await say_one(toy, "k1", 2)
        ended = await toy.plumbing(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            f" WHERE locktype = 'advisory' AND objid = {relay_module._LOCK} AND datname = current_database()"
        )
        assert ended == [(True,)]
        return sent

    monkeypatch.setattr(toy.relay, "_send", send_and_lose_the_lock)
    await say_one(toy, "k1", 1)
    with pytest.raises(DBAPIError) as lost:
        await toy.relay.turn()
    assert is_unavailable(lost.value)
    assert await toy.plumbing("SELECT key, sequence FROM outbox") == [("k1", 2)]
    successor = Relay(toy.settings, toy.database, toy.metrics)
    try:
        assert await successor.turn() == 1
    finally:
        await successor.discard_producer()
    assert await read_all(toy, 2) == [("k1", 1), ("k1", 2)]


async def test_what_was_deleted_is_vacuumed_beside_the_relay(toy: Toy) -> None:
    relay = Relay(toy.settings, toy.database, toy.metrics, vacuum_rows=10)
    for version in range(1, 11):
        await say_one(toy, "k1", version)
    assert await relay.turn() == 10
    await relay.close()

    async def vacuumed() -> bool:
        counts = await toy.plumbing("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'outbox'")
        return counts == [(1,)]

    await eventually(vacuumed, what="a vacuum of the outbox")


async def test_two_relays_keep_the_order_of_every_key(toy: Toy) -> None:
    # A turn of the second one is many small batches, so that rows are written between two of the same turn.
    second = Relay(toy.settings.model_copy(update={"relay_batch": 3}), toy.database, toy.metrics)
    tasks = [asyncio.create_task(relay.run()) for relay in (toy.relay, second)]
    await say_everything(toy)

    async def empty() -> bool:
        return await toy.plumbing("SELECT count(*) FROM outbox") == [(0,)]

    await eventually(empty, what="an empty outbox")
    for relay in (toy.relay, second):
        relay.stop()
    await asyncio.gather(*tasks)
    found = await read_all(toy, KEYS * VERSIONS)
    assert len(found) == KEYS * VERSIONS
    for key in range(KEYS):
        assert [version for k, version in found if k == f"k{key}"] == list(range(1, VERSIONS + 1))
    assert await toy.plumbing("SELECT count(*), count(DISTINCT event_id) FROM outbox_ledger") == [
        (KEYS * VERSIONS, KEYS * VERSIONS)
    ]


async def say_programmes(toy: Toy, count: int, version: int) -> None:
    async with toy.database.transaction("acme") as uow:
        for number in range(count):
            uow.say(ProgrammeChanged(programme_id=f"p{number}", name="x"), version=version)


async def delete_topic(toy: Toy, topic: str) -> None:
    name = topic_name(toy.settings, topic)
    admin = make_admin(toy.settings)
    await admin.start()
    try:
        await admin.delete_topics([name])

        async def gone() -> bool:
            return name not in await admin.list_topics()

        await eventually(gone, what=f"{name} is gone")
    finally:
        await admin.close()


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "deleted while the producer knows it"])
async def test_a_topic_that_is_missing_holds_up_no_other(toy: Toy, known: bool) -> None:
    """More of its rows than a batch are at the head of the outbox; they go out when the topic is there again."""
    settings = toy.settings.model_copy(update={"relay_batch": 50})
    relay = Relay(settings, toy.database, toy.metrics)
    before = 1 if known else 0
    if known:
        await say_programmes(toy, 1, 1)
        assert await relay.turn() == 1
    await delete_topic(toy, "programme")
    await say_programmes(toy, 120, 2)
    for version in range(1, 11):
        await say_one(toy, "k", version)
    await say_programmes(toy, 120, 3)
    running = asyncio.create_task(relay.run())

    async def others_are_sent() -> bool:
        return await toy.plumbing("SELECT topic, count(*) FROM outbox GROUP BY topic") == [("programme", 240)]

    await eventually(others_are_sent, seconds=30, what="the other topic's rows")
    assert relay.waiting_for == "Kafka"
    assert await read_all(toy, 10) == [("k", version) for version in range(1, 11)]
    await create_topics(settings, [TOPIC["programme"]])

    async def everything_is_sent() -> bool:
        return relay.waiting_for is None and await toy.plumbing("SELECT 1 FROM outbox") == []

    await eventually(everything_is_sent, seconds=30, what="an empty outbox")
    relay.stop()
    await running
    found = await read_all(toy, 240, "programme")
    assert len(found) == 240
    for number in range(120):
        assert [version for key, version in found if key == f"p{number}"] == [2, 3]
    assert await toy.plumbing("SELECT count(*) FROM outbox_ledger") == [(250 + before,)]
