"""The relay on real servers: in order per key, also with two at once, and never two records for one row."""

import asyncio
import json

from shared.contracts.people import EnrolmentChanged, EnrolmentStatus, Role
from shared.messaging.kafka import make_reader, topic_name
from shared.messaging.relay import Relay
from tests.support.toy import Toy
from tests.support.waiting import eventually

KEYS, VERSIONS = 20, 25


async def say_everything(toy: Toy) -> None:
    """Versions of a key are said one transaction after the other, keys at the same time."""

    async def one(key: int) -> None:
        for version in range(1, VERSIONS + 1):
            async with toy.database.transaction("acme") as uow:
                uow.say(
                    EnrolmentChanged(
                        enrolment_id=f"k{key}",
                        programme_id="p",
                        person_id="p",
                        role=Role.MENTEE,
                        status=EnrolmentStatus.ACTIVE,
                    ),
                    version=version,
                )

    await asyncio.gather(*(one(key) for key in range(KEYS)))


async def read_all(toy: Toy, count: int) -> list[tuple[str, int]]:
    reader = make_reader(toy.settings, topic_name(toy.settings, "enrolment"), client_id="test")
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


async def test_two_relays_keep_the_order_of_every_key(toy: Toy) -> None:
    second = Relay(toy.settings, toy.database, toy.metrics)
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
