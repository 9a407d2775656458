"""What participants tell matching in confidence: told once, refused when it cannot be meant, and forgotten."""

from typing import Any

import pytest

from services.profiles import commands, erasures
from services.profiles.domain.programmes import Enrolment, Programme, Role, Rounds, Wishes
from services.profiles.store import ENROLMENT
from shared.contracts import person_id
from shared.contracts.people import ProgrammeChanged
from shared.errors import Conflict, Invalid, NotFound
from tests.unit.profiles.support import ADA, TENANT, World, command, recorded

BEN, CEM = person_id(TENANT, "E2"), person_id(TENANT, "E3")


@pytest.fixture
async def world() -> World:
    """Ada and Ben are mentees, Cem is a mentor."""
    world = World()
    await command(world, commands.put_programme, Programme("p1", "Spring"))
    for number, (person, role) in enumerate(
        [(ADA, Role.MENTEE), (BEN, Role.MENTEE), (CEM, Role.MENTOR)], start=1
    ):
        await world.hear(recorded(f"E{number}"), 1)
        await command(world, commands.enrol, "p1", role, person, consents=True, by=person)
    return world


async def wish(world: World, person: str = ADA, role: Role = Role.MENTEE, **wishes: Any) -> Enrolment:
    done: Enrolment = await command(world, commands.put_wishes, "p1", role, person, Wishes(**wishes))
    return done


def refusal(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value.code)


async def test_wishes_are_said_once_and_replace_the_former_ones(world: World) -> None:
    said = len(world.said)
    first = await wish(world, choices=[CEM], preferences=["a sailor"])
    assert await wish(world, choices=[CEM], preferences=["a sailor"]) == first
    await wish(world, avoid=[CEM])
    told = [(each.choices, each.avoid, each.preferences) for each in world.enrolments()[-2:]]
    assert told == [([CEM], [], ["a sailor"]), ([], [CEM], [])]
    assert len(world.said) == said + 2


@pytest.mark.parametrize(
    ("wishes", "role"),
    [
        ({"choices": [ADA]}, Role.MENTEE),
        ({"avoid": [ADA]}, Role.MENTEE),
        ({"choices": [CEM, BEN], "avoid": [BEN]}, Role.MENTEE),
        ({"paused": True}, Role.MENTEE),
    ],
)
async def test_what_cannot_be_meant_is_refused(world: World, wishes: Any, role: Role) -> None:
    with pytest.raises(Invalid) as refused:
        await wish(world, role=role, **wishes)
    assert refusal(refused) == "wishes_contradictory"


async def test_only_known_people_are_named(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        await wish(world, choices=[person_id(TENANT, "E9")])
    assert refusal(refused) == "person_unknown"
    await command(world, erasures.erase, CEM, "officer")
    with pytest.raises(Invalid):
        await wish(world, avoid=[CEM])


async def test_who_does_not_take_part_has_nothing_to_wish_for(world: World) -> None:
    with pytest.raises(NotFound):
        await wish(world, role=Role.MENTOR)
    await wish(world, avoid=[CEM])
    await command(world, commands.withdraw, "p1", Role.MENTEE, ADA)
    with pytest.raises(Conflict) as refused:
        await wish(world, avoid=[BEN])
    assert refusal(refused) == "not_enrolled"
    back = await command(world, commands.enrol, "p1", Role.MENTEE, ADA, consents=True, by=ADA)
    assert back.avoid == [CEM]  # whom somebody avoids is not forgotten by a detour


async def test_a_mentor_pauses_and_is_back(world: World) -> None:
    await wish(world, CEM, Role.MENTOR, paused=True)
    assert world.enrolments()[-1].paused
    await command(world, commands.withdraw, "p1", Role.MENTOR, CEM)
    assert not (await command(world, commands.enrol, "p1", Role.MENTOR, CEM, consents=True, by=CEM)).paused


async def test_who_is_erased_vanishes_from_others_lists(world: World) -> None:
    await wish(world, choices=[CEM])
    await wish(world, BEN, avoid=[ADA, CEM])
    await wish(world, CEM, Role.MENTOR, choices=[ADA], preferences=["a sailor"])
    before = len(world.said)
    await command(world, erasures.erase, CEM, "officer")
    left = {row.person_id: row for row in world.store.all(ENROLMENT)}
    assert (left[ADA].choices, left[BEN].avoid) == ([], [ADA])
    assert (left[CEM].choices, left[CEM].preferences, left[CEM].active) == ([], [], False)
    told = {each.person_id: each for each in world.enrolments() if each in world.said[before:]}
    assert {name: (each.choices, each.avoid, each.preferences) for name, each in told.items()} == {
        ADA: ([], [], []), BEN: ([], [ADA], []), CEM: ([], [], []),
    }  # fmt: skip


async def test_the_configuration_is_counted_when_a_result_may_change(world: World) -> None:
    async def matching(rounds: Rounds = Rounds.AUTOMATIC, **decided: Any) -> int:
        made: Programme = await command(world, commands.put_matching, "p1", rounds, decided)
        return made.configuration_version

    assert await matching(objective="value") == 2
    assert await matching(objective="value") == 2
    assert await matching(Rounds.SUPERVISED, objective="value") == 2
    await command(world, commands.put_programme, Programme("p1", "Summer", matching_delay_minutes=9))
    await command(world, commands.put_programme, Programme("p1", "Summer", minimum_level_gap=0))
    said = [each for each in world.said if isinstance(each, ProgrammeChanged)]
    assert [each.configuration_version for each in said] == [1, 2, 2, 2, 3]
    assert (said[-1].matching.decided(), said[-1].rounds) == ({"objective": "value"}, "supervised")


async def test_a_programme_that_nobody_made_has_no_matching(world: World) -> None:
    with pytest.raises(NotFound):
        await command(world, commands.put_matching, "p9", Rounds.SUPERVISED, {})
