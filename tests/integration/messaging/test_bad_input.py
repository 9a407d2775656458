"""Each kind of bad record on the real broker, with good records before and behind it on its partition.

The bad one ends as a dead letter with its reason and its original bytes, the good ones have their
effect, and nothing that was in the record reaches a log.
"""

import asyncio
import base64
import json
import random
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from shared.messaging.kafka import make_reader
from tests.support.publishing import STRUCTURED, Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually

MARK = "zaphod.beeblebrox"
"""Stands for something personal: it is in every bad record and must be in no log."""


@dataclass(frozen=True)
class Bad:
    name: str
    reason: str
    value: bytes | dict[str, Any] | None
    headers: list[tuple[str, Any]] | None = None


def nested(depth: int) -> bytes:
    return b'{"data":' + b"[" * depth + f'"{MARK}"'.encode() + b"]" * depth + b"}"


def changed(**changes: Any) -> dict[str, Any]:
    return programme_event(f"bad-{MARK}@x.example", "bad", name=MARK, **changes)


BAD = [
    Bad("not UTF-8", "not_utf8", b"\xff\xfe" + MARK.encode()),
    Bad(
        "not UTF-8 deep inside",
        "not_utf8",
        json.dumps(changed()).encode().replace(b"Beeble", b"\xff")[:-1] + b"\xff}",
    ),
    Bad("bad JSON", "bad_json", b'{"id": "' + MARK.encode()),
    Bad("empty", "bad_json", b""),
    Bad("null value", "null_value", None),
    Bad("a list", "wrong_type", json.dumps([MARK]).encode()),
    Bad("a number as id", "wrong_type", changed(id=7)),
    Bad("no tenant", "wrong_type", {k: v for k, v in changed().items() if k != "tenant"}),
    Bad("a tenant that is no identifier", "wrong_type", changed(tenant=f"{MARK} & sons")),
    Bad("no sequence", "wrong_type", {k: v for k, v in changed().items() if k != "sequence"}),
    Bad("a sequence that is no number", "wrong_type", changed(sequence=MARK)),
    Bad("a header that is not UTF-8", "headers_undecodable", changed(), [STRUCTURED, ("x", b"\xff")]),
    Bad("a null header", "headers_undecodable", changed(), [STRUCTURED, ("x", None)]),
    Bad("a header that contradicts", "headers_contradict", changed(), [STRUCTURED, ("ce_id", b"other")]),
    Bad("one header twice", "headers_contradict", changed(), [STRUCTURED, ("a", b"1"), ("a", b"2")]),
    Bad("too deep", "too_deep", nested(33)),
    Bad("absurdly deep", "too_deep", nested(100_000)),
    Bad("unknown version", "unknown_version", changed(type="mentoring.programme.changed.v9")),
    Bad("data of a wrong type", "invalid_data", changed(data={"programme_id": "bad", "name": [MARK]})),
    Bad("data that lacks a field", "invalid_data", changed(data={"programme_id": MARK})),
    Bad("data that is null", "invalid_data", changed(data=None)),
    Bad(
        "a lone surrogate",
        "bad_json",
        json.dumps(changed()).encode().replace(f'"{MARK}"'.encode(), b'"\\ud800"'),
    ),
    Bad("a NUL character", "invalid_data", changed(data={"programme_id": "bad", "name": f"{MARK}\x00"})),
    Bad("a subject that contradicts", "subject_contradicts", changed(subject=MARK)),
    Bad(
        "a refusal by the domain", "refused", programme_event("bad", "bad", name="refuse", correlationid=MARK)
    ),
    Bad(
        "a defect of the handler",
        "unexpected",
        programme_event("bad", "bad", name="defect", correlationid=MARK),
    ),
    Bad(
        "refused by the database", "unexpected", programme_event("bad", "bad", name="too long for the table")
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
async def test_a_bad_record_dies_with_its_reason_and_its_neighbours_live(
    toy: Toy, publisher: Publisher, bad: Bad, capsys: pytest.CaptureFixture[str]
) -> None:
    await publisher.send(programme_event("before", "a"))
    offset = await publisher.send(bad.value, key=MARK, headers=bad.headers)
    await publisher.send(programme_event("behind", "b"))
    await toy.broker.start()
    relay = asyncio.create_task(toy.relay.run())

    await effects_of(toy, "a", "b")
    rows = await eventually(lambda: dead_letters(toy), what="a dead letter")
    assert [(row[0], row[1]) for row in rows] == [(bad.reason, offset)]
    assert set(await toy.things()) == {"a", "b"}
    record = await dead_record(toy)
    original = json.dumps(bad.value).encode() if isinstance(bad.value, dict) else bad.value
    headers = dict(record.headers)
    assert record.value == original
    assert base64.b64decode(headers["dl_key"]) == MARK.encode()
    assert headers["dl_reason"].decode() == bad.reason
    assert (headers["dl_partition"], headers["dl_offset"]) == (b"0", str(offset).encode())
    kept = [[n, None if v is None else base64.b64decode(v)] for n, v in json.loads(headers["dl_headers"])]
    assert kept == [list(header) for header in (bad.headers or [STRUCTURED])]
    toy.relay.stop()
    await relay
    output = capsys.readouterr()
    assert MARK not in output.out + output.err
    assert MARK not in str(rows)


async def test_an_id_used_for_two_bodies_is_a_dead_letter(toy: Toy, publisher: Publisher) -> None:
    await publisher.send(programme_event("same", "a"))
    await publisher.send(programme_event("same", "a", sequence=2, name="Other"))
    await toy.broker.start()
    await effects_of(toy, "a")
    await eventually(lambda: dead_letters(toy), what="a dead letter")
    await publisher.send(programme_event("same", "a", sequence=3, name="Third"))  # in a later batch too
    await publisher.send(programme_event("behind", "b"))
    await effects_of(toy, "b")
    assert [row[0] for row in await dead_letters(toy)] == ["id_reused", "id_reused"]
    assert (await toy.things())["a"].effects == 1


async def test_a_duplicate_has_one_effect(toy: Toy, publisher: Publisher) -> None:
    event = programme_event("e1", "a")
    await publisher.send(event)
    await publisher.send(event)
    await toy.broker.start()
    await effects_of(toy, "a")
    await publisher.send(event)
    await publisher.send(programme_event("behind", "b"))
    await effects_of(toy, "b")
    assert (await toy.things())["a"].effects == 1
    assert await dead_letters(toy) == []
    assert await toy.plumbing("SELECT count(*) FROM inbox") == [(2,)]
    assert duplicates(toy) == 2


async def test_an_unknown_type_is_counted_and_passed(toy: Toy, publisher: Publisher) -> None:
    await publisher.send(programme_event("u", "a", type="somebody.elses.thing.v1"))
    await publisher.send(programme_event("behind", "b"))
    await toy.broker.start()
    await effects_of(toy, "b")
    assert await dead_letters(toy) == []
    assert await toy.plumbing("SELECT outcome, count(*) FROM inbox GROUP BY 1 ORDER BY 1") == [
        ("applied", 1),
        ("unknown", 1),
    ]


async def test_one_id_in_two_tenants_is_two_events(toy: Toy, publisher: Publisher) -> None:
    await publisher.send(programme_event("e1", "a"))
    await publisher.send(programme_event("e1", "a", tenant="globex"))
    await publisher.send(programme_event("behind", "b"))
    await toy.broker.start()
    await effects_of(toy, "b")
    assert (await toy.things("acme"))["a"].effects == 1

    async def other_tenant() -> bool:
        """Each tenant of a batch has its own transaction; this one's comes second."""
        return "a" in await toy.things("globex")

    await eventually(other_tenant, what="the effect in the other tenant")
    assert (await toy.things("globex"))["a"].effects == 1


async def test_a_record_too_large_is_refused_to_its_producer(toy: Toy, publisher: Publisher) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        await publisher.send(random.Random(0).randbytes(5 * 1024 * 1024))


async def test_a_flood_of_poison_holds_up_nobody(toy: Toy, publisher: Publisher) -> None:
    for number in range(300):
        await publisher.send(b"{" + str(number).encode())
    await publisher.send(programme_event("behind", "b"))
    await toy.broker.start()
    await effects_of(toy, "b")

    async def all_buried() -> bool:
        return len(await dead_letters(toy)) == 300

    await eventually(all_buried, what="300 dead letters")


async def test_the_circuit_opens_before_a_defect_buries_everything(toy: Toy, publisher: Publisher) -> None:
    """A defect that hits every event must not turn a topic into dead letters; when it is mended, all go through."""
    handling = toy.processor.decoder._handlings["mentoring.programme.changed.v1"]
    real, broken = handling.handle, True

    async def handle(event: Any, uow: Any) -> Any:
        if broken:
            raise ZeroDivisionError
        return await real(event, uow)

    object.__setattr__(handling, "handle", handle)
    for number in range(20):
        await publisher.send(programme_event(f"e{number}", f"t{number}"))
    await toy.broker.start()

    async def opened() -> bool:
        return toy.circuit.open

    await eventually(opened, what="the open circuit")
    broken = False
    await publisher.send(programme_event("behind", "b"))
    await effects_of(toy, "b")
    buried = len(await dead_letters(toy))
    assert buried < toy.circuit.threshold
    assert len(await toy.things()) == 21 - buried


async def effects_of(toy: Toy, *things: str) -> None:
    async def there() -> bool:
        return set(things) <= set(await toy.things())

    await eventually(there, what=f"effects on {things}")


async def dead_letters(toy: Toy) -> list[tuple[Any, ...]]:
    return await toy.plumbing(
        "SELECT reason, record_offset, detail, event_id, event_type, source FROM dead_letter ORDER BY record_offset"
    )


async def dead_record(toy: Toy) -> Any:
    reader = make_reader(toy.settings, f"{toy.settings.kafka_topic_prefix}dlt.{toy.name}", client_id="test")
    await reader.start()
    try:
        async with asyncio.timeout(20):
            return await reader.getone()
    finally:
        await reader.stop()


def duplicates(toy: Toy) -> float:
    value = toy.metrics.registry.get_sample_value(
        "mentoring_records_total", {"service": toy.name, "topic": "programme", "outcome": "duplicate"}
    )
    return value or 0.0
