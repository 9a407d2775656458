"""Two topics keep no order between them: whichever half comes last has the effect, once.

On the real broker. Everything is published at once; a topic is late because its consumer starts later.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts.base import EventData
from shared.contracts.pairs import RelationshipStarted
from shared.contracts.people import Role
from shared.contracts.sessions import SessionChanged, SessionStatus
from tests.integration.services.said import enrolment, person, programme
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Instance
from tests.support.platform import Platform

TOPICS = ("person", "enrolment", "programme")
PROGRAMME = "p-1"
LATE = timedelta(seconds=60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    topics = (*TOPICS, "relationship", "session")
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer"), topics=topics) as platform:
        # Small batches, so that two consumers meet at many rows and not in one transaction each.
        for service in ("matching", "notifications"):
            platform.replica(service, "r0", batch_max_records=4)
        yield platform


def on(topic: str, events: list[EventData]) -> int:
    return sum(topic == event.TOPIC for event in events)


# matching


async def pool(matching: Instance, tenant: str) -> dict[str, Any]:
    """Who waits, when rounds are due, and what has come of them."""
    (row,) = await matching.rows(
        tenant,
        "SELECT (SELECT count(*) FROM mentee WHERE tenant = :tenant AND standing = 'eligible' AND place = 'free')"
        "   AS waiting,"
        " (SELECT count(*) FROM mentee WHERE tenant = :tenant AND place = 'proposed') AS proposed,"
        " (SELECT count(*) FROM proposal WHERE tenant = :tenant) AS proposals,"
        " (SELECT count(DISTINCT mentee_id) FROM proposal WHERE tenant = :tenant) AS mentees,"
        " (SELECT coalesce(sum(reserved), 0) FROM mentor_load WHERE tenant = :tenant) AS reserved",
    )
    said = await matching.plumbing("SELECT topic FROM outbox WHERE tenant = $1", tenant)
    rounds = [kind for kind, _ in await matching.timers(tenant) if kind in ("round", "matching")]
    return {**row._mapping, "said": len(said), "rounds": len(rounds)}


NOTHING = {"waiting": 0, "proposed": 0, "proposals": 0, "mentees": 0, "reserved": 0, "said": 0}
ONE_PAIR = {"waiting": 0, "proposed": 1, "proposals": 1, "mentees": 1, "reserved": 1, "said": 1, "rounds": 0}


@pytest.mark.parametrize("order", list(permutations(TOPICS)), ids=" then ".join)
async def test_the_last_half_brings_the_mentee_into_the_pool_and_one_proposal_follows(
    platform: Platform, order: tuple[str, ...]
) -> None:
    matching, tenant = platform["matching"], new_tenant()
    events: list[EventData] = [
        person("mentor", level=5),
        person("mentee"),
        enrolment("mentor", PROGRAMME, Role.MENTOR),
        enrolment("mentee", PROGRAMME, Role.MENTEE),
        programme(PROGRAMME, matching_delay_minutes=1),
    ]
    await platform.publish(tenant, *events)
    settled = 0
    for topic in order:
        if settled:
            found = await pool(matching, tenant)
            assert {name: found[name] for name in NOTHING} == expected_before(order, topic)
            await platform.pass_time(LATE)
            await matching.fire_timers()
        settled += on(topic, events)
        await matching.consume(topic)
        await matching.settled(tenant, settled)
        await matching.stop_consuming(topic)
    assert await pool(matching, tenant) == NOTHING | {"waiting": 1, "rounds": 1}
    await matching.fire_timers()
    assert await pool(matching, tenant) == NOTHING | {"waiting": 1, "rounds": 1}, "a round before its time"
    await platform.pass_time(LATE)
    await matching.fire_timers()
    assert await pool(matching, tenant) == ONE_PAIR
    # The same once more, as after a restart from an older offset, and time for another round.
    await platform.publish(tenant, programme(PROGRAMME, matching_delay_minutes=1), version=2)
    await matching.hear(tenant, person("mentee", team="another"), version=2)
    await platform.pass_time(2 * LATE)
    await matching.fire_timers()
    assert await pool(matching, tenant) == ONE_PAIR


def expected_before(order: tuple[str, ...], topic: str) -> dict[str, int]:
    """Before the last half: nothing; but a mentee whose programme alone is unknown does wait already."""
    waits = topic == order[2] == "programme"
    return NOTHING | {"waiting": int(waits)}


async def test_fifty_people_whose_halves_come_at_the_same_moment(platform: Platform) -> None:
    matching, tenant = platform["matching"], new_tenant()
    mentors, mentees = [f"mentor-{n}" for n in range(10)], [f"mentee-{n:02}" for n in range(50)]
    events: list[EventData] = [
        *(person(name, level=5, capacity=5) for name in mentors),
        *(person(name) for name in mentees),
        *(enrolment(name, PROGRAMME, Role.MENTOR) for name in mentors),
        *(enrolment(name, PROGRAMME, Role.MENTEE) for name in mentees),
        programme(PROGRAMME),
    ]
    await platform.publish(tenant, *events)
    await asyncio.gather(*(matching.consume(topic) for topic in TOPICS))
    await matching.settled(tenant, len(events))
    await asyncio.gather(*(matching.stop_consuming(topic) for topic in TOPICS))
    assert await pool(matching, tenant) == NOTHING | {"waiting": 50, "rounds": 1}
    await platform.pass_time(2 * LATE)
    await matching.fire_timers()
    assert await pool(matching, tenant) == {
        "waiting": 0, "proposed": 50, "proposals": 50, "mentees": 50, "reserved": 50, "said": 50, "rounds": 0,
    }  # fmt: skip


# notifications


def pair(number: int, *, started_at: Any) -> RelationshipStarted:
    return RelationshipStarted(
        relationship_id=f"r-{number}",
        programme_id=PROGRAMME,
        mentor_id=f"mentor-{number}",
        mentee_id=f"mentee-{number}",
        started_at=started_at,
    )


async def mail(notifications: Instance, tenant: str) -> dict[str, Counter[str]]:
    """Messages by state, and what was said of them by status."""
    rows = await notifications.rows(tenant, "SELECT state FROM notification WHERE tenant = :tenant")
    said = await notifications.plumbing(
        "SELECT convert_from(payload, 'UTF8')::jsonb -> 'data' ->> 'status' AS status FROM outbox"
        " WHERE tenant = $1",
        tenant,
    )
    return {
        "messages": Counter(row.state for row in rows),
        "said": Counter(row["status"] for row in said),
    }


@pytest.mark.parametrize("order", list(permutations(("relationship", "person"))), ids=" then ".join)
async def test_a_mail_waits_for_the_person_and_is_queued_once(
    platform: Platform, order: tuple[str, ...]
) -> None:
    notifications, tenant = platform["notifications"], new_tenant()
    now = await notifications.now()
    events: list[EventData] = [pair(1, started_at=now), person("mentor-1"), person("mentee-1")]
    await platform.publish(tenant, *events)
    settled = 0
    for topic in order:
        if settled:
            waiting = {"waiting": 2} if topic == "person" else {}
            assert await mail(notifications, tenant) == {"messages": waiting, "said": {}}
            await platform.pass_time(LATE)
        settled += on(topic, events)
        await notifications.consume(topic)
        await notifications.settled(tenant, settled)
        await notifications.stop_consuming(topic)
    once = {"messages": {"queued": 2}, "said": {"queued": 2}}
    assert await mail(notifications, tenant) == once
    await notifications.hear(tenant, person("mentor-1", team="another"), version=2)
    await notifications.hear(tenant, pair(1, started_at=now), version=2)
    assert await mail(notifications, tenant) == once


async def test_fifty_pairs_whose_people_come_at_the_same_moment(platform: Platform) -> None:
    notifications, tenant = platform["notifications"], new_tenant()
    now = await notifications.now()
    events: list[EventData] = [
        *(pair(n, started_at=now) for n in range(50)),
        *(person(f"{role}-{n}") for n in range(50) for role in ("mentor", "mentee")),
    ]
    await platform.publish(tenant, *events)
    await asyncio.gather(*(notifications.consume(topic) for topic in ("relationship", "person")))
    await notifications.settled(tenant, len(events))
    await asyncio.gather(*(notifications.stop_consuming(topic) for topic in ("relationship", "person")))
    assert await mail(notifications, tenant) == {"messages": {"queued": 100}, "said": {"queued": 100}}


@pytest.mark.parametrize("order", list(permutations(("session", "programme"))), ids=" then ".join)
async def test_a_reminder_is_timed_by_whichever_half_comes_last(
    platform: Platform, order: tuple[str, ...]
) -> None:
    notifications, tenant = platform["notifications"], new_tenant()
    await notifications.hear(tenant, person("mentor-1"), person("mentee-1"))
    events: list[EventData] = [
        programme(PROGRAMME, session_reminder_hours=24),
        SessionChanged(
            session_id="s-1",
            relationship_id="r-1",
            programme_id=PROGRAMME,
            mentor_id="mentor-1",
            mentee_id="mentee-1",
            status=SessionStatus.BOOKED,
            starts_at=await notifications.now() + timedelta(hours=48),
            minutes=45,
        ),
    ]
    await platform.publish(tenant, *events)
    settled = 2
    for topic in order:
        assert await notifications.timers(tenant) == []
        settled += 1
        await notifications.consume(topic)
        await notifications.settled(tenant, settled)
        await notifications.stop_consuming(topic)
        await platform.pass_time(LATE)
    assert await notifications.timers(tenant) == [("session-reminder", "s-1")]
    booked = {"messages": {"queued": 2}, "said": {"queued": 2}}
    assert await mail(notifications, tenant) == booked
    await platform.pass_time(timedelta(hours=25))
    await notifications.fire_timers()
    await notifications.fire_timers()
    assert await mail(notifications, tenant) == {"messages": {"queued": 4}, "said": {"queued": 4}}
    assert await notifications.timers(tenant) == []
