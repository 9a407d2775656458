"""Dead letters from the operator's side, on the real broker: seen, tried, handled once more, or given up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts import person_id
from shared.persistence.outbox import OutboxRecord
from tests.integration.services.story import RECORDED, SURNAME, record
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Instance, Who
from tests.support.platform import Platform
from tests.support.records import hr_event
from tests.support.waiting import eventually

LETTERS = "/management/dead-letters"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    topics = ("hr-intake", "person", "dlt.profiles")
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer"), topics=topics) as platform:
        await platform["profiles"].consume("hr-intake")
        yield platform


class Desk:
    """An operator of one tenant at *profiles*."""

    def __init__(self, platform: Platform, tenant: str) -> None:
        self.platform, self.tenant = platform, tenant
        self.profiles: Instance = platform["profiles"]
        self.operator = Who("client-operator", tenant, ("operator",))

    async def refused(self, *events: OutboxRecord) -> list[str]:
        """HR publishes events that are refused; ids of the dead letters, once their bytes are on the topic."""
        before = len(await self.profiles.dead(self.tenant))
        await self.platform.send(*events)

        async def dead() -> bool:
            return len(await self.profiles.dead(self.tenant)) == before + len(events)

        await eventually(dead, what="dead letters")
        await self.profiles.say()
        return [letter["id"] for letter in await self.listing()]

    async def listing(self, **query: Any) -> list[dict[str, Any]]:
        """Page by page, as a reader of *next* sees them."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.page(**query)
            found += page["items"]
            if page["next"] is None:
                return found
            query["after"] = page["next"]

    async def page(self, **query: Any) -> dict[str, Any]:
        page: dict[str, Any] = await self.profiles.ask(self.operator, "GET", LETTERS, params=query)
        return page

    async def redrive(self, letter: str, **query: Any) -> tuple[int, str]:
        """Status, and the outcome or the code of the refusal."""
        answer = await self.profiles.call(self.operator, "POST", f"{LETTERS}/{letter}/redrive", params=query)
        body = answer.json()
        return answer.status_code, body.get("code") or body.get("outcome") or body["would"]

    async def discard(self, letter: str) -> tuple[int, str]:
        answer = await self.profiles.call(self.operator, "POST", f"{LETTERS}/{letter}/discard")
        body = answer.json()
        return answer.status_code, body.get("code") or body["outcome"]

    async def set_up(self) -> None:
        """The cause goes: an administrator sets up the tenant."""
        admin = Who("client-admin", self.tenant, ("admin",))
        await self.profiles.ask(admin, "PUT", "/tenant", json={"name": "Late"})

    async def people(self) -> list[Any]:
        return await self.profiles.rows(
            self.tenant,
            "SELECT employee_id, department, version, record_sequence FROM person WHERE tenant = :tenant"
            " ORDER BY 1",
        )

    async def said(self) -> int:
        """How often something was said of a person of this tenant, sent or not."""
        rows = await self.profiles.plumbing(
            "SELECT event_id FROM outbox_ledger WHERE tenant = $1 AND topic = 'person'", self.tenant
        )
        return len(rows)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(platform: Platform) -> Desk:
    return Desk(platform, new_tenant())


def recorded(desk: Desk, employee: str = "ada", *, sequence: int = 1, **more: Any) -> OutboxRecord:
    return hr_event(desk.tenant, RECORDED, record(employee, **more), sequence=sequence)


async def test_a_dead_letter_is_listed_tried_redriven_once_and_settled(desk: Desk) -> None:
    event = recorded(desk)
    (letter,) = await desk.refused(event)
    (row,) = await desk.listing()
    assert (row["reason"], row["topic"], row["state"]) == ("tenant_unknown", "hr-intake", "open")
    assert row["event_id"] == event.event_id
    assert SURNAME not in str(row)
    assert "@" not in str(row)

    assert await desk.redrive(letter) == (409, "still_dead")
    assert await desk.redrive(letter, dry_run=True) == (200, "handle")
    assert len(await desk.listing()) == 1
    assert await desk.people() == []

    await desk.set_up()
    assert await desk.redrive(letter, dry_run=True) == (200, "handle")
    assert await desk.people() == [], "a dry run has had an effect"
    assert await desk.redrive(letter) == (200, "applied")
    assert [tuple(row) for row in await desk.people()] == [("ada", "Engineering", 1, 1)]
    assert await desk.said() == 1

    assert await desk.redrive(letter) == (409, "already_settled")
    assert await desk.redrive(letter, dry_run=True) == (409, "already_settled")
    assert await desk.discard(letter) == (409, "already_settled")
    assert await desk.said() == 1
    assert await desk.listing() == []
    assert [row["id"] for row in await desk.listing(state="redriven")] == [letter]
    assert await desk.profiles.outcomes(desk.tenant) == {"applied": 1}


async def test_operators_at_once_have_one_effect(desk: Desk) -> None:
    (letter,) = await desk.refused(recorded(desk))
    await desk.set_up()
    answers = Counter(await asyncio.gather(*(desk.redrive(letter) for _ in range(10))))
    assert answers.pop((200, "applied")) == 1
    assert answers.keys() <= {(409, "already_settled"), (409, "already_applied")}
    assert await desk.said() == 1


async def test_a_redriven_event_that_is_old_by_now_changes_nothing(desk: Desk) -> None:
    (letter,) = await desk.refused(recorded(desk, department="Before"))
    await desk.set_up()
    await desk.platform.send(recorded(desk, department="After", sequence=2))

    async def there() -> bool:
        return len(await desk.people()) == 1

    await eventually(there, what="the newer record")
    assert await desk.redrive(letter) == (200, "stale")
    assert [tuple(row) for row in await desk.people()] == [("ada", "After", 1, 2)]
    assert await desk.said() == 1
    assert await desk.profiles.outcomes(desk.tenant) == {"applied": 1, "stale": 1}


