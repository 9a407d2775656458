"""A mentor's places under load: hundreds of requests at once for the last one, on real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.matching.domain.mentees import Mentee, Place, Standing
from services.matching.domain.pairs import MentorLoad, Proposal, ProposalStatus
from services.matching.domain.people import Person, PersonStatus
from services.matching.store import MENTEE, MENTOR_LOAD, PERSON, PROPOSAL
from shared.contracts.people import Role
from tests.integration.services.said import enrolment, person, programme
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Instance, Who
from tests.support.platform import Platform

PROGRAMME, MENTOR = "p-1", "mentor"
MANY = 200


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform


async def open_proposals(
    matching: Instance, tenant: str, *, capacity: int, mentor_accepted: bool = False, number: int = MANY
) -> list[str]:
    """So many open proposals to one mentor, with fewer places than that.

    No event leads there (a round reserves a place for each), hence rows; so the last line of defence is
    tried, and not what usually stands before it.
    """
    names = [f"mentee-{n:03}" for n in range(number)]
    async with matching.process.database.transaction(tenant) as uow:
        await uow.get(PERSON, MENTOR)
        uow.put(
            Person(
                MENTOR, version=1, status=PersonStatus.ACTIVE, mentor_capacity=capacity, matching_consent=True
            )
        )
        await uow.get(MENTOR_LOAD, MENTOR)
        uow.put(MentorLoad(MENTOR, active=0, reserved=number))
        for name in names:
            await uow.get(MENTEE, PROGRAMME, name)
            uow.put(
                Mentee(
                    PROGRAMME, name, f"enrolment-of-{name}", Standing.ELIGIBLE, Place.PROPOSED, uow.now.date()
                )
            )
            await uow.get(PROPOSAL, f"proposal-to-{name}")
            uow.put(
                Proposal(
                    proposal_id=f"proposal-to-{name}",
                    version=1,
                    programme_id=PROGRAMME,
                    mentor_id=MENTOR,
                    mentee_id=name,
                    attempt=1,
                    status=ProposalStatus.OPEN,
                    mentor_accepted=mentor_accepted,
                    mentee_accepted=not mentor_accepted,
                    score=1,
                    reasons=[],
                    proposed_at=uow.now,
                    expires_at=uow.now + timedelta(days=7),
                )
            )
    return names


async def places(matching: Instance, tenant: str) -> dict[str, Any]:
    """What the mentor's load says, and what the rows say that it counts."""
    (row,) = await matching.rows(
        tenant,
        "SELECT l.active, l.reserved,"
        " (SELECT count(*) FROM relationship WHERE tenant = :tenant AND status = 'active') AS relationships,"
        " (SELECT count(*) FROM proposal WHERE tenant = :tenant AND status = 'open') AS open,"
        " (SELECT count(*) FROM proposal WHERE tenant = :tenant AND status = 'accepted') AS accepted,"
        " (SELECT count(*) FROM mentee WHERE tenant = :tenant AND place = 'paired') AS paired,"
        " (SELECT count(*) FROM mentee WHERE tenant = :tenant AND place = 'proposed') AS proposed"
        " FROM mentor_load l WHERE l.tenant = :tenant",
    )
    return dict(row._mapping)


async def started(matching: Instance, tenant: str) -> int:
    """How many pairs this service has said to have started."""
    rows = await matching.plumbing(
        "SELECT id FROM outbox WHERE tenant = $1 AND type = 'mentoring.relationship.started.v1'", tenant
    )
    return len(rows)


def answers(responses: list[httpx.Response]) -> Counter[tuple[int, str]]:
    """Status and code of each, counted."""
    return Counter((each.status_code, each.json().get("code", "")) for each in responses)


