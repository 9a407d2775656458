"""Peers on real PostgreSQL: rounds, answers and leavings at once, and the form's decision while people enrol."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from services.matching import solver
from services.matching.waking import run_round_now
from shared.contracts.people import PersonStatus, Role
from tests.integration.services.runs import SPRING, Programme, working
from tests.integration.services.said import enrolment, person, programme
from tests.integration.services.story import RECORDED, record
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Instance, Who
from tests.support.platform import Platform
from tests.support.records import hr_event

PEERS = tuple(f"peer-{number:02}" for number in range(24))
OF_PEERS: dict[str, Any] = {"form": "peer", "rules": {"peer_level_gap": 3}}
WAVES = 6


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform
    solver.close()


async def places_are_the_rows(matching: Instance, tenant: str) -> Counter[str]:
    """Everybody's place is what the rows say of them on either side, and nobody has two; how many are where."""
    mine = "((r.mentee_id = m.person_id OR (r.peers AND r.mentor_id = m.person_id)) AND r.tenant = m.tenant"
    rows = await matching.rows(
        tenant,
        "SELECT m.person_id, m.standing, m.place,"
        f" (SELECT count(*) FROM proposal r WHERE {mine}) AND r.status = 'open') AS proposed,"
        f" (SELECT count(*) FROM relationship r WHERE {mine}) AND r.status = 'active') AS paired"
        f" FROM mentee m WHERE m.tenant = :tenant AND m.programme_id = '{SPRING}'",
    )
    for row in rows:
        assert (row.proposed, row.paired) == {"proposed": (1, 0), "paired": (0, 1)}.get(row.place, (0, 0)), (
            row
        )
        assert row.standing == "eligible" or row.place != "proposed", row
        assert row.standing != "left" or row.place in ("free", "done"), row
    loads = await matching.rows(tenant, "SELECT active, reserved FROM mentor_load WHERE tenant = :tenant")
    assert {(row.active, row.reserved) for row in loads} <= {(0, 0)}
    return Counter(row.place for row in rows)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_comes_at_once_each_has_one_place(platform: Platform, seed: int) -> None:
    """Rounds in two replicas, answers from both sides, ends, wishes and leavings, all at the same time."""
    random, tenant = Random(seed), new_tenant()
    replicas = [platform.replica("matching", name) for name in ("r0", "r1")]
    first = replicas[0]
    told: list[Any] = [programme(SPRING, "boss", matching=OF_PEERS, matching_delay_minutes=600)]
    for number, name in enumerate(PEERS):
        told += [person(name, level=2 + number % 3, capacity=0), enrolment(name, SPRING, Role.MENTEE)]
    # Somebody is a mentor as well, of nobody: the load must not know of peers.
    told += [
        programme("autumn", "boss", matching_delay_minutes=600),
        enrolment(PEERS[0], "autumn", Role.MENTOR),
    ]
    await first.hear(tenant, *told)
    versions = Counter(dict.fromkeys(PEERS, 1))
    seen: Counter[str] = Counter()

    async def a_round(replica: Instance) -> None:
        async with first.process.database.transaction(tenant) as uow:
            run_round_now(uow, SPRING)
        await replica.fire_timers()

    async def answer(replica: Instance, name: str, rest: Random) -> None:
        who = Who(name, tenant)
        for proposal in (await replica.ask(who, "GET", "/me/proposals", params={"status": "open"}))["items"]:
            verb = rest.choice(("accept", "accept", "accept", "decline"))
            done = await replica.call(who, "POST", f"/proposals/{proposal['proposal_id']}/{verb}")
            assert done.status_code in (200, 409), done.text
        for pair in (await replica.ask(who, "GET", "/me/relationships"))["items"]:
            if pair["status"] == "active" and rest.random() < 0.2:
                path = f"/relationships/{pair['relationship_id']}/end"
                done = await replica.call(who, "POST", path, json={"reason": "no-fault"})
                assert done.status_code in (200, 409), done.text

    async def change(replica: Instance, name: str, rest: Random) -> None:
        versions[name] += 1
        status = rest.choice((PersonStatus.ACTIVE, PersonStatus.ACTIVE, PersonStatus.LEFT))
        now = person(name, level=3, capacity=0, status=status, matching_consent=rest.random() < 0.8)
        await replica.hear(tenant, now, version=versions[name])

    for wave in range(WAVES):
        await asyncio.gather(
            *(a_round(replica) for replica in replicas),
            *(answer(replicas[n % 2], name, Random(f"{seed} {wave} {n}")) for n, name in enumerate(PEERS)),
            *(
                change(replicas[n % 2], name, Random(f"{seed} {wave} {name}"))
                for n, name in enumerate(random.sample(PEERS, 3))
            ),
        )
        seen += await places_are_the_rows(first, tenant)
    assert min(seen[place] for place in ("free", "proposed", "paired")) > 0, seen


