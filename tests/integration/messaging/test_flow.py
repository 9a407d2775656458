"""An event's way through the plumbing, on the real broker and the real database."""

import asyncio

from shared.messaging.kafka import LagReader, group_name, topic_name
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually


async def test_lag_counts_what_a_group_has_not_committed(toy: Toy, publisher: Publisher) -> None:
    for n in range(1, 6):
        await publisher.send(programme_event(f"e{n}", "a", sequence=n))
    group = (group_name(toy.settings, toy.name, "programme"), topic_name(toy.settings, "programme"))
    async with LagReader(toy.settings) as reader:
        assert await reader.behind([group, ("nobody", "no-such-topic")]) == {group: 5}
        await toy.broker.start()

        async def caught_up() -> bool:
            return await reader.behind([group]) == {group: 0}

        await eventually(caught_up, what="lag 0")
        assert group[0] in await reader.groups()


async def test_an_event_has_its_effect_and_says_its_event(toy: Toy, publisher: Publisher) -> None:
    await toy.broker.start()
    relay = asyncio.create_task(toy.relay.run())
    for n in range(1, 4):
        await publisher.send(programme_event(f"e{n}", "a", sequence=n))

    async def three() -> bool:
        return (await toy.things()).get("a") is not None and (await toy.things())["a"].effects == 3

    await eventually(three, what="three effects")

    async def empty() -> bool:
        return (await toy.plumbing("SELECT count(*) FROM outbox"))[0][0] == 0

    await eventually(empty, what="empty outbox")
    assert await toy.plumbing("SELECT key, sequence FROM outbox_ledger ORDER BY 2") == [
        ("a", 1),
        ("a", 2),
        ("a", 3),
    ]
    toy.relay.stop()
    await relay
