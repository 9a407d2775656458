"""A large batch in lanes: at the same time, and still each key in order."""

import asyncio
import json
import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from shared.messaging.codec import Item
from shared.messaging.lanes import LANES
from shared.messaging.redrive import _Original
from tests.support.publishing import STRUCTURED, programme_event
from tests.support.toy import Toy

KEYS, EACH, MOST = 24, 8, 5


def batch() -> list[_Original]:
    """Every key's versions in order, the keys mixed."""
    choice = random.Random(7)
    waiting = {key: deque(range(1, EACH + 1)) for key in (f"p{number}" for number in range(KEYS))}
    records: list[_Original] = []
    while left := [key for key, versions in waiting.items() if versions]:
        key = choice.choice(left)
        version = waiting[key].popleft()
        value = json.dumps(programme_event(f"{key}-{version}", key, sequence=version)).encode()
        records.append(_Original("programme", 0, len(records), key.encode(), value, [STRUCTURED], 0))
    return records


async def test_lanes_overlap_and_keep_every_keys_order(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.processor.most = MOST
    apply, open_now, seen = toy.processor._apply, 0, []

    async def watched(tenant: str, items: Sequence[Item]) -> Any:
        nonlocal open_now
        open_now += 1
        seen.append((open_now, len(items)))
        try:
            return await apply(tenant, items)
        finally:
            open_now -= 1

    monkeypatch.setattr(toy.processor, "_apply", watched)
    records = batch()
    await toy.processor.process(records)
    things = await toy.things()
    # A version that comes after a newer one is stale and has no effect.
    assert {key: (thing.version, thing.effects) for key, thing in things.items()} == {
        f"p{number}": (EACH, EACH) for number in range(KEYS)
    }
    assert {"applied"} == {row[0] for row in await toy.plumbing("SELECT DISTINCT outcome FROM inbox")}
    assert max(at_once for at_once, _ in seen) == LANES > 1
    assert max(size for _, size in seen) <= MOST
    assert sum(size for _, size in seen) == KEYS * EACH


async def test_batches_that_overlap_keep_every_keys_order(toy: Toy) -> None:
    """The second is handed over while the first is under way: each version still comes after the one before."""
    toy.processor.most = MOST
    records = batch()
    await asyncio.gather(toy.processor.hand_over(records[:60]), toy.processor.hand_over(records[60:]))
    assert {key: thing.effects for key, thing in (await toy.things()).items()} == {
        f"p{number}": EACH for number in range(KEYS)
    }


async def test_a_large_batch_of_one_key_is_one_lane(toy: Toy) -> None:
    toy.processor.most = MOST
    records = [record for record in batch() if record.key == b"p2"]
    assert len(records) > MOST
    await toy.processor.process(records)
    assert {key: thing.effects for key, thing in (await toy.things()).items()} == {"p2": EACH}


async def test_a_defect_in_one_lane_costs_the_other_nothing(toy: Toy) -> None:
    toy.processor.most = MOST
    records = batch()
    place = next(i for i, record in enumerate(records) if record.key == b"p3")
    broken = programme_event("broken", "p3", sequence=EACH + 1, name="too long for the table")
    records.insert(place, _Original("programme", 0, 99, b"p3", json.dumps(broken).encode(), [STRUCTURED], 0))
    await toy.processor.process(records)
    assert {key: thing.effects for key, thing in (await toy.things()).items()} == {
        f"p{number}": EACH for number in range(KEYS)
    }
    assert await toy.plumbing("SELECT event_id, reason FROM dead_letter") == [("broken", "unexpected")]
