"""Forms in which people meet, on the real broker: from a programme's settings to feedback, mails and the check."""

from datetime import timedelta
from typing import Any

from shared.check import Report
from shared.contracts.topics import SERVICES
from tests.integration.check.conftest import Check, NewPlatform, damaged
from tests.integration.services.runs import working
from tests.integration.services.story import PROGRAMME, TERMINATED, Story
from tests.support.databases import new_tenant
from tests.support.platform import Platform
from tests.support.records import hr_event
from tests.support.waiting import eventually

SENIORS, JUNIORS = ("mentor-a", "mentor-b"), ("mentee-a", "mentee-b")
"""Names that HR gives, at the levels 6 and 2; what they are here is up to the programme."""
EVERYBODY = (*SENIORS, *JUNIORS)


class Meeting(Story):
    """A programme in one form, its people, and a pair of them."""

    async def open(self, **matching: Any) -> None:
        """Coordinators decide the form before anybody enrols."""
        await self.begin()
        path = f"/programmes/{PROGRAMME}/matching"
        await self.platform["profiles"].ask(self.who("coordinator"), "PUT", path, json=matching)

    async def enrol_as(self, role: str, *names: str) -> None:
        for name in names:
            profiles = self.platform["profiles"]
            profile = {"skills_offered": {"python": 4}, "skills_wanted": {"python": 4}, "mentor_capacity": 1}
            await profiles.ask(self.who(name), "PUT", f"/people/{self.id(name)}/profile", json=profile)
            path = f"/programmes/{PROGRAMME}/enrolments/{role}/{self.id(name)}"
            await profiles.ask(self.who(name), "PUT", path, json={"consent_to_matching": True})
        await self.platform.carry()

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """As the coordinator, of *matching*."""
        return await self.platform["matching"].ask(self.who("coordinator"), method, path, **options)

    async def published(self) -> tuple[str, list[Any]]:
        """A run that was computed and published; its id, and its pairs as they were shown."""
        run = (await self.ask("POST", f"/programmes/{PROGRAMME}/runs", json={}))["run_id"]
        await self._until(run, "ready")
        pairs = (await self.ask("GET", f"/runs/{run}/pairs"))["items"]
        await self.ask("POST", f"/runs/{run}/publish")
        await self._until(run, "published")
        await self.platform.carry()
        return run, pairs

    async def _until(self, run: str, state: str) -> None:
        async def there() -> bool:
            view = await self.ask("GET", f"/runs/{run}")
            assert view["state"] != "failed", view
            return bool(view["state"] == state)

        await eventually(there, what=f"the run is {state}")

    async def accepted(self, *names: str) -> None:
        """Both say yes; they are the story's pair from then on."""
        proposal = await self._proposal(names[0])
        for name in names:
            path = f"/proposals/{proposal['proposal_id']}/accept"
            await self.platform["matching"].ask(self.who(name), "POST", path)
        await self.platform.carry()
        self.pair = (names[0], names[1])
        (found,) = (await self.platform["matching"].ask(self.who(names[0]), "GET", "/me/relationships"))[
            "items"
        ]
        self.relationship = found["relationship_id"]

    async def round(self) -> None:
        await self.ask("POST", f"/programmes/{PROGRAMME}/rounds")
        await self.platform["matching"].fire_timers()
        await self.platform.carry()

    async def left(self, name: str) -> None:
        gone = {"employee_id": name, "effective_on": "2020-01-31"}
        await self.platform.hear_hr(hr_event(self.tenant, TERMINATED, gone, sequence=2))
        for service in SERVICES:
            await self.platform[service].fire_timers()
        await self.platform.carry()

    async def roles(self) -> set[tuple[str, str | None]]:
        """As what people were written to, by template."""
        rows = await self.platform["notifications"].rows(
            self.tenant, "SELECT DISTINCT template, role FROM notification WHERE tenant = :tenant"
        )
        return {(row.template, row.role) for row in rows}

    async def places(self) -> dict[str, str]:
        rows = await self.platform["matching"].rows(
            self.tenant, "SELECT person_id, standing, place FROM mentee WHERE tenant = :tenant"
        )
        name_of = {self.id(name): name for name in EVERYBODY}
        return {name_of[row.person_id]: f"{row.standing} {row.place}" for row in rows}


async def ready(platform: Platform) -> Meeting:
    await platform.run()
    return Meeting(platform, new_tenant())


def green(report: Report) -> None:
    assert report.ok, report.render()


