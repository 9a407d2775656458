"""From what participants and coordinators tell *profiles* to whom *matching* proposes, on real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.services.story import PROGRAMME, Story
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Who
from tests.support.platform import Platform


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="session")
async def story(platform: Platform) -> Story:
    """Two mentors with one place each and two mentees, all enrolled."""
    story = Story(platform, new_tenant())
    for chapter in (story.begin, story.enrol):
        await chapter()
    return story


async def wish(story: Story, name: str, **wishes: Any) -> Any:
    path = f"/programmes/{PROGRAMME}/enrolments/{name.partition('-')[0]}/{story.id(name)}/wishes"
    told = await story.platform["profiles"].ask(story.who(name), "PUT", path, json=wishes)
    await story.platform.carry()
    return told


async def settle(story: Story, **matching: Any) -> Any:
    told = await story.platform["profiles"].ask(
        story.who("coordinator"), "PUT", f"/programmes/{PROGRAMME}/matching", json=matching
    )
    await story.platform.carry()
    return told


async def round_now(story: Story) -> None:
    matching = story.platform["matching"]
    await matching.ask(story.who("coordinator"), "POST", f"/programmes/{PROGRAMME}/rounds")
    await matching.fire_timers()
    await story.platform.carry()


async def pairs(story: Story, status: str = "open") -> set[tuple[str, str]]:
    """(mentee, mentor) by HR's names, of proposals with this status."""
    names = {story.id(name): name for name in ("mentor-a", "mentor-b", "mentee-a", "mentee-b")}
    rows = await story.platform["matching"].rows(
        story.tenant,
        f"SELECT mentee_id, mentor_id FROM proposal WHERE tenant = :tenant AND status = '{status}'",
    )
    return {(names[row.mentee_id], names[row.mentor_id]) for row in rows}


async def test_who_is_avoided_is_never_proposed(story: Story) -> None:
    """By a mentee, and by a mentor: what is left is one way to pair them all."""
    await wish(story, "mentee-a", avoid=[story.id("mentor-a")])
    await wish(story, "mentor-b", avoid=[story.id("mentee-b")])
    await round_now(story)
    assert await pairs(story) == {("mentee-a", "mentor-b"), ("mentee-b", "mentor-a")}


async def test_when_nobody_else_is_left_nobody_is_proposed(story: Story) -> None:
    mentors = [story.id("mentor-a"), story.id("mentor-b")]
    await wish(story, "mentee-a", avoid=mentors)
    await round_now(story)
    assert {mentee for mentee, _ in await pairs(story)} == {"mentee-b"}
    matching, coordinator = story.platform["matching"], story.who("coordinator")
    waiting = await matching.ask(coordinator, "GET", f"/programmes/{PROGRAMME}/waiting")
    assert [each["found"] for each in waiting["items"]] == ["no-candidate"]
    assert not [mentor for mentor in mentors if mentor in str(waiting)]


@pytest.mark.parametrize("chosen", ["mentor-a", "mentor-b"])
async def test_a_ranked_choice_raises_its_pair(story: Story, chosen: str) -> None:
    other = {"mentor-a": "mentor-b", "mentor-b": "mentor-a"}[chosen]
    await wish(story, "mentee-b", choices=[story.id(chosen), story.id(other)])
    await round_now(story)
    assert await pairs(story) == {("mentee-b", chosen), ("mentee-a", other)}


async def test_an_avoid_list_withdraws_what_is_proposed(story: Story) -> None:
    await wish(story, "mentee-a", choices=[story.id("mentor-a")])
    await round_now(story)
    await wish(story, "mentor-a", avoid=[story.id("mentee-a")])
    assert await pairs(story, "withdrawn") == {("mentee-a", "mentor-a")}
    matching = story.platform["matching"]
    seen = await matching.ask(story.who("mentee-a"), "GET", "/me/proposals")
    assert [each["status"] for each in seen["items"]] == ["withdrawn"]
    assert "avoid" not in str(seen)
    await round_now(story)
    assert ("mentee-a", "mentor-a") not in await pairs(story)


async def test_a_pause_frees_nobody_a_place(story: Story) -> None:
    await wish(story, "mentor-a", paused=True)
    await round_now(story)
    assert {mentor for _, mentor in await pairs(story)} == {"mentor-b"}


