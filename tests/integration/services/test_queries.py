"""What people read, on real PostgreSQL: lists, pages, what is suppressed, and the counts of each service.

Fast tests of handlers run on dictionaries; here every query of every service meets the database.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts import derived_id
from shared.contracts.pairs import (
    EndReason,
    ProposalChanged,
    ProposalStatus,
    RelationshipEnded,
    RelationshipStarted,
    Requeue,
)
from shared.contracts.people import Role
from shared.contracts.sessions import SessionChanged, SessionStatus
from tests.integration.services.said import enrolment, person, programme
from tests.integration.services.story import PROGRAMME, Story
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Instance, Who
from tests.support.platform import Platform


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(platform: Platform) -> Story:
    story = Story(platform, new_tenant())
    await story.until_they_meet()
    return story


Page = tuple[list[str], str | None]


async def all_pages(read: Callable[[str | None], Awaitable[Page]]) -> list[list[str]]:
    """Ids page by page, until there is no next."""
    pages: list[list[str]] = []
    after: str | None = None
    while True:
        ids, after = await read(after)
        pages.append(ids)
        assert len(pages) < 50, "the pages have no end"
        if after is None:
            return pages


def by_next(
    instance: Instance, who: Who, path: str, identity: str, limit: int, **query: Any
) -> Callable[[str | None], Awaitable[Page]]:
    """Pages of a list that says itself where the next one begins."""

    async def read(after: str | None) -> Page:
        params = {"limit": limit, **query} | ({} if after is None else {"after": after})
        body = await instance.ask(who, "GET", path, params=params)
        return [item[identity] for item in body["items"]], body["next"]

    return read


def by_last(
    instance: Instance, who: Who, path: str, items: str, identity: str, limit: int, **query: Any
) -> Callable[[str | None], Awaitable[Page]]:
    """Pages of a list of which the next one begins behind the last item."""

    async def read(after: str | None) -> Page:
        params = {"limit": limit, **query} | ({} if after is None else {"after": after})
        ids = [item[identity] for item in (await instance.ask(who, "GET", path, params=params))[items]]
        return ids, ids[-1] if len(ids) == limit else None

    return read


def each_once(pages: list[list[str]], *, limit: int) -> list[str]:
    """The pages as one list. All but the last are full, and nothing comes twice."""
    assert all(len(page) == limit for page in pages[:-1])
    ids = [each for page in pages for each in page]
    assert len(ids) == len(set(ids))
    return ids


# profiles


async def test_programmes_and_enrolments_by_pages(platform: Platform) -> None:
    profiles, tenant = platform["profiles"], new_tenant()
    story = Story(platform, tenant)
    admin, names = story.system("admin"), sorted(f"p-{n}" for n in range(7))
    await story.begin()
    mentee = story.who("mentee-a")
    for name in names:
        body = {"name": name, "coordinator_ids": [story.id("coordinator")]}
        await profiles.ask(admin, "PUT", f"/programmes/{name}", json=body)
        path = f"/programmes/{name}/enrolments/mentee/{mentee.subject}"
        await profiles.ask(mentee, "PUT", path, json={"consent_to_matching": True})
    pages = await all_pages(by_next(profiles, mentee, "/programmes", "programme_id", 3))
    assert each_once(pages, limit=3) == sorted([*names, "p-main", "p-else"])
    for limit in (1, 3, 7, 100):  # also when the last page is just full
        pages = await all_pages(by_next(profiles, mentee, "/me/enrolments", "enrolment_id", limit))
        ids = each_once(pages, limit=limit)
        assert ids == sorted(derived_id("enrolment", name, mentee.subject, "mentee") for name in names)
    for name in ("stranger", "outsider", "mentee-b", "mentor-a", "mentor-b"):
        person = story.who(name)
        path = f"/programmes/p-0/enrolments/mentor/{person.subject}"
        await profiles.ask(person, "PUT", path, json={"consent_to_matching": True})
    coordinator = story.who("coordinator")
    path = "/programmes/p-0/enrolments"
    pages = await all_pages(by_next(profiles, coordinator, path, "enrolment_id", 2))
    ids = each_once(pages, limit=2)
    assert len(ids) == 6
    assert ids == sorted(ids)
    assert (await profiles.ask(story.who("stranger"), "GET", "/me/enrolments"))["items"][0][
        "role"
    ] == "mentor"
    for nonsense in ({"limit": 501}, {"limit": 0}, {"after": "\x00"}, {"after": "a b"}, {"after": "x" * 129}):
        for path in ("/programmes", "/me/enrolments"):
            assert (await profiles.call(mentee, "GET", path, params=nonsense)).status_code == 422


async def test_profiles_counts_and_tells_of_people(story: Story) -> None:
    profiles = story.platform["profiles"]
    assert await profiles.ask(story.system("operator"), "GET", "/management/summary") == {
        "programmes": 2, "hr_fields_dropped": 7, "people": 7, "people_active": 7, "people_left": 0,
        "people_leaving": 0, "enrolments_mentor_active": 2, "enrolments_mentee_active": 2,
        "enrolments_withdrawn": 0,
    }  # fmt: skip
    assert await profiles.ask(story.system("hr"), "GET", "/hr/dropped-fields") == [
        {"source": "urn:hr:test", "name": "shoe", "count": 7}
    ]
    found = await profiles.ask(story.system("hr"), "GET", f"/people/{story.id('mentor-a')}")
    assert (found["skills_offered"], found["languages"], found["matching_consent"]) == (
        {"python": 4},
        ["en"],
        True,
    )
    found = await profiles.ask(story.who("stranger"), "GET", f"/programmes/{PROGRAMME}")
    assert found["coordinator_ids"] == [story.id("coordinator")]


# matching


async def test_who_waits_by_pages(platform: Platform) -> None:
    """Thirty people who wait since the same days: the id decides among them."""
    matching, tenant = platform["matching"], new_tenant()
    coordinator = Who("coordinator", tenant)
    await matching.hear(tenant, programme("p-1", "coordinator"))
    names = [f"m-{n:02}" for n in range(30)]
    for some in (names[::3], names[1::3], names[2::3]):
        await matching.hear(tenant, *(person(name) for name in some))
        await matching.hear(tenant, *(enrolment(name, "p-1", Role.MENTEE) for name in some))
        await platform.pass_time(timedelta(days=1))
    for limit in (4, 10, 30, 31):
        read = by_next(matching, coordinator, "/programmes/p-1/waiting", "person_id", limit)
        assert each_once(await all_pages(read), limit=limit) == [*names[::3], *names[1::3], *names[2::3]]
    body = await matching.ask(coordinator, "GET", "/programmes/p-1/waiting", params={"limit": 1})
    assert body["items"][0]["found"] == "not-tried-yet"
    await matching.fire_timers()
    body = await matching.ask(coordinator, "GET", "/programmes/p-1/waiting", params={"limit": 1})
    assert body["items"][0]["found"] == "no-candidate"
    for nonsense in ("x", "2026-02-30.m", ".", "m-00"):
        answer = await matching.call(
            coordinator, "GET", "/programmes/p-1/waiting", params={"after": nonsense}
        )
        assert answer.status_code == 422
    found = await matching.ask(Who("o", tenant, ("operator",)), "GET", "/management/summary")
    assert (found["people_known"], found["mentees_waiting"], found["mentees_waiting_no_candidate"]) == (
        30,
        30,
        30,
    )


async def test_matching_shows_proposals_and_pairs_to_those_in_them(story: Story) -> None:
    matching = story.platform["matching"]
    mentor, mentee = (story.who(name) for name in story.pair)
    (accepted,) = (await matching.ask(mentee, "GET", "/me/proposals"))["items"]
    assert accepted["proposal_id"] == story.accepted_proposal
    assert (accepted["status"], accepted["mentor_accepted"], accepted["mentee_accepted"]) == (
        "accepted",
        True,
        True,
    )
    assert accepted["reasons"]
    assert (await matching.ask(mentee, "GET", "/me/proposals", params={"status": "open"}))["items"] == []
    (open_one,) = (await matching.ask(story.who("mentee-b"), "GET", "/me/proposals"))["items"]
    assert open_one["proposal_id"] == story.open_proposal
    for who in (mentor, mentee):
        (pair,) = (await matching.ask(who, "GET", "/me/relationships"))["items"]
        assert (pair["relationship_id"], pair["status"], pair["sessions_completed"]) == (
            story.relationship,
            "active",
            1,
        )
    assert (await matching.ask(story.who("stranger"), "GET", "/me/relationships"))["items"] == []
    shown = await matching.ask(story.who("coordinator"), "GET", f"/relationships/{story.relationship}")
    assert (shown["mentor_id"], shown["mentee_id"]) == (mentor.subject, mentee.subject)
    found = await matching.ask(story.system("operator"), "GET", "/management/summary")
    told = {name: count for name, count in found.items() if count}
    assert told == {
        "people_known": 7, "mentees_proposed": 1, "proposals_open": 1, "proposals_accepted": 1,
        "relationships_active": 1, "sessions_heard": 1,
    }  # fmt: skip


async def test_the_newest_come_first_and_no_more_than_asked_for(platform: Platform) -> None:
    """Twelve rounds, each with another mentee for the same mentor, who says no to each."""
    matching, tenant = platform["matching"], new_tenant()
    mentor = Who("mentor", tenant)
    await matching.hear(
        tenant,
        programme("p-1", "coordinator"),
        person("mentor", level=9),
        enrolment("mentor", "p-1", Role.MENTOR),
    )
    expected: list[str] = []
    for number in range(6):
        name = f"mentee-{number}"
        await matching.hear(tenant, person(name), enrolment(name, "p-1", Role.MENTEE))
        await matching.ask(Who("coordinator", tenant), "POST", "/programmes/p-1/rounds")
        await matching.fire_timers()
        (found,) = (await matching.ask(mentor, "GET", "/me/proposals", params={"status": "open"}))["items"]
        expected.insert(0, found["proposal_id"])
        await matching.ask(mentor, "POST", f"/proposals/{found['proposal_id']}/decline")
    body = await matching.ask(mentor, "GET", "/me/proposals")
    assert [item["proposal_id"] for item in body["items"]] == expected
    body = await matching.ask(mentor, "GET", "/me/proposals", params={"limit": 2, "status": "declined"})
    assert [item["proposal_id"] for item in body["items"]] == expected[:2]


# feedback


def pair(number: int, now: datetime) -> RelationshipStarted:
    return RelationshipStarted(
        relationship_id=f"r-{number}", programme_id="p-1", mentor_id=f"mentor-{number}",
        mentee_id=f"mentee-{number}", started_at=now,
    )  # fmt: skip


def met(number: int, session: str, now: datetime) -> SessionChanged:
    return SessionChanged(
        session_id=session, relationship_id=f"r-{number}", programme_id="p-1", mentor_id=f"mentor-{number}",
        mentee_id=f"mentee-{number}", status=SessionStatus.COMPLETED, starts_at=now, minutes=60,
        completed_at=now,
    )  # fmt: skip


async def test_sessions_by_pages_and_by_status(platform: Platform) -> None:
    """Some start at the same moment: the id decides among them."""
    feedback, tenant = platform["feedback"], new_tenant()
    now = await feedback.now()
    await feedback.hear(tenant, programme("p-1"), pair(1, now))
    mentor = Who("mentor-1", tenant)
    starts: dict[str, datetime] = {}
    for number in range(9):
        name = f"s-{number}"
        starts[name] = now + timedelta(days=1 + number // 3)
        body = {"starts_at": starts[name].isoformat(), "minutes": 30}
        await feedback.ask(mentor, "PUT", f"/relationships/r-1/sessions/{name}", json=body)
    path = "/relationships/r-1/sessions"
    latest_first = sorted(starts, key=lambda name: (starts[name], name), reverse=True)
    for limit in (2, 3, 9, 10):
        pages = await all_pages(by_last(feedback, mentor, path, "sessions", "session_id", limit))
        assert each_once(pages, limit=limit) == latest_first
    for name in ("s-2", "s-5"):
        await feedback.ask(mentor, "DELETE", f"{path}/{name}")
    pages = await all_pages(by_last(feedback, mentor, path, "sessions", "session_id", 2, status="booked"))
    assert each_once(pages, limit=2) == [name for name in latest_first if name not in ("s-2", "s-5")]
    found = await feedback.ask(mentor, "GET", path, params={"status": "cancelled"})
    assert [item["session_id"] for item in found["sessions"]] == ["s-5", "s-2"]
    found = await feedback.ask(mentor, "GET", path, params={"after": "nobody-knows"})
    assert found["sessions"] == []


async def test_requests_and_answers_by_pages_for_those_they_are_meant_for(platform: Platform) -> None:
    """Seven answers to the partner, three to coordinators, one to nobody; each reader sees their own."""
    feedback, tenant = platform["feedback"], new_tenant()
    now = await feedback.now()
    await feedback.hear(tenant, programme("p-1", "coordinator"), pair(1, now))
    await feedback.hear(tenant, *(met(1, f"s-{n}", now) for n in range(11)))
    mentee, mentor, coordinator = (Who(name, tenant) for name in ("mentee-1", "mentor-1", "coordinator"))
    read = by_last(feedback, mentee, "/me/feedback-requests", "feedback_requests", "feedback_request_id", 4)
    requests = each_once(await all_pages(read), limit=4)
    assert len(requests) == 11
    audiences = ["partner"] * 7 + ["coordinator"] * 3 + ["aggregate"]
    for request, audience in zip(requests, audiences, strict=True):
        body = {"audience": audience, "behaviour": f"words for {audience}"}
        await feedback.ask(mentee, "PUT", f"/feedback-requests/{request}/answer", json=body)
    read = by_last(feedback, mentor, "/relationships/r-1/feedback", "answers", "feedback_request_id", 3)
    assert set(each_once(await all_pages(read), limit=3)) == set(requests[:7])
    read = by_last(feedback, coordinator, "/programmes/p-1/feedback", "answers", "feedback_request_id", 2)
    assert set(each_once(await all_pages(read), limit=2)) == set(requests[7:10])
    own = await feedback.ask(mentee, "GET", "/relationships/r-1/feedback")
    assert own["answers"] == [], "an author is not the partner"
    found = await feedback.ask(mentee, "GET", "/me/feedback-requests", params={"status": "requested"})
    assert found["feedback_requests"] == []
    shown = await feedback.ask(mentee, "GET", f"/feedback-requests/{requests[10]}")
    assert shown["answer"]["behaviour"] == "words for aggregate"


async def test_an_average_is_shown_from_five_different_people_on(platform: Platform) -> None:
    feedback, tenant = platform["feedback"], new_tenant()
    now, coordinator = await feedback.now(), Who("coordinator", tenant)
    await feedback.hear(tenant, programme("p-1", "coordinator"), programme("p-2", "coordinator"))
    await feedback.hear(tenant, *(pair(n, now) for n in range(5)))
    await feedback.hear(tenant, *(met(n, f"s-{n}", now) for n in range(5)), met(0, "s-again", now))

    async def rate(name: str, empathy: int, *, at: int = 0) -> str:
        found = await feedback.ask(
            Who(name, tenant), "GET", "/me/feedback-requests", params={"status": "requested"}
        )
        request = str(found["feedback_requests"][at]["feedback_request_id"])
        body = {"audience": "aggregate", "ratings": {"empathy": empathy}}
        await feedback.ask(Who(name, tenant), "PUT", f"/feedback-requests/{request}/answer", json=body)
        return request

    async def shown(where: str = "p-1") -> dict[str, float | None]:
        body = await feedback.ask(coordinator, "GET", f"/programmes/{where}/analytics")
        ratings: dict[str, float | None] = body["ratings"]
        return ratings

    hidden = dict.fromkeys(("communication", "empathy", "leadership", "adaptability", "boundaries"))
    assert await shown() == hidden
    for number in range(4):
        await rate(f"mentee-{number}", 4)
    await rate("mentee-0", 4)  # the same person about another session is no fifth one
    assert await shown() == hidden
    fifth = await rate("mentee-4", 1)
    assert await shown() == hidden | {"empathy": 3.5}
    assert await shown("p-2") == hidden
    await feedback.ask(Who("mentee-4", tenant), "DELETE", f"/feedback-requests/{fifth}/answer")
    assert await shown() == hidden


async def test_analytics_add_up_what_has_happened(platform: Platform) -> None:
    feedback, tenant = platform["feedback"], new_tenant()
    now, coordinator = await feedback.now(), Who("coordinator", tenant)
    path = "/programmes/p-1/analytics"
    await feedback.hear(tenant, programme("p-1", "coordinator"))
    empty = await feedback.ask(coordinator, "GET", path)
    assert (set(empty["totals"].values()), empty["accepted_share"], empty["months"]) == ({0}, None, {})
    await feedback.hear(tenant, *(pair(n, now) for n in range(3)), met(0, "s-0", now))
    proposals = [
        ProposalChanged(
            proposal_id=f"proposal-{n}", programme_id="p-1", mentor_id="a", mentee_id="b", status=status,
            expires_at=now,
        )
        for n, status in enumerate(ProposalStatus)
    ]  # fmt: skip
    await feedback.hear(tenant, *proposals)
    ended = RelationshipEnded(
        **pair(2, now).model_dump(), ended_at=now, reason=EndReason.NO_FAULT, requeue=Requeue.QUEUED
    )
    await feedback.hear(tenant, ended, version=2)
    await platform.carry("feedback")
    found = await feedback.ask(coordinator, "GET", path)
    told = {name: count for name, count in found["totals"].items() if count}
    assert told == {
        "relationships_started": 3, "relationships_ended_no_fault": 1, "sessions_completed": 1,
        "session_minutes": 60, "feedback_requested": 2, "proposals_opened": 5, "proposals_accepted": 1,
        "proposals_declined": 1, "proposals_expired": 1, "proposals_withdrawn": 1,
    }  # fmt: skip
    assert (found["relationships_active"], found["active_mentors"], found["active_mentees"]) == (2, 2, 2)
    assert (found["proposals_open"], found["accepted_share"], found["submitted_share"]) == (1, 0.25, 0.0)
    assert found["months"] == {f"{now:%Y-%m}": told}


async def test_feedback_counts(story: Story) -> None:
    feedback = story.platform["feedback"]
    found = await feedback.ask(story.system("operator"), "GET", "/management/summary")
    assert {name: count for name, count in found.items() if count} == {
        "relationships_known": 1, "sessions_booked": 1, "sessions_completed": 1, "feedback_requested": 2,
        "feedback_submitted": 1, "feedback_open": 1, "analytics_relationships_started": 1,
        "analytics_sessions_completed": 1, "analytics_feedback_requested": 2, "analytics_feedback_submitted": 1,
    }  # fmt: skip


# notifications


async def test_messages_by_pages_newest_first(platform: Platform) -> None:
    """All of one batch have the same time: the id decides among them."""
    notifications, tenant = platform["notifications"], new_tenant()
    now, mentor = await notifications.now(), Who("mentor-1", tenant)
    pairs = [pair(n, now).model_copy(update={"mentor_id": "mentor-1"}) for n in range(23)]
    await notifications.hear(tenant, person("mentor-1"), person("mentee-1"), *pairs[:12])
    await platform.pass_time(timedelta(minutes=1))
    await notifications.hear(tenant, *pairs[12:])
    for limit in (5, 23, 24):
        read = by_next(notifications, mentor, "/me/notifications", "about_id", limit)
        ids = each_once(await all_pages(read), limit=limit)
        assert set(ids[:11]) == {each.relationship_id for each in pairs[12:]}
        assert len(ids) == 23
    theirs = await notifications.ask(Who("mentee-1", tenant), "GET", "/me/notifications")
    for elsewhere in ("nobody-knows", *(item["notification_id"] for item in theirs["items"])):
        body = await notifications.ask(mentor, "GET", "/me/notifications", params={"after": elsewhere})
        assert body == {"items": [], "next": None}


async def test_notifications_counts_and_preferences(story: Story) -> None:
    notifications = story.platform["notifications"]
    mentee = story.who(story.pair[1])
    path = f"/people/{mentee.subject}/preferences"
    assert (await notifications.ask(mentee, "GET", path))["email_enabled"] is True
    await notifications.ask(mentee, "PUT", path, json={"email_enabled": False})
    assert (await notifications.ask(mentee, "GET", path))["email_enabled"] is False
    found = await notifications.ask(story.system("operator"), "GET", "/management/summary")
    assert {name: count for name, count in found.items() if count} == {
        "notifications_total": 12, "queued": 12, "template_proposal": 4, "template_pair_started": 2,
        "template_session_booked": 4, "template_feedback_request": 2, "reminders_pending": 2,
    }  # fmt: skip
    items = (await notifications.ask(mentee, "GET", "/me/notifications"))["items"]
    assert {item["template"] for item in items} == {
        "proposal", "pair-started", "session-booked", "feedback-request",
    }  # fmt: skip
