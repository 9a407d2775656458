"""The check goes red when the plumbing itself is broken: without the inbox, with offsets committed first, with an
outbox row dropped. And it judges nothing while something is under way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.check import check
from shared.contracts.people import ProgrammeChanged
from shared.messaging import inbox
from shared.messaging.consumer import TopicConsumer
from shared.messaging.kafka import make_reader
from shared.persistence.driver import Statement
from tests.integration.check.conftest import Check, NewPlatform, sources_of
from tests.integration.check.test_red import assert_shows
from tests.integration.services.story import RECORDED, Story, record
from tests.support.databases import new_tenant
from tests.support.platform import Platform
from tests.support.records import hr_event
from tests.support.waiting import eventually

_RELAY_LOCK = 0x4F555442

_NO_INBOX = Statement(inbox._CLAIM.text.replace("DO NOTHING", "DO UPDATE SET topic = excluded.topic"))
"""Every record is new, each time it comes."""


async def records_of(platform: Platform, topic: str) -> list[Any]:
    """All records of a topic, as the broker gives them."""
    reader = make_reader(platform.settings("profiles"), platform.prefix + topic, client_id="test")
    await reader.start()
    try:
        ends = await reader.end_offsets(reader.assignment())
        records: list[Any] = []

        async def all_read() -> bool:
            for batch in (await reader.getmany(timeout_ms=200)).values():
                records.extend(batch)
            return len(records) >= int(sum(ends.values()))

        await eventually(all_read, what=f"all of {topic}")
        return records
    finally:
        await reader.stop()


async def test_without_the_inbox_a_redelivery_shows(
    new_platform: NewPlatform, judge: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_platform() as platform:
        await platform.run()
        story = Story(platform, new_tenant())
        await story.begin()
        await story.enrol()
        profiles, matching = platform["profiles"], platform["matching"]
        redelivered = await records_of(platform, "hr-intake"), await records_of(platform, "enrolment")
        assert all(redelivered)

        async def redeliver() -> None:
            await profiles._processor("hr-intake").process(redelivered[0])
            await matching._processor("enrolment").process(redelivered[1])
            await platform.carry()

        await redeliver()
        report = await judge(platform)
        assert report.ok, report.render()

        monkeypatch.setattr(inbox, "_CLAIM", _NO_INBOX)
        await redeliver()
        assert_shows(await judge(platform), (("I5", "it was handled twice"), ("I3", "counted once")))


async def test_offsets_committed_first_and_then_killed_shows(
    new_platform: NewPlatform, judge: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Any] = []

    async def commit_and_die(consumer: TopicConsumer, records: Sequence[Any]) -> None:
        await consumer._commit(records)
        if consumer.topic == "enrolment" and not lost:
            lost.extend(records)  # killed here; whoever comes next begins behind these
            return
        await consumer.processor.process(records)

    monkeypatch.setattr(TopicConsumer, "_consume", commit_and_die)
    async with new_platform() as platform:
        await platform.run()
        story = Story(platform, new_tenant())
        await story.begin()
        await story.enrol()
        report = await judge(platform)
    assert lost
    assert_shows(report, (("I5", "a record without outcome"), ("I3", "an event without its row")))
    passed_over = next(v for v in report.violations if "without outcome" in v.what)
    assert passed_over.count == len(lost)
    assert {row["service"] for row in passed_over.rows} == {"matching"}


@asynccontextmanager
async def relay_kept_waiting(platform: Platform, service: str) -> AsyncIterator[Any]:
    """Somebody else holds the relay's lock: what is said stays in the outbox."""
    async with platform.databases.login(service, "admin") as admin:
        await admin.execute("SELECT pg_advisory_lock($1)", _RELAY_LOCK)
        yield admin


async def test_an_outbox_row_that_somebody_drops_shows(new_platform: NewPlatform, judge: Check) -> None:
    async with new_platform() as platform:
        await platform.run()
        story = Story(platform, new_tenant())
        await story.begin()
        async with relay_kept_waiting(platform, "profiles") as admin:
            newer = record("mentor-a", department="Elsewhere")
            await platform.send(hr_event(story.tenant, RECORDED, newer, sequence=2))

            async def said() -> bool:
                return bool(await admin.fetchval("SELECT count(*) FROM outbox"))

            await eventually(said, what="an event that waits")
            moving = await check(sources_of(platform))
            assert moving.verdict == "not at rest"
            assert moving.moving["outbox of profiles"] == 1
            assert moving.findings == ()
            assert await admin.execute("DELETE FROM outbox") == "DELETE 1"
        report = await judge(platform)
    assert_shows(
        report,
        (
            ("I2", "said, but not in the topic: lost"),
            ("I4", "a row of another version"),
        ),
    )


async def test_what_nobody_said_and_a_gap_in_versions_show(new_platform: NewPlatform, judge: Check) -> None:
    async with new_platform() as platform:
        await platform.run()
        story = Story(platform, new_tenant())
        await story.begin()
        event = ProgrammeChanged(programme_id="p-main", name="Main")
        await platform.publish(story.tenant, event, version=7)
        await platform.carry()
        report = await judge(platform)
    assert_shows(
        report,
        (
            ("I2", "never said by its owner"),
            ("I4", "versions with a gap"),
            ("I4", "a row of another version"),
        ),
    )


async def test_it_waits_for_rest(new_platform: NewPlatform) -> None:
    async with new_platform() as platform:
        await platform.run()
        story = Story(platform, new_tenant())
        await story.begin()
        async with relay_kept_waiting(platform, "profiles") as admin:
            newer = record("mentor-a", department="Elsewhere")
            await platform.send(hr_event(story.tenant, RECORDED, newer, sequence=2))

            async def said() -> bool:
                return bool(await admin.fetchval("SELECT count(*) FROM outbox"))

            await eventually(said, what="an event that waits")
            waiting = asyncio.create_task(check(sources_of(platform, wait=60)))
            done, _ = await asyncio.wait([waiting], timeout=1)
            assert not done
        report = await waiting
    assert report.ok, report.render()
