"""What one poll of a consumer brings: at once after a pause, more at a time while records come."""

from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError

from shared.messaging import consumer
from shared.messaging.consumer import _PromptSubscriber


class Polled:
    """Answers polls from a list; None stands for an error of the broker."""

    def __init__(self, *answers: list[str] | None) -> None:
        self.answers, self.asked = list(answers), list[tuple[int, int]]()
        self._fetcher = SimpleNamespace()

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[str, list[str]]:
        self.asked.append((timeout_ms, max_records))
        answer = self.answers.pop(0)
        if answer is None:
            raise KafkaError
        return {"partition": answer} if answer else {}


def subscriber() -> Any:
    made: Any = object.__new__(_PromptSubscriber)
    made.max_records = 10
    return made


async def test_the_first_records_after_a_pause_are_taken_at_once() -> None:
    polled = Polled(["a"], ["b"], ["c"])
    assert await subscriber().get_msg(polled) == ("a",)
    assert polled.answers == [["b"], ["c"]]
    assert polled._fetcher._fetch_min_bytes == consumer._BUSY_FETCH_BYTES


async def test_while_records_come_a_batch_takes_what_the_next_fetch_brings() -> None:
    polled, working = Polled(["a"], ["b"], ["c", "d"]), subscriber()
    await working.get_msg(polled)
    assert await working.get_msg(polled) == ("b", "c", "d")
    assert polled.asked[-1] == (consumer._BUSY_FETCH_MS, 9)


async def test_a_full_batch_waits_for_nothing() -> None:
    polled, working = Polled(["a"], ["b"] * 10), subscriber()
    await working.get_msg(polled)
    assert await working.get_msg(polled) == ("b",) * 10


async def test_an_error_of_the_next_fetch_costs_nothing_of_what_is_in_hand() -> None:
    polled, working = Polled(["a"], ["b"], None), subscriber()
    await working.get_msg(polled)
    assert await working.get_msg(polled) == ("b",)
