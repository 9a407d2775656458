"""Forgetting a person: what goes, who confirms, what is repeated, and that HR cannot undo it."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.profiles import commands, erasures
from services.profiles.domain.erasure import CONFIRMING, Erasure, ErasureStatus
from services.profiles.domain.people import Profile
from services.profiles.domain.programmes import Programme, Role
from services.profiles.store import CONSENT, ENROLMENT, ERASURE, PERSON
from shared.contracts import SERVICES, derived_id
from shared.contracts.erasure import ErasureChanged, ErasureConfirmed, Service
from shared.contracts.people import PersonChanged, PersonErased
from shared.errors import Conflict, NotFound
from shared.messaging.handlers import Outcome
from tests.unit.profiles.support import ADA, World, cancelled, command, recorded, terminated

NEXT_YEAR = date(2027, 1, 4)


@pytest.fixture
async def world() -> World:
    """Ada is employed, mentors in a programme and has written of herself."""
    world = World()
    await world.hear(recorded(hired_on=date(2020, 1, 1)), 3)
    await command(world, commands.put_programme, Programme("p1", "Spring"))
    await command(world, commands.enrol, "p1", Role.MENTOR, ADA, consents=True, by=ADA)
    await command(world, commands.put_profile, ADA, Profile(goals="to sail"))
    return world


async def erase(world: World) -> Erasure:
    done: Erasure = await command(world, erasures.erase, ADA, "officer")
    return done


def erasure(world: World) -> Erasure:
    row: Erasure = world.store.rows[ERASURE.name][(ADA,)]
    return row


def said(world: World, kind: type[Any]) -> list[Any]:
    return [each for each in world.said if isinstance(each, kind)]


def tombstones(world: World) -> list[int]:
    """Versions of the tombstones said so far."""
    versions = zip(world.said, world.store.versions, strict=True)
    return [version for each, version in versions if isinstance(each, PersonErased)]


def receipt_of(service: str, person_version: int, **counts: int) -> ErasureConfirmed:
    return ErasureConfirmed(
        receipt_id=derived_id("erasure-receipt", service, ADA),
        person_id=ADA,
        service=Service(service),
        person_version=person_version,
        erased_at=World().now,
        counts=counts,
    )


async def confirm(world: World, *services: str, version: int | None = None) -> None:
    for service in services:
        await world.hear(receipt_of(service, version or tombstones(world)[-1], people=1))


async def test_everything_but_ids_goes_at_once(world: World) -> None:
    version = world.person().version
    await erase(world)
    assert world.store.all(PERSON) == world.store.all(CONSENT) == []
    assert [row.status for row in world.store.all(ENROLMENT)] == ["withdrawn"]
    assert tombstones(world) == [version + 1]
    left = repr([world.store.rows[name] for name in world.store.rows if name != "organisation"])
    assert not [word for word in ("Ada", "Byron", "example.org", "sail", "E1") if word in left]
    own = said(world, ErasureConfirmed)
    assert [(each.service, each.counts) for each in own] == [
        ("profiles", {"people": 1, "consents": 1, "enrolments-withdrawn": 1})
    ]


async def test_it_is_confirmed_when_all_four_have_said_so(world: World) -> None:
    await erase(world)
    await confirm(world, *SERVICES[:3])
    assert (erasure(world).status, erasure(world).missing(SERVICES)) == ("requested", ["notifications"])
    await confirm(world, "notifications")
    assert (erasure(world).status, erasure(world).missing(SERVICES)) == ("confirmed", [])
    told = said(world, ErasureChanged)
    assert [len(each.confirmed_by) for each in told] == [0, 1, 2, 3, 4]
    assert told[-1].status == "confirmed"
    assert told[-1].gone_by - told[-1].requested_at == timedelta(days=7)


async def test_a_receipt_of_an_earlier_erasure_does_not_count(world: World) -> None:
    await erase(world)
    stale = receipt_of("matching", tombstones(world)[-1] - 1)
    assert await world.hear(stale) is Outcome.STALE
    assert erasure(world).receipts == {}


async def test_a_receipt_for_nobody_is_passed_over() -> None:
    assert await World().hear(receipt_of("matching", 1)) is Outcome.STALE


async def test_asking_twice_says_nothing_twice(world: World) -> None:
    first = await erase(world)
    count = len(world.said)
    assert await erase(world) == first
    await confirm(world, *SERVICES)
    count = len(world.said)
    assert (await erase(world)).status is ErasureStatus.CONFIRMED
    assert len(world.said) == count


async def test_nobody_knows_of_no_one(world: World) -> None:
    with pytest.raises(NotFound) as refused:
        await command(world, erasures.erase, "somebody-else", "officer")
    assert refused.value.code == "person_unknown"


async def test_the_tombstone_comes_three_times_even_when_all_have_confirmed(world: World) -> None:
    await erase(world)
    await confirm(world, *SERVICES)
    (first,) = tombstones(world)
    await world.run_timers(world.now + CONFIRMING)
    assert tombstones(world) == [first, first + 1]
    await world.run_timers(world.now + CONFIRMING)
    assert tombstones(world) == [first, first + 1, first + 2]
    assert erasure(world).status is ErasureStatus.CONFIRMED
    assert await world.run_timers(world.now + timedelta(days=400)) == 0


async def test_what_is_missing_is_overdue_and_asked_again_until_it_comes(world: World) -> None:
    await erase(world)
    await confirm(world, "profiles", "matching", "feedback")
    await world.run_timers(world.now + CONFIRMING)
    assert erasure(world).status is ErasureStatus.OVERDUE
    assert said(world, ErasureChanged)[-1].status == "overdue"
    await world.run_timers(world.now + CONFIRMING)
    assert len(tombstones(world)) == 3
    await erase(world)  # somebody has mended the service and does not want to wait for tomorrow
    assert len(tombstones(world)) == 4
    await confirm(world, "notifications")
    assert erasure(world).status is ErasureStatus.CONFIRMED
    await world.run_timers(world.now + CONFIRMING)
    assert len(tombstones(world)) == 5
    assert await world.run_timers(world.now + timedelta(days=400)) == 0


@pytest.mark.parametrize(
    "late",
    [
        recorded(hired_on=date(2020, 1, 1)),
        recorded(),
        recorded(hired_on=World().now.date()),
        terminated(date(2026, 2, 1)),
        terminated(NEXT_YEAR),
        cancelled(),
    ],
    ids=lambda event: event.TYPE,
)
@pytest.mark.parametrize("sequence", [1, 3, 99])
async def test_what_hr_says_of_the_former_employment_brings_nobody_back(
    world: World, late: Any, sequence: int
) -> None:
    await erase(world)
    count = len(world.said)
    assert await world.hear(late, sequence) is Outcome.STALE
    assert world.store.all(PERSON) == []
    assert len(world.said) == count
    assert world.due() is None


async def test_a_new_employment_does_and_begins_with_nothing(world: World) -> None:
    await erase(world)
    await confirm(world, *SERVICES)
    (tombstone,) = tombstones(world)
    await world.hear(recorded(hired_on=NEXT_YEAR), 20)
    person = world.person()
    assert (person.version, person.goals, person.given_name) == (tombstone + 1, "", "Ada")
    assert said(world, PersonChanged)[-1].matching_consent is False
    assert erasure(world).lifted_at == world.now
    assert await world.run_timers(world.now + timedelta(days=30)) == 0
    assert tombstones(world) == [tombstone]


async def test_replays_after_the_return_are_older_than_it(world: World) -> None:
    await world.hear(terminated(date(2026, 9, 30)), 7)
    await erase(world)
    assert await world.hear(terminated(date(2026, 2, 1)), 9) is Outcome.STALE
    await world.hear(recorded(hired_on=NEXT_YEAR), 20)
    for late, sequence in ((terminated(date(2026, 2, 1)), 9), (terminated(date(2026, 9, 30)), 7)):
        assert await world.hear(late, sequence) is Outcome.STALE
    assert await world.hear(recorded(hired_on=date(2020, 1, 1)), 3) is Outcome.STALE
    assert world.person().status == "active"


async def test_an_old_record_of_a_new_employment_is_no_return(world: World) -> None:
    """It was superseded before the erasure: whatever its date says, HR has spoken since."""
    await erase(world)
    assert await world.hear(recorded(hired_on=NEXT_YEAR), 3) is Outcome.STALE
    assert world.store.all(PERSON) == []


async def test_who_has_returned_can_be_erased_again(world: World) -> None:
    await erase(world)
    await confirm(world, *SERVICES)
    await world.hear(recorded(hired_on=NEXT_YEAR), 20)
    await erase(world)
    first, second = tombstones(world)
    assert second == first + 2
    assert erasure(world).status is ErasureStatus.REQUESTED
    assert await world.hear(receipt_of("matching", first)) is Outcome.STALE
    await confirm(world, *SERVICES)
    assert erasure(world).status is ErasureStatus.CONFIRMED


async def test_a_stub_can_be_erased_too() -> None:
    world = World()
    await world.hear(terminated(NEXT_YEAR), 4)
    await erase(world)
    assert world.store.all(PERSON) == []
    assert tombstones(world) == [1]
    assert await world.hear(recorded(), 5) is Outcome.STALE


async def test_commands_about_somebody_erased_say_so(world: World) -> None:
    await erase(world)
    for ask in (
        command(world, commands.put_profile, ADA, Profile()),
        command(world, commands.enrol, "p1", Role.MENTEE, ADA, consents=True, by="boss"),
    ):
        with pytest.raises(Conflict) as refused:
            await ask
        assert refused.value.code == "person_erased"
