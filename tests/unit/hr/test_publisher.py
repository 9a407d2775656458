"""The publisher without Kafka: numbers, batches, failures, and publishing again."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)

from deploy.local.hr.errors import BrokerUnreachable, EventTooLarge, PublishFailed, TopicMissing
from deploy.local.hr.events import Mode
from deploy.local.hr.member import Organisation
from deploy.local.hr.organisation import make_organisation
from deploy.local.hr.publisher import HrPublisher
from shared.contracts import TOPIC
from tests.unit.hr.support import NO_ANSWER, FakeKafka, Record

AT = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT = TOPIC["hr-intake"].max_bytes


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
async def publisher(kafka: FakeKafka) -> AsyncIterator[HrPublisher]:
    async with make_publisher(kafka) as publisher:
        yield publisher


@pytest.fixture(scope="module")
def organisation() -> Organisation:
    return make_organisation(2_500, 1)


def make_publisher(kafka: FakeKafka, **options: Any) -> HrPublisher:
    return HrPublisher("kafka:9092", "acme", "t1.", make_producer=kafka.make, **options)


def body(record: Record) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(record.value or b"null")
    return decoded


async def test_records_in_order_with_progress(
    kafka: FakeKafka, publisher: HrPublisher, organisation: Organisation
) -> None:
    told: list[int] = []
    ids = await publisher.record(organisation.members, at=AT, progress=told.append)
    assert told == [1_000, 2_000, 2_500]
    assert {record.topic for record in kafka.records} == {"t1.hr-intake"}
    assert [body(record)["id"] for record in kafka.records] == ids
    assert [record.key for record in kafka.records] == [m.employee_id.encode() for m in organisation]
    assert kafka.max_bytes == LIMIT


async def test_the_three_kinds_of_event_number_one_employee(
    kafka: FakeKafka, publisher: HrPublisher, organisation: Organisation
) -> None:
    (member, *_) = organisation.members
    await publisher.record([member, member], at=AT)
    await publisher.terminate(member.employee_id, date(2026, 4, 30), at=AT, correlation_id="why")
    await publisher.cancel_termination(member.employee_id, at=AT)
    said = [body(record) for record in kafka.records]
    assert [(each["type"], each["sequence"]) for each in said] == [
        ("hr.person.recorded.v1", "1"),
        ("hr.person.recorded.v1", "2"),
        ("hr.person.terminated.v1", "3"),
        ("hr.person.termination-cancelled.v1", "4"),
    ]
    assert said[2]["data"] == {"employee_id": "E000001", "effective_on": "2026-04-30"}
    assert said[2]["correlationid"] == "why"
    assert publisher.sequences == {"E000001": 4}


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_second_run_publishes_the_same_bytes_and_a_resumed_one_goes_on(
    organisation: Organisation, mode: Mode
) -> None:
    first, second, third = FakeKafka(), FakeKafka(), FakeKafka()
    for kafka in (first, second):
        async with make_publisher(kafka, mode=mode) as publisher:
            await publisher.record(organisation.members[:5], at=AT)
    assert first.records == second.records
    async with make_publisher(third) as resumed:
        resumed.sequences = publisher.sequences
        await resumed.record(organisation.members[:5], at=AT)
    assert {body(record)["sequence"] for record in third.records} == {"2"}


async def test_tasks_do_not_swap_the_events_of_an_employee(kafka: FakeKafka, publisher: HrPublisher) -> None:
    await asyncio.gather(*(publisher.terminate("E1", date(2026, 1, day), at=AT) for day in range(1, 21)))
    assert [int(body(record)["sequence"]) for record in kafka.records] == list(range(1, 21))


async def test_what_is_not_confirmed_can_be_published_again_as_it_was(
    kafka: FakeKafka, publisher: HrPublisher, organisation: Organisation
) -> None:
    refused = organisation.members[1_500].employee_id.encode()
    kafka.answer = lambda record: KafkaError("the leader is away") if record.key == refused else None
    with pytest.raises(PublishFailed, match=r"1 of 1,000 events: .*the leader is away") as caught:
        await publisher.record(organisation.members, at=AT)
    assert len(caught.value.published) == 1_999
    (missing,) = caught.value.events
    assert missing.subject.encode() == refused
    assert len(publisher.sequences) == 2_000
    assert (kafka.made, kafka.stopped) == (1, 1)

    kafka.answer = lambda record: None
    assert await publisher.publish(caught.value.events) == [missing.id]
    assert kafka.records[-1].value == missing.encode().value
    assert kafka.made == 2


async def test_publishing_again_gives_back_all_that_is_still_missing(
    kafka: FakeKafka, publisher: HrPublisher, organisation: Organisation
) -> None:
    kafka.answer = lambda record: KafkaError()
    with pytest.raises(PublishFailed) as first:
        await publisher.record(organisation.members[:1_000], at=AT)
    with pytest.raises(PublishFailed) as second:
        await publisher.publish((*first.value.events, *first.value.events))
    assert second.value.events == (*first.value.events, *first.value.events)


async def test_silence_is_a_failure_after_a_while(kafka: FakeKafka) -> None:
    kafka.answer = lambda record: NO_ANSWER
    async with make_publisher(kafka, seconds=0.05) as publisher:
        with pytest.raises(PublishFailed, match=r"no answer within 0\.05 s"):
            await publisher.cancel_termination("E1", at=AT)
        with pytest.raises(PublishFailed, match="no answer"):
            await publisher.send_raw(b"x")


async def test_an_event_too_large_is_refused_before_anything_of_its_batch_is_sent(
    kafka: FakeKafka, publisher: HrPublisher, organisation: Organisation
) -> None:
    small, large = organisation.members[:2]
    large = replace(large, unmapped={"Remarks": "x" * LIMIT})
    with pytest.raises(EventTooLarge, match="E000002") as caught:
        await publisher.record([small, large], at=AT)
    assert caught.value.limit == LIMIT < caught.value.size
    assert not kafka.records
    assert publisher.sequences == {}
    with pytest.raises(EventTooLarge):
        await publisher.send_raw(b"x" * LIMIT, b"key")


async def test_raw_records_go_as_they_are(kafka: FakeKafka, publisher: HrPublisher) -> None:
    placed = await publisher.send_raw(b"\xff", None, (("ce_id", b"\xfe"),), partition=2)
    assert placed == (2, 0)
    await publisher.send_raw(None, b"E1")
    assert kafka.records == [
        Record("t1.hr-intake", None, b"\xff", (("ce_id", b"\xfe"),), 2),
        Record("t1.hr-intake", b"E1", None, (), None),
    ]
    assert publisher.sequences == {}
    with pytest.raises(ValueError, match="no partition 99"):
        await publisher.send_raw(b"x", partition=99)
    with pytest.raises(ValueError, match="key or a value"):
        await publisher.send_raw(None)


async def test_one_record_that_the_broker_finds_too_large(kafka: FakeKafka, publisher: HrPublisher) -> None:
    kafka.answer = lambda record: MessageSizeTooLargeError("more than the topic takes")
    with pytest.raises(EventTooLarge, match=r"E1 .* more than the broker takes"):
        await publisher.send_raw(b"x", b"E1")
    with pytest.raises(EventTooLarge, match=r"E1 .* more than the broker takes"):
        await publisher.cancel_termination("E1", at=AT)


async def test_a_time_without_an_offset_uses_up_no_number(publisher: HrPublisher) -> None:
    with pytest.raises(ValueError, match="offset"):
        await publisher.cancel_termination("E1", at=datetime(2026, 1, 1))  # noqa: DTZ001 - what is tested
    assert publisher.sequences == {}


async def test_no_broker_and_no_topic_are_told_apart(kafka: FakeKafka) -> None:
    kafka.start_error = KafkaConnectionError("nobody listens")
    with pytest.raises(BrokerUnreachable, match="nobody listens"):
        await make_publisher(kafka).__aenter__()
    kafka.start_error, kafka.topic_error = None, UnknownTopicOrPartitionError()
    with pytest.raises(TopicMissing, match=r"t1\.hr-intake"):
        await make_publisher(kafka).__aenter__()
    assert kafka.made == kafka.stopped == 2
