"""HR's events: what they make of a person, in every order."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.profiles import commands
from services.profiles.domain.people import NEVER, Employment, PersonStatus, Profile, end_of_day
from services.profiles.domain.programmes import Programme, Role
from shared.contracts import person_id
from shared.contracts.people import EnrolmentStatus
from shared.errors import Invalid
from shared.messaging.handlers import Outcome
from tests.support.memory import NOW
from tests.unit.profiles.support import ADA, TENANT, World, cancelled, command, recorded, terminated

PAST, TODAY, SOON, LATER = (date(2026, 2, 20), date(2026, 3, 2), date(2026, 3, 10), date(2026, 4, 20))
SOON_ENDS = datetime(2026, 3, 10, 23, tzinfo=UTC)


async def test_a_record_is_published_with_the_platforms_ids() -> None:
    world = World()
    assert await world.hear(recorded(), 7) is None
    (person,) = world.people()
    assert (person.person_id, person.manager_id) == (ADA, person_id(TENANT, "E0"))
    assert (person.status, person.spell, person.matching_consent) == ("active", 1, False)
    assert world.store.versions == [1]
    assert world.person().record_sequence == 7


async def test_sequence_zero_is_a_first_record_too() -> None:
    world = World()
    assert await world.hear(recorded(), 0) is None
    assert len(world.people()) == 1


@pytest.mark.parametrize("sequence", [2, 3])
async def test_an_older_or_equal_record_is_stale(sequence: int) -> None:
    world = World()
    await world.hear(recorded(), 3)
    assert await world.hear(recorded(given_name="Old"), sequence) is Outcome.STALE
    assert world.person().given_name == "Ada"
    assert len(world.said) == 1


async def test_a_record_that_changes_nothing_public_is_not_published() -> None:
    world = World()
    await world.hear(recorded(), 1)
    assert await world.hear(recorded(), 2) is None
    assert len(world.said) == 1
    assert (world.person().version, world.person().record_sequence) == (1, 2)


async def test_a_changed_address_is_published_whole() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(recorded(email="countess@example.org"), 2)
    assert world.people()[1] == world.people()[0].model_copy(update={"email": "countess@example.org"})
    assert world.store.versions == [1, 2]


async def test_languages_of_hr_give_way_to_the_persons_own() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await command(world, commands.put_profile, ADA, Profile(own_languages=["fr"]))
    await world.hear(recorded(languages=["it"]), 2)
    assert [person.languages for person in world.people()] == [["en", "de"], ["fr"]]
    await command(world, commands.put_profile, ADA, Profile())
    assert world.people()[-1].languages == ["it"]


async def test_a_tenant_that_nobody_has_set_up_is_refused() -> None:
    world = World(tenant=False)
    with pytest.raises(Invalid) as refused:
        await world.hear(recorded(), 1, dropped=("pay",))
    assert refused.value.code == "tenant_unknown"
    assert not world.said
    assert not any(world.store.rows.values())


async def test_a_past_termination_takes_effect_at_once() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(PAST), 2)
    assert [person.status for person in world.people()] == ["active", "left"]
    assert world.due() is None


async def test_today_is_not_past() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(TODAY), 2)
    assert world.due() == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert len(world.said) == 1


async def test_a_future_termination_is_a_secret_until_its_time() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(SOON), 2)
    assert (len(world.said), world.due()) == (1, SOON_ENDS)
    assert await world.run_timers(SOON_ENDS - timedelta(seconds=1)) == 0
    assert await world.run_timers(SOON_ENDS) == 1
    assert [person.status for person in world.people()] == ["active", "left"]
    assert world.due() is None
    assert all(str(SOON) not in data.model_dump_json() for data in world.said)


async def test_a_reposted_termination_moves() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(LATER), 2)
    await world.hear(terminated(SOON), 3)
    assert world.due() == SOON_ENDS
    assert await world.hear(terminated(LATER), 2) is Outcome.STALE
    assert world.due() == SOON_ENDS


async def test_cancelled_in_time_nobody_hears_of_it() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(SOON), 2)
    await world.hear(cancelled(), 3)
    assert (world.due(), len(world.said), world.person().spell) == (None, 1, 1)
    assert await world.hear(terminated(SOON), 2) is Outcome.STALE


async def test_cancelled_after_the_effect_is_a_new_spell() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(PAST), 2)
    await world.hear(cancelled(), 3)
    assert [(person.status, person.spell) for person in world.people()] == [
        ("active", 1), ("left", 1), ("active", 2),
    ]  # fmt: skip
    assert world.store.versions == [1, 2, 3]


async def test_a_later_last_day_after_the_effect_is_a_return_until_then() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(PAST), 2)
    await world.hear(terminated(SOON), 3)
    assert (world.people()[-1].status, world.people()[-1].spell, world.due()) == ("active", 2, SOON_ENDS)
    await world.run_timers(SOON_ENDS)
    assert (world.people()[-1].status, world.people()[-1].spell) == ("left", 2)


async def test_a_corrected_past_day_changes_nothing_public() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(PAST), 2)
    await world.hear(terminated(PAST - timedelta(days=1)), 3)
    assert [person.status for person in world.people()] == ["active", "left"]


async def test_the_same_last_day_again_does_not_bring_anybody_back() -> None:
    world = World()
    await world.hear(recorded(time_zone="Pacific/Kiritimati"), 1)
    await world.hear(terminated(date(2026, 3, 1)), 2)  # over there it has ended
    await world.hear(recorded(time_zone="Pacific/Pago_Pago"), 3)
    await world.hear(terminated(date(2026, 3, 1)), 4)  # here it has not
    assert [person.status for person in world.people()] == ["active", "left", "left"]


async def test_a_new_time_zone_moves_the_last_midnight() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(SOON), 2)
    await world.hear(recorded(time_zone="America/New_York"), 3)
    assert world.due() == datetime(2026, 3, 11, 4, tzinfo=UTC)  # already in summer time


async def test_a_new_time_zone_can_make_the_last_day_past() -> None:
    world = World()
    world.now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    await world.hear(recorded(), 1)
    await world.hear(terminated(SOON), 2)
    await world.hear(recorded(time_zone="Pacific/Kiritimati"), 3)
    assert (world.people()[-1].status, world.due()) == ("left", None)


@pytest.mark.parametrize(("on", "status"), [(PAST, "left"), (SOON, "active")])
async def test_a_termination_before_the_record(on: date, status: str) -> None:
    world = World()
    assert await world.hear(terminated(on), 5) is None
    assert (world.said, world.due(), world.person().record_sequence) == ([], None, NEVER)
    await world.hear(recorded(), 4)
    assert [person.status for person in world.people()] == [status]
    assert world.due() == (SOON_ENDS if on == SOON else None)


async def test_a_cancellation_before_everything() -> None:
    world = World()
    await world.hear(cancelled(), 6)
    assert await world.hear(terminated(PAST), 5) is Outcome.STALE
    await world.hear(recorded(), 4)
    assert [(person.status, person.spell) for person in world.people()] == [("active", 1)]


async def test_a_leaver_is_withdrawn_from_everything_at_once() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await command(world, commands.put_programme, Programme("p1", "Spring"))
    for role in Role:
        await command(world, commands.enrol, "p1", role, ADA, consents=True, by=ADA)
    await command(world, commands.withdraw, "p1", Role.MENTEE, ADA)
    await world.hear(terminated(SOON), 2)
    await world.run_timers(SOON_ENDS)
    last = {data.role: data.status for data in world.enrolments()}
    assert last == {"mentor": EnrolmentStatus.WITHDRAWN, "mentee": EnrolmentStatus.WITHDRAWN}
    assert len(world.enrolments()) == 4
    await world.hear(cancelled(), 3)
    assert len(world.enrolments()) == 4


async def test_a_timer_that_lost_its_race_does_nothing() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(SOON), 2)
    stray = world.store.timers["termination", ADA]
    await world.hear(cancelled(), 3)
    world.store.timers["termination", ADA] = stray
    assert await world.run_timers(SOON_ENDS) == 1
    assert len(world.said) == 1


async def test_a_timer_that_was_claimed_too_early_is_set_again() -> None:
    world = World()
    await world.hear(recorded(), 1)
    await world.hear(terminated(SOON), 2)
    stray = world.store.timers["termination", ADA]
    await world.hear(terminated(LATER), 3)
    world.store.timers["termination", ADA] = stray
    await world.run_timers(SOON_ENDS)
    assert world.person().employment is Employment.LEAVING
    assert world.due() == end_of_day(LATER, "Europe/Berlin")


_EMPLOYMENT = st.one_of(st.none(), st.sampled_from([PAST, SOON, LATER]))
_RECORD = st.fixed_dictionaries(
    {"given_name": st.sampled_from(["Ada", "Augusta"]), "time_zone": st.sampled_from(["UTC", "Asia/Tokyo"])}
)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(st.one_of(_RECORD, _EMPLOYMENT), min_size=1, max_size=7))
async def test_the_order_of_arrival_changes_nothing_but_the_spell(
    data: st.DataObject, story: list[Any]
) -> None:
    arrivals = data.draw(st.permutations([*enumerate(story), *enumerate(story)]))  # everything twice
    world = World()
    for sequence, what in arrivals:
        await world.hear(_event(what), sequence)
    person = world.person()
    records = [what for what in story if isinstance(what, dict)]
    employments = [what for what in story if not isinstance(what, dict)]
    last_day = employments[-1] if employments else None
    if not records:
        assert not world.said
        assert not world.store.timers
        return
    assert (person.given_name, person.time_zone) == (records[-1]["given_name"], records[-1]["time_zone"])
    assert person.status is (PersonStatus.LEFT if last_day == PAST else PersonStatus.ACTIVE)
    pending = last_day is not None and last_day > NOW.date()
    assert world.due() == (end_of_day(last_day, person.time_zone) if last_day and pending else None)
    assert world.store.versions == list(range(1, len(world.said) + 1))
    assert (world.people()[-1].status.value, world.people()[-1].spell) == (person.status.value, person.spell)
    _assert_every_event_is_news(world)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(_RECORD, st.none(), st.integers(-5, 30), st.sampled_from(["wait"])), max_size=12))
async def test_while_time_goes_by(steps: list[Any]) -> None:
    """A model in days: terminations relative to today, waiting three days at a time."""
    world = World()
    await world.hear(recorded(time_zone="UTC"), 0)
    last_day: date | None = None
    for sequence, step in enumerate(steps, 1):
        if step == "wait":
            await world.run_timers(world.now + timedelta(days=3))
            continue
        if isinstance(step, dict):
            step = step | {"time_zone": "UTC"}
        elif isinstance(step, int):
            step = last_day = world.now.date() + timedelta(days=step)
        else:
            last_day = None
        await world.hear(_event(step), sequence)
        gone = last_day is not None and last_day < world.now.date()
        assert world.person().status is (PersonStatus.LEFT if gone else PersonStatus.ACTIVE)
    states = [(data.status, data.spell) for data in world.people()]
    returns = sum(a[0] == "left" and b[0] == "active" for a, b in pairwise(states))
    assert states[-1][1] == world.person().spell == 1 + returns
    assert (world.due() is None) == (world.person().employment is not Employment.LEAVING)
    _assert_every_event_is_news(world)


def _assert_every_event_is_news(world: World) -> None:
    for before, after in pairwise(world.people()):
        assert before != after


def _event(what: Any) -> Any:
    if isinstance(what, dict):
        return recorded(**what)
    return cancelled() if what is None else terminated(what)