async def test_hr_sends_the_dead_event_again_and_it_still_has_one_effect(desk: Desk) -> None:
    """The same event once more is a duplicate of a dead one: it waits for its redrive like the first."""
    event = recorded(desk)
    (letter,) = await desk.refused(event)
    await desk.set_up()
    await desk.platform.send(event, recorded(desk, "behind"))

    async def behind() -> bool:
        return len(await desk.people()) == 1

    await eventually(behind, what="the event behind it")
    assert len(await desk.listing()) == 1
    assert await desk.redrive(letter) == (200, "applied")
    assert await desk.said() == 2
    assert [row.employee_id for row in await desk.people()] == ["ada", "behind"]


async def test_discarded_is_settled_without_an_effect(desk: Desk) -> None:
    kept, given_up = await desk.refused(recorded(desk, "ada"), recorded(desk, "ben"))
    await desk.set_up()
    assert await desk.discard(given_up) == (200, "discarded")
    assert await desk.discard(given_up) == (409, "already_settled")
    assert await desk.redrive(given_up) == (409, "already_settled")
    assert await desk.people() == []
    assert [row["id"] for row in await desk.listing()] == [kept]
    assert [row["id"] for row in await desk.listing(state="discarded")] == [given_up]


async def test_pages_follow_each_other_though_letters_are_settled_between(desk: Desk) -> None:
    people = ("ada", "ben", "cleo", "dan", "eve")
    letters = await desk.refused(*(recorded(desk, name) for name in people))
    first = await desk.page(limit=2)
    assert [row["id"] for row in first["items"]] == letters[:2]
    assert await desk.discard(letters[1]) == (200, "discarded")
    second = await desk.page(limit=2, after=first["next"])
    assert [row["id"] for row in second["items"]] == letters[2:4]
    last = await desk.page(limit=2, after=second["next"])
    assert ([row["id"] for row in last["items"]], last["next"]) == (letters[4:], None)
    strange = {"after": "never-one-of-ours"}
    answer = await desk.profiles.call(desk.operator, "GET", LETTERS, params=strange)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_page")


async def test_a_letter_that_names_no_tenant_is_everybodys_and_no_good(desk: Desk) -> None:
    garbage = replace(recorded(desk), payload=b"{" + desk.tenant.encode())
    before = {row["id"] for row in await desk.listing(unattributed=True)}
    await desk.platform.send(garbage)

    async def fresh() -> set[str]:
        return {row["id"] for row in await desk.listing(unattributed=True)} - before

    (letter,) = await eventually(fresh, what="an unattributed dead letter")
    await desk.profiles.say()
    assert await desk.listing() == []
    assert await desk.redrive(letter) == (409, "still_dead")
    assert await desk.discard(letter) == (200, "discarded")


async def make_unattributed(desk: Desk, letter: str, state: str = "open") -> None:
    """As if its tenant had not been readable when it died, and is now."""
    async with desk.platform.databases.login("profiles", "admin") as admin:
        await admin.execute("DELETE FROM inbox WHERE tenant = $1 AND outcome = 'dead'", desk.tenant)
        changed = "UPDATE dead_letter SET tenant = '-', state = $2 WHERE id = $1"
        assert await admin.execute(changed, letter, state) == "UPDATE 1"


async def test_a_letter_whose_tenant_is_readable_by_now_is_settled_after_a_crash_too(desk: Desk) -> None:
    (letter,) = await desk.refused(recorded(desk))
    await desk.set_up()
    await make_unattributed(desk, letter)
    assert await desk.redrive(letter) == (200, "applied")
    assert await desk.redrive(letter) == (409, "already_settled")
    await make_unattributed(desk, letter)  # what a crash before the settling leaves
    assert await desk.redrive(letter) == (200, "applied")
    assert await desk.redrive(letter) == (409, "already_settled")
    assert await desk.said() == 1


async def test_whoever_redrives_an_unattributed_letter_acts_in_their_own_tenant_only(desk: Desk) -> None:
    (letter,) = await desk.refused(recorded(desk))
    await desk.set_up()
    await make_unattributed(desk, letter)
    stranger = Desk(desk.platform, new_tenant())
    assert await stranger.redrive(letter) == (409, "of_another_tenant")
    assert await stranger.redrive(letter, dry_run=True) == (409, "of_another_tenant")
    assert await desk.people() == []
    assert await desk.redrive(letter) == (200, "applied")


async def test_nobody_settles_another_tenants_letter(desk: Desk) -> None:
    (letter,) = await desk.refused(recorded(desk))
    stranger = Desk(desk.platform, new_tenant())
    assert await stranger.listing() == []
    assert await stranger.redrive(letter) == (404, "dead_letter_unknown")
    assert await stranger.discard(letter) == (404, "dead_letter_unknown")
    assert len(await desk.listing()) == 1


async def test_whoever_was_redriven_is_there_for_everybody(desk: Desk) -> None:
    (letter,) = await desk.refused(recorded(desk))
    await desk.set_up()
    await desk.redrive(letter)
    me = Who(person_id(desk.tenant, "ada"), desk.tenant)
    person = await desk.profiles.ask(me, "GET", f"/people/{me.subject}")
    assert (person["given_name"], person["version"]) == ("Given-ada", 1)
