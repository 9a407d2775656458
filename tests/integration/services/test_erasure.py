"""An erasure that one service does not confirm: seen by an operator, asked again, and confirmed in the end."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.services.story import RECORDED, Story, record
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform
from tests.support.records import hr_event

OTHERS = ("profiles", "matching", "feedback")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="session")
async def story(platform: Platform) -> Story:
    story = Story(platform, new_tenant())
    for chapter in (story.begin, story.enrol, story.propose, story.accept, story.meet):
        await chapter()
    return story


async def erasures(story: Story, **params: Any) -> list[Any]:
    answer = await story.platform["profiles"].ask(story.system("operator"), "GET", "/erasures", params=params)
    return list(answer["items"])


async def overdue_by_metrics(story: Story) -> int:
    text = (await story.platform["profiles"].call(None, "GET", "/metrics")).text
    found = re.search(r'^mentoring_erasures_overdue\{service="profiles"\} (\d+)', text, re.MULTILINE)
    assert found is not None
    return int(found[1])


async def test_a_missing_receipt_is_seen_and_asked_for_again(platform: Platform, story: Story) -> None:
    mentee = story.id(story.pair[1])
    path = f"/people/{mentee}/erasure"
    await platform["profiles"].ask(story.system("privacy"), "POST", path)
    await platform.carry(*OTHERS)
    (waiting,) = await erasures(story)
    assert (waiting["status"], waiting["missing"]) == ("requested", ["notifications"])
    assert await erasures(story, overdue=True) == []

    before = await overdue_by_metrics(story)
    await platform.pass_time(timedelta(hours=25))
    await platform["profiles"].fire_timers()
    (overdue,) = await erasures(story, overdue=True)
    assert (overdue["person_id"], overdue["status"]) == (mentee, "overdue")
    assert await overdue_by_metrics(story) == before + 1
    status = await platform["profiles"].ask(story.system("operator"), "GET", "/management/status")
    assert status["erasures_overdue"] == before + 1

    await platform.carry()  # the tombstone of today; that of yesterday never came
    (done,) = await erasures(story)
    assert (done["status"], done["missing"]) == ("confirmed", [])
    assert await overdue_by_metrics(story) == before
    sent = await platform["notifications"].rows(
        story.tenant, "SELECT recipient_id, state, reason FROM notification WHERE tenant = :tenant"
    )
    mine = {(row.state, row.reason) for row in sent if row.recipient_id == mentee}
    assert mine == {("suppressed", "recipient-erased")}


async def test_a_new_employment_is_a_person_like_any_other(platform: Platform, story: Story) -> None:
    """Everywhere: copies take the newer version, and a new pair may be written about."""
    profiles, name = platform["profiles"], story.pair[1]
    mentee = story.id(name)
    await profiles.ask(story.system("privacy"), "POST", f"/people/{mentee}/erasure")
    await platform.carry()
    again = hr_event(story.tenant, RECORDED, record(name), sequence=9)
    await platform.hear_hr(again)
    await platform.carry()
    assert (await profiles.call(story.who(name), "GET", f"/people/{mentee}")).status_code == 404

    tomorrow = (await profiles.now() + timedelta(days=1)).date().isoformat()
    hired = hr_event(story.tenant, RECORDED, record(name, hired_on=tomorrow), sequence=10)
    await platform.hear_hr(hired)
    await platform.carry()
    person = await profiles.ask(story.who(name), "GET", f"/people/{mentee}")
    assert (person["goals"], person["matching_consent"], person["hired_on"]) == ("", False, tomorrow)
    for service, query in (
        ("matching", "SELECT status AS state FROM person WHERE tenant = :tenant AND person_id = '{id}'"),
        ("notifications", "SELECT state FROM contact WHERE tenant = :tenant AND person_id = '{id}'"),
    ):
        (row,) = await platform[service].rows(story.tenant, query.format(id=mentee))
        assert row.state == "active"
    (erasure,) = await erasures(story)
    assert erasure["lifted_at"] is not None
    assert await profiles.timers(story.tenant) == []
