"""What one poll of a consumer brings: at once what it waited for, more at a time when it is behind."""

import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from shared.messaging import consumer
from shared.messaging.consumer import _PromptSubscriber


class Polled:
    """Answers polls from a list of seconds and records; None stands for an error of the broker."""

    def __init__(self, *answers: tuple[float, list[str] | None]) -> None:
        self.answers, self.asked = list(answers), list[tuple[int, int]]()
        self._fetcher = SimpleNamespace()
        self.now = 100.0

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[str, list[str]]:
        self.asked.append((timeout_ms, max_records))
        seconds, records = self.answers.pop(0)
        self.now += seconds
        if records is None:
            raise KafkaError
        return {"partition": records} if records else {}


@pytest.fixture
def poll(monkeypatch: pytest.MonkeyPatch) -> Callable[[Polled], Awaitable[tuple[str, ...]]]:
    """One poll of a subscriber that takes ten records at most."""
    subscriber: Any = object.__new__(_PromptSubscriber)
    subscriber.max_records = 10

    async def once(polled: Polled) -> tuple[str, ...]:
        monkeypatch.setattr(time, "monotonic", lambda: polled.now)
        found: tuple[str, ...] = await subscriber.get_msg(polled)
        return found

    return once


Poll = Callable[[Polled], Awaitable[tuple[str, ...]]]


async def test_records_that_were_waited_for_are_taken_at_once(poll: Poll) -> None:
    polled = Polled((0.3, ["a"]))
    assert await poll(polled) == ("a",)
    assert polled._fetcher._fetch_min_bytes == consumer._BUSY_FETCH_BYTES


async def test_who_is_behind_takes_also_what_the_next_fetch_brings(poll: Poll) -> None:
    polled = Polled((0.0, ["a"]), (0.01, ["b", "c"]))
    assert await poll(polled) == ("a", "b", "c")
    assert polled.asked[-1] == (consumer._BUSY_FETCH_MS, 9)


async def test_a_full_batch_waits_for_nothing(poll: Poll) -> None:
    assert await poll(Polled((0.0, ["a"] * 10))) == ("a",) * 10


async def test_an_error_of_the_next_fetch_costs_nothing_of_what_is_in_hand(poll: Poll) -> None:
    assert await poll(Polled((0.0, ["a"]), (0.0, None))) == ("a",)


async def test_while_nothing_comes_one_record_ends_a_fetch(poll: Poll) -> None:
    polled = Polled((1.0, []))
    assert await poll(polled) == ()
    assert polled._fetcher._fetch_min_bytes == consumer._IDLE_FETCH_BYTES == 1