async def test_a_published_run_drops_pairs_of_whom_one_is_taken_by_now(platform: Platform) -> None:
    matching = platform.replica("matching", "r0")
    spring = Programme(matching, new_tenant())
    told: list[Any] = [programme(SPRING, "boss", matching=OF_PEERS, matching_delay_minutes=600)]
    for name in PEERS[:6]:
        told += [person(name), enrolment(name, SPRING, Role.MENTEE)]
    await matching.hear(spring.tenant, *told)
    async with working(matching):
        one, other = (
            (await spring.run())["run_id"],
            (await spring.run(configuration={"seed": "other"}))["run_id"],
        )
        refused = await matching.call(
            spring.boss, "POST", f"/programmes/{SPRING}/runs", json={"form": "reverse"}
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "form_fixed")
        compared = await spring.ask("GET", f"/runs/{one}/compare/{other}")
        assert compared["kept"] + compared["changed"] == 6
        assert compared["kept"] % 2 == 0
        (gone, *_), pairs = sorted((await spring.pairs(one)).items()), await spring.pairs(one)
        assert len(pairs) == 3
        await matching.hear(
            spring.tenant, person(gone[1], status=PersonStatus.LEFT), version=2
        )  # the higher id of a pair
        await spring.ask("POST", f"/runs/{one}/publish")
        done = await spring.until(one, "published")
        assert done["publication"]["dropped"] == {"peer-gone": 1}
        assert await spring.proposals() == {low: high for low, high in pairs.items() if low != gone[0]}
        await spring.ask("POST", f"/runs/{other}/publish")
        dropped = (await spring.until(other, "published"))["publication"]["dropped"]
        assert sum(dropped.values()) == 3
        assert dropped.keys() <= {"mentee-not-waiting", "peer-not-waiting", "peer-gone", "mentee-gone"}
        await places_are_the_rows(matching, spring.tenant)


async def test_nobody_slips_in_as_a_mentor_while_a_programme_becomes_one_of_peers(platform: Platform) -> None:
    profiles, tenant = platform["profiles"], new_tenant()
    admin = Who("client-admin", tenant, ("admin",))
    await profiles.ask(admin, "PUT", "/tenant", json={"name": "Race", "time_zone": "Europe/Berlin"})
    names = [f"m{number}" for number in range(6)]
    await profiles.handle(*(hr_event(tenant, RECORDED, record(name)) for name in names))
    people = await profiles.rows(tenant, "SELECT person_id FROM person WHERE tenant = :tenant")
    mentors = [Who(row.person_id, tenant) for row in people]
    for who in mentors:
        await profiles.ask(who, "PUT", f"/people/{who.subject}/profile", json={"mentor_capacity": 1})
    became: Counter[tuple[int, int]] = Counter()
    for number in range(12):
        path = f"/programmes/race-{number}"
        await profiles.ask(admin, "PUT", path, json={"name": "Race", "coordinator_ids": ["boss"]})
        enrolments = [
            profiles.call(
                who, "PUT", f"{path}/enrolments/mentor/{who.subject}", json={"consent_to_matching": True}
            )
            for who in mentors
        ]
        decision = profiles.call(Who("boss", tenant), "PUT", f"{path}/matching", json={"form": "peer"})
        tasks = [*enrolments]
        tasks.insert(number % (len(tasks) + 1), decision)
        answers = await asyncio.gather(*tasks)
        decided = answers.pop(number % (len(mentors) + 1))
        enrolled = sum(each.status_code < 300 for each in answers)
        assert decided.status_code in (200, 409), decided.text
        assert (decided.status_code == 200) == (enrolled == 0), (
            "either it is of peers, or somebody enrolled first"
        )
        became[decided.status_code, bool(enrolled)] += 1
    print(dict(became))
