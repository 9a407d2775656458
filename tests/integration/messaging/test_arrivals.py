"""The reader of the bench gets what comes from now on: what is there already would be measured as if it came now."""

from tests.bench.arrivals import from_now_on
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy


async def test_what_is_there_already_is_not_read(toy: Toy, publisher: Publisher) -> None:
    for number in range(20):
        await publisher.send(programme_event(f"old-{number}", "a"))
    async with from_now_on(toy.settings, "programme") as reader:
        await publisher.send(programme_event("new", "a"))
        found = [
            record for records in (await reader.getmany(timeout_ms=30_000)).values() for record in records
        ]
    assert [b"new" in record.value for record in found] == [True]