async def test_peers_from_settings_to_the_last_mail(new_platform: NewPlatform, judge: Check) -> None:
    async with new_platform() as platform, working(platform["matching"]):
        story = await ready(platform)
        await story.open(form="peer", rules={"peer_level_gap": 1})
        profiles, matching = platform["profiles"], platform["matching"]
        mentor = f"/programmes/{PROGRAMME}/enrolments/mentor/{story.id('mentor-a')}"
        refused = await profiles.call(
            story.who("mentor-a"), "PUT", mentor, json={"consent_to_matching": True}
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "no_mentors_among_peers")
        await story.enrol_as("mentee", *EVERYBODY)
        path = f"/programmes/{PROGRAMME}/matching"
        fixed = await profiles.call(story.who("coordinator"), "PUT", path, json={"form": "one-to-one"})
        assert (fixed.status_code, fixed.json()["code"]) == (409, "form_fixed")

        run, pairs = await story.published()
        seniors, juniors = sorted(map(story.id, SENIORS)), sorted(map(story.id, JUNIORS))
        assert sorted([p["mentee_id"], p["mentor_id"]] for p in pairs) == sorted([seniors, juniors])
        assert (await story.ask("GET", f"/runs/{run}"))["publication"] | {"by": ""} == {
            "by": "", "at": (await story.ask("GET", f"/runs/{run}"))["publication"]["at"],
            "proposed": 2, "dropped": {},
        }  # fmt: skip
        for one, other, verdict in (
            (juniors[1], juniors[0], "paired"),
            (juniors[0], seniors[0], "rule"),
        ):
            why = await story.ask("GET", f"/runs/{run}/explain", params={"mentee": one, "mentor": other})
            assert (why["verdict"], why["peers"]) == (verdict, True)
        page = await matching.call(story.who("coordinator"), "GET", f"/runs/{run}/report")
        assert page.status_code == 200
        assert "Mentor" not in page.text
        other, _ = await story.published()  # nobody waits any more: a run of nobody
        compared = await story.ask("GET", f"/runs/{run}/compare/{other}")
        assert (compared["removed"], len(compared["changes"])) == (4, 4)
        assert await story.roles() == {("proposal", "peer")}
        green(await judge(platform))

        await story.accepted(*JUNIORS)
        declined = (await story._proposal("mentor-b"))["proposal_id"]
        await matching.ask(story.who("mentor-b"), "POST", f"/proposals/{declined}/decline")
        await story.round()
        assert await story.places() == {
            "mentee-a": "eligible paired", "mentee-b": "eligible paired",
            "mentor-a": "eligible free", "mentor-b": "eligible free",
        }  # fmt: skip
        await story.meet()
        numbers = await platform["feedback"].ask(
            story.who("coordinator"), "GET", f"/programmes/{PROGRAMME}/analytics"
        )
        assert (numbers["active_peers"], numbers["active_mentors"], numbers["active_mentees"]) == (2, 0, 0)
        lived = await judge(platform)
        green(lived)
        assert lived.finding("I9").counts["starts and ends of pairs"] == 1
        for statement, shows in (
            (f"UPDATE mentee SET place = 'done' WHERE tenant = $1 AND person_id = '{juniors[1]}'", "I8"),
            ("UPDATE relationship SET peers = false WHERE tenant = $1 AND status = 'active'", "I9"),
        ):
            async with damaged(platform, "matching", statement, story.tenant):
                assert (await judge(platform)).finding(shows).violations

        await story.left("mentee-b")
        assert (await story.places())["mentee-a"] == "eligible free"
        assert (await story.places())["mentee-b"].startswith("left")
        assert {role for template, role in await story.roles() if template.startswith("pair-")} == {"peer"}
        green(await judge(platform))
        await profiles.ask(story.system("privacy"), "POST", f"/people/{story.id('mentee-a')}/erasure")
        await platform.carry()
        kept = await matching.rows(
            story.tenant,
            f"SELECT 1 FROM matching_run_pair WHERE tenant = :tenant AND mentee_id = '{juniors[0]}'",
        )
        assert kept == []
        left = (await story.ask("GET", f"/runs/{run}/unmatched"))["items"]
        assert {(one["mentee_id"], one["why"]) for one in left} == {(story.id("mentee-b"), "peer-erased")}
        green(await judge(platform))


async def test_in_reverse_the_junior_is_the_mentor(new_platform: NewPlatform, judge: Check) -> None:
    async with new_platform() as platform, working(platform["matching"]):
        story = await ready(platform)
        await story.open(form="reverse")
        await story.enrol_as("mentor", *JUNIORS, "mentor-b")
        await story.enrol_as("mentee", "mentor-a")
        _, (pair,) = await story.published()
        assert pair["mentee_id"] == story.id("mentor-a")
        assert pair["mentor_id"] in map(story.id, JUNIORS), "mentor-b is not below the mentee"
        assert "The mentor sees the organisation from another step" in pair["reasons"]
        junior = next(name for name in JUNIORS if story.id(name) == pair["mentor_id"])
        await story.accepted(junior, "mentor-a")
        await story.meet()
        assert {("pair-started", "mentor"), ("pair-started", "mentee")} <= await story.roles()
        green(await judge(platform))
        await platform.pass_time(timedelta(days=1))
        await story.left(junior)
        await story.round()
        proposal = await story._proposal("mentor-a")
        assert proposal["mentor_id"] == next(story.id(name) for name in JUNIORS if name != junior)
        green(await judge(platform))


async def test_a_group_sits_together_and_each_member_is_a_pair(
    new_platform: NewPlatform, judge: Check
) -> None:
    async with new_platform() as platform, working(platform["matching"]):
        story = await ready(platform)
        await story.open(form="group", group_size=2, smallest_group=2)
        await story.enrol_as("mentor", "mentor-a")
        profile = {"skills_offered": {"python": 4}, "mentor_capacity": 2}
        path = f"/people/{story.id('mentor-a')}/profile"
        await platform["profiles"].ask(story.who("mentor-a"), "PUT", path, json=profile)
        await story.enrol_as("mentee", *JUNIORS)
        await story.round()
        for name in JUNIORS:
            proposal = (await story._proposal(name))["proposal_id"]
            for who in (name, "mentor-a"):
                await platform["matching"].ask(story.who(who), "POST", f"/proposals/{proposal}/accept")
        await platform.carry()
        pairs = (await platform["matching"].ask(story.who("mentor-a"), "GET", "/me/relationships"))["items"]
        assert {each["mentee_id"] for each in pairs} == set(map(story.id, JUNIORS))
        story.pair = ("mentor-a", "mentee-a")
        story.relationship = next(
            each["relationship_id"] for each in pairs if each["mentee_id"] == story.id("mentee-a")
        )
        await story.meet()
        green(await judge(platform))
        await story.left("mentor-a")
        assert await story.places() == dict.fromkeys(JUNIORS, "eligible free")
        green(await judge(platform))