async def test_a_supervised_programme_proposes_nobody_by_itself(story: Story) -> None:
    matching, coordinator = story.platform["matching"], story.who("coordinator")
    told = await settle(story, rounds="supervised", objective="value", weights={"experience_best": [1, 2]})
    assert (told["rounds"], told["configuration_version"]) == ("supervised", 2)
    assert ("round", PROGRAMME) not in await matching.timers(story.tenant)
    answer = await matching.call(coordinator, "POST", f"/programmes/{PROGRAMME}/rounds")
    assert (answer.status_code, answer.json()["code"]) == (409, "programme_supervised")
    await wish(story, "mentee-a", preferences=["a sailor"])
    assert ("round", PROGRAMME) not in await matching.timers(story.tenant)
    await settle(story)
    await round_now(story)
    assert len(await pairs(story)) == 2


async def test_rules_and_weights_reach_the_round(story: Story) -> None:
    await settle(story, rules={"maximum_level_gap": 3})  # mentors are four levels above
    await round_now(story)
    assert await pairs(story) == set()
    await settle(story, rules={"maximum_level_gap": 4}, weights={"same_office": 0})
    await round_now(story)
    assert len(await pairs(story)) == 2


async def test_who_is_erased_vanishes_from_all_lists(story: Story) -> None:
    gone = story.id("mentor-b")
    await wish(story, "mentee-a", choices=[gone], preferences=["a sailor"])
    await wish(story, "mentee-b", avoid=[story.id("mentor-a"), gone])
    await wish(story, "mentor-b", avoid=[story.id("mentee-a")], preferences=["a sailor"])
    path = f"/people/{gone}/erasure"
    await story.platform["profiles"].ask(story.system("privacy"), "POST", path)
    await story.platform.carry()
    for service in ("profiles", "matching"):
        rows = await story.platform[service].rows(
            story.tenant,
            "SELECT person_id, choices::text, avoid::text, preferences::text FROM enrolment WHERE tenant = :tenant",
        )
        lists = {row.person_id: (row.choices, row.avoid, row.preferences) for row in rows}
        assert lists[gone] == ("[]", "[]", "[]"), service
        assert lists[story.id("mentee-a")] == ("[]", "[]", '["a sailor"]'), service
        assert lists[story.id("mentee-b")] == ("[]", f'["{story.id("mentor-a")}"]', "[]"), service


async def test_nobody_else_reads_an_avoid_list(story: Story) -> None:
    """Every answer that speaks of the one or the other, to everybody who gets one."""
    avoided = story.id("mentor-a")
    await wish(story, "mentee-a", avoid=[avoided], preferences=["a marked wish"])
    await round_now(story)
    profiles, matching = story.platform["profiles"], story.platform["matching"]
    enrolment = f"/programmes/{PROGRAMME}/enrolments/mentee/{story.id('mentee-a')}"
    coordinator = story.who("coordinator")

    async def told(instance: Any, who: Who, path: str) -> str:
        answer = await instance.call(who, "GET", path)
        return str(answer.text) if answer.is_success else ""

    answers = [
        await told(profiles, coordinator, f"/programmes/{PROGRAMME}/enrolments"),
        await told(matching, coordinator, f"/programmes/{PROGRAMME}/waiting"),
        await told(profiles, story.who("mentor-a"), f"/people/{avoided}/export"),
        await told(matching, story.who("mentor-a"), f"/people/{avoided}/export"),
        await told(profiles, story.system("privacy"), f"/people/{avoided}/export"),
        await told(matching, story.system("privacy"), f"/people/{avoided}/export"),
        await told(matching, story.who("mentor-b"), "/me/proposals"),
    ]
    assert all(answers)
    assert not [each for each in answers if "marked wish" in each]
    assert not [each for each in answers[2:6] if story.id("mentee-a") in each]
    assert not [each for each in (answers[1], answers[6]) if avoided in each]
    for who in (coordinator, story.who("mentor-a"), story.system("admin"), story.system("privacy")):
        assert (await profiles.call(who, "GET", f"{enrolment}/wishes")).status_code == 403
    for path in (f"{enrolment}/wishes", f"/people/{story.id('mentee-a')}/export"):
        assert avoided in await told(profiles, story.who("mentee-a"), path)
    officers = await told(profiles, story.system("privacy"), f"/people/{story.id('mentee-a')}/export")
    assert avoided not in officers