@pytest.mark.parametrize("last", ["mentee", "mentor"])
async def test_of_200_at_once_on_one_place_exactly_one_gets_it(platform: Platform, last: str) -> None:
    """Whoever says the second yes: 200 mentees, or the mentor in 200 windows. Over two replicas."""
    replicas = [platform.replica("matching", name) for name in ("r0", "r1")]
    tenant = new_tenant()
    mentees = await open_proposals(replicas[0], tenant, capacity=1, mentor_accepted=last == "mentee")
    responses = await asyncio.gather(
        *(
            replicas[n % 2].call(
                Who(mentee if last == "mentee" else MENTOR, tenant),
                "POST",
                f"/proposals/proposal-to-{mentee}/accept",
            )
            for n, mentee in enumerate(mentees)
        )
    )
    assert answers(responses) == {(200, ""): 1, (409, "mentor_full"): MANY - 1}
    assert await places(replicas[0], tenant) == {
        "active": 1, "reserved": MANY - 1, "relationships": 1, "open": MANY - 1, "accepted": 1, "paired": 1,
        "proposed": MANY - 1,
    }  # fmt: skip
    assert await started(replicas[0], tenant) == 1


async def test_of_60_at_once_on_seven_places_exactly_seven_get_one(platform: Platform) -> None:
    matching, tenant = platform["matching"], new_tenant()
    mentees = await open_proposals(matching, tenant, capacity=7, mentor_accepted=True, number=60)
    responses = await asyncio.gather(
        *(
            matching.call(Who(mentee, tenant), "POST", f"/proposals/proposal-to-{mentee}/accept")
            for mentee in mentees
        )
    )
    assert answers(responses) == {(200, ""): 7, (409, "mentor_full"): 53}
    assert (await places(matching, tenant))["active"] == 7
    assert await started(matching, tenant) == 7


async def test_both_say_yes_a_hundred_times_at_once_and_are_one_pair(platform: Platform) -> None:
    matching, tenant = platform["matching"], new_tenant()
    (mentee,) = await open_proposals(matching, tenant, capacity=1, number=1)
    path = f"/proposals/proposal-to-{mentee}/accept"
    responses = await asyncio.gather(
        *(matching.call(Who(who, tenant), "POST", path) for who in (mentee, MENTOR) * 50)
    )
    assert answers(responses) == {(200, ""): 100}
    assert (await places(matching, tenant))["relationships"] == 1
    assert await started(matching, tenant) == 1


async def test_a_place_goes_to_one_when_another_declines_at_the_same_time(platform: Platform) -> None:
    """Accepting and declining over and over: whatever the order, loads equal the rows and nobody is over."""
    matching, tenant = platform["matching"], new_tenant()
    mentees = await open_proposals(matching, tenant, capacity=10, mentor_accepted=True, number=60)
    responses = await asyncio.gather(
        *(
            matching.call(Who(mentee, tenant), "POST", f"/proposals/proposal-to-{mentee}/{word}")
            for n, mentee in enumerate(mentees)
            for word in (("accept",) if n % 2 else ("decline",))
        )
    )
    assert answers(responses) == {(200, ""): 40, (409, "mentor_full"): 20}
    found = await places(matching, tenant)
    assert (found["active"], found["reserved"]) == (10, 20)
    assert (found["relationships"], found["open"]) == (10, 20)


async def test_rounds_at_the_same_moment_reserve_no_place_twice(platform: Platform) -> None:
    """Two replicas compute two programmes with one mentor in both."""
    replicas = [platform.replica("matching", name) for name in ("r0", "r1")]
    tenant, coordinator = new_tenant(), "coordinator"
    await replicas[0].hear(tenant, person(MENTOR, level=9, capacity=3))
    for where in ("p-1", "p-2"):
        mentees = [f"{where}-{n}" for n in range(20)]
        await replicas[0].hear(
            tenant,
            programme(where, coordinator),
            enrolment(MENTOR, where, Role.MENTOR),
            *(person(name) for name in mentees),
            *(enrolment(name, where, Role.MENTEE) for name in mentees),
        )
        await replicas[0].ask(Who(coordinator, tenant), "POST", f"/programmes/{where}/rounds")
    await asyncio.gather(*(replica.fire_timers() for replica in replicas))
    (load,) = await replicas[0].rows(
        tenant, "SELECT active, reserved FROM mentor_load WHERE tenant = :tenant"
    )
    (row,) = await replicas[0].rows(tenant, "SELECT count(*) FROM proposal WHERE tenant = :tenant")
    assert tuple(load) == (0, 3)
    assert row[0] == 3
