"""What people ask for: enrolments, consent, profiles, programmes; and each of it twice."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.profiles import commands
from services.profiles.domain.consent import Consent, Purpose
from services.profiles.domain.intake import Organisation
from services.profiles.domain.people import Profile
from services.profiles.domain.programmes import Enrolment, Programme, Role, Rounds
from services.profiles.store import CONSENT, ENROLMENT, ORGANISATION
from shared.contracts import derived_id
from shared.contracts.people import ProgrammeChanged
from shared.errors import Conflict, Invalid, NotFound, NotYetKnown
from tests.unit.profiles.support import ADA, World, command, recorded, terminated

PAST = date(2026, 2, 20)


@pytest.fixture
async def world() -> World:
    world = World()
    await world.hear(recorded(), 1)
    await command(world, commands.put_programme, Programme("p1", "Spring", coordinator_ids=["boss"]))
    return world


async def enrol(
    world: World,
    role: Role = Role.MENTEE,
    *,
    by: str = ADA,
    programme: str = "p1",
    person: str = ADA,
    consents: bool = True,
) -> Enrolment:
    done: Enrolment = await command(world, commands.enrol, programme, role, person, consents=consents, by=by)
    return done


async def consent(world: World, granted: bool, by: str = ADA) -> Any:
    return await command(
        world, commands.decide_consent, ADA, Purpose.MATCHING, granted=granted, decided_by=by
    )


def refusal(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value.code)


async def test_to_enrol_is_to_consent(world: World) -> None:
    await enrol(world)
    (enrolment,) = world.enrolments()
    assert enrolment.enrolment_id == derived_id("enrolment", "p1", ADA, "mentee")
    assert [person.matching_consent for person in world.people()] == [False, True]
    assert world.store.all(CONSENT) == [Consent(ADA, Purpose.MATCHING, True, world.now, ADA)]


async def test_enrolled_twice_is_enrolled_once(world: World) -> None:
    first = await enrol(world)
    said = len(world.said)
    assert await enrol(world) == first
    assert len(world.said) == said


async def test_one_person_may_be_both(world: World) -> None:
    await enrol(world, Role.MENTEE)
    await enrol(world, Role.MENTOR)
    assert {data.role for data in world.enrolments()} == {"mentor", "mentee"}
    assert len(world.people()) == 2  # the consent is given once


PEERS = {"form": "peer", "rules": {"peer_level_gap": 2}}


async def decide(world: World, **decided: Any) -> Programme:
    done: Programme = await command(world, commands.put_matching, "p1", Rounds.AUTOMATIC, decided)
    return done


async def test_among_peers_everybody_is_a_mentee(world: World) -> None:
    await decide(world, **PEERS)
    with pytest.raises(Conflict) as error:
        await enrol(world, Role.MENTOR)
    assert refusal(error) == "no_mentors_among_peers"
    await enrol(world, Role.MENTEE)
    (enrolment,) = world.enrolments()
    assert enrolment.role == "mentee"


@pytest.mark.parametrize(("first", "then"), [(PEERS, {}), ({}, PEERS), ({"form": "group"}, PEERS)])
@pytest.mark.parametrize("withdrawn", [False, True])
async def test_whether_people_are_peers_is_decided_before_anybody_enrols(
    world: World, first: dict[str, Any], then: dict[str, Any], withdrawn: bool
) -> None:
    await decide(world, **then)
    await decide(world, **first)
    await enrol(world)
    if withdrawn:
        await command(world, commands.withdraw, "p1", Role.MENTEE, ADA)
    with pytest.raises(Conflict) as error:
        await decide(world, **then)
    assert refusal(error) == "form_fixed"
    assert (await decide(world, **first, objective="value")).matching == {**first, "objective": "value"}


async def test_without_consent_nobody_is_enrolled(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        await enrol(world, consents=False)
    assert refusal(refused) == "consent_needed"


async def test_a_repeated_request_does_not_renew_a_withdrawn_consent(world: World) -> None:
    await enrol(world)
    await consent(world, False)
    await enrol(world)
    assert world.people()[-1].matching_consent is False


async def test_a_coordinator_does_not_overrule_a_no(world: World) -> None:
    await consent(world, False)
    with pytest.raises(Conflict) as refused:
        await enrol(world, by="boss")
    assert refusal(refused) == "consent_withdrawn"
    await enrol(world, by=ADA)
    assert world.people()[-1].matching_consent is True


async def test_a_coordinator_can_enrol_somebody_who_has_agreed_elsewhere(world: World) -> None:
    await enrol(world, by="boss")
    assert world.store.all(CONSENT)[0].decided_by == "boss"


async def test_an_unknown_person_may_be_known_soon(world: World) -> None:
    with pytest.raises(NotYetKnown):
        await enrol(world, person="nobody")
    await world.hear(terminated(PAST, "E2"), 1)  # a stub is nobody yet
    with pytest.raises(NotYetKnown):
        await command(world, commands.put_profile, derived_id("person", "acme", "E2"), Profile())


async def test_an_unknown_programme_is_not_there(world: World) -> None:
    with pytest.raises(NotFound):
        await enrol(world, programme="p2")


async def test_a_closed_programme_takes_nobody(world: World) -> None:
    await enrol(world, Role.MENTOR)
    await command(world, commands.put_programme, Programme("p1", "Spring", active=False))
    with pytest.raises(Conflict) as refused:
        await enrol(world, Role.MENTEE)
    assert refusal(refused) == "programme_closed"
    assert (await enrol(world, Role.MENTOR)).active  # who is in stays in


async def test_who_has_left_is_not_enrolled(world: World) -> None:
    await world.hear(terminated(PAST), 2)
    with pytest.raises(Conflict) as refused:
        await enrol(world)
    assert refusal(refused) == "person_left"
    assert not world.store.all(ENROLMENT)


async def test_a_mentor_needs_room_for_one(world: World) -> None:
    await command(world, commands.put_profile, ADA, Profile(mentor_capacity=0))
    with pytest.raises(Conflict) as refused:
        await enrol(world, Role.MENTOR)
    assert refusal(refused) == "no_mentor_capacity"
    await enrol(world, Role.MENTEE)


async def test_withdrawn_and_back(world: World) -> None:
    await enrol(world)
    await command(world, commands.withdraw, "p1", Role.MENTEE, ADA)
    again = await command(world, commands.withdraw, "p1", Role.MENTEE, ADA)
    assert (again.active, again.version) == (False, 2)
    assert (await enrol(world)).version == 3
    assert [data.status for data in world.enrolments()] == ["active", "withdrawn", "active"]


async def test_nobody_withdraws_from_what_never_was(world: World) -> None:
    with pytest.raises(NotFound):
        await command(world, commands.withdraw, "p1", Role.MENTOR, ADA)


async def test_consent_keeps_the_time_of_its_decision(world: World) -> None:
    first = await consent(world, True)
    world.now += timedelta(hours=1)
    assert await consent(world, True) == first
    assert (await consent(world, False)).decided_at == world.now
    assert [person.matching_consent for person in world.people()] == [False, True, False]
    assert world.person().version == 3


async def test_a_first_no_is_recorded_and_nothing_changes_outside(world: World) -> None:
    await consent(world, False)
    assert world.store.all(CONSENT)[0].granted is False
    assert len(world.people()) == 1


async def test_who_has_left_can_withdraw_but_not_give_consent(world: World) -> None:
    await consent(world, True)
    await world.hear(terminated(PAST), 2)
    await consent(world, False)
    with pytest.raises(Conflict):
        await consent(world, True)


async def test_a_profile_replaces_the_former_one_and_says_it_once(world: World) -> None:
    profile = Profile(skills_offered={"Python": 4}, goals="Learn", mentor_capacity=2)
    await command(world, commands.put_profile, ADA, profile)
    await command(world, commands.put_profile, ADA, profile)
    assert len(world.people()) == 2
    assert world.people()[-1].skills_offered == {"Python": 4}
    await command(world, commands.put_profile, ADA, Profile())
    assert (world.people()[-1].skills_offered, world.people()[-1].mentor_capacity) == ({}, 1)


async def test_a_programme_says_only_its_changes(world: World) -> None:
    same = Programme("p1", "Spring", coordinator_ids=["boss"])
    assert (await command(world, commands.put_programme, same)).version == 1
    assert (await command(world, commands.put_programme, Programme("p1", "Summer"))).version == 2
    names = [data.name for data in world.said if isinstance(data, ProgrammeChanged)]
    assert names == ["Spring", "Summer"]


async def test_a_tenant_can_be_set_up_again(world: World) -> None:
    await command(world, commands.put_organisation, "Acme plc", "Europe/London")
    assert world.store.all(ORGANISATION) == [Organisation("acme", "Acme plc", "Europe/London")]
