"""The whole life of a run on a real database: asked for, computed, compared, explained, published; or not."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.matching import solver
from shared.contracts.pairs import ProposalChanged
from shared.contracts.people import EnrolmentStatus, PersonErased, PersonStatus, Role
from shared.contracts.runs import MatchingRunChanged
from tests.integration.services.runs import SPRING, Programme, working
from tests.integration.services.said import enrolment, person
from tests.support.databases import Databases, new_tenant
from tests.support.instance import Who
from tests.support.platform import Platform

RESULTS = ("matching_run_people", "matching_run_pair", "matching_run_unmatched", "matching_run_price")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with (
        Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform,
        working(platform["matching"]),
    ):
        yield platform
    solver.close()


@pytest_asyncio.fixture(loop_scope="session")
async def spring(platform: Platform) -> Programme:
    return Programme(platform["matching"], new_tenant())


async def test_a_run_from_request_to_proposals(spring: Programme) -> None:
    await spring.begin(30, 12, capacity=2)
    ready = await spring.run()
    run = ready["run_id"]
    certificate = ready["certificate"]
    assert (ready["state"], ready["mentees"], ready["mentors"]) == ("ready", 30, 12)
    assert (certificate["matched"], certificate["unmatched"]) == (24, 6)
    assert certificate["within_tolerance"]
    (department,) = ready["figures"]["by_group"]
    assert (department["group"], department["people"]) == ("Engineering", 30)
    assert certificate["bound"] >= certificate["value"] > 0
    pairs = await spring.pairs(run)
    left = await spring.all_pages(f"/runs/{run}/unmatched")
    assert (len(pairs), {one["why"] for one in left}) == (24, {"all-full"})
    assert pairs.keys() | {one["mentee_id"] for one in left} == {f"mentee-{n:03}" for n in range(30)}
    assert (await spring.proposals(), await spring.said(ProposalChanged.TYPE)) == ({}, [])

    published = await spring.ask("POST", f"/runs/{run}/publish")
    assert published["state"] == "publishing"
    done = await spring.until(run, "published")
    assert (done["publication"]["proposed"], done["publication"]["dropped"]) == (24, {})
    assert await spring.proposals() == pairs
    assert await spring.said(ProposalChanged.TYPE) == [1] * 24
    assert all(pair["proposal_id"] for pair in await spring.all_pages(f"/runs/{run}/pairs"))
    again = await spring.ask("POST", f"/runs/{run}/publish")
    assert (again["state"], again["publication"]) == ("published", done["publication"])
    somebody = Who(next(iter(pairs)), spring.tenant)
    export = await spring.matching.ask(somebody, "GET", f"/people/{somebody.subject}/export")
    for table in ("proposal", "matching_run_pair"):
        (row,) = export["tables"][table]
        assert row["reasons"] and not {"score", "factors", "rule"} & row.keys()
    versions = await spring.said(MatchingRunChanged.TYPE)
    assert versions == list(range(1, done["version"] + 1))
    refused = await spring.matching.call(spring.boss, "POST", f"/runs/{run}/discard")
    assert (refused.status_code, refused.json()["code"]) == (409, "run_published")


async def test_the_same_people_give_the_same_bytes_and_other_weights_are_compared(spring: Programme) -> None:
    await spring.begin(20, 10)
    first, second = await spring.run(), await spring.run()
    assert first["certificate"] == second["certificate"]
    assert first["input_hash"] == second["input_hash"]
    same = await spring.ask("GET", f"/runs/{first['run_id']}/compare/{second['run_id']}")
    assert (same["kept"], same["changed"], same["added"], same["removed"], same["changes"]) == (
        10,
        0,
        0,
        0,
        [],
    )
    other = await spring.run(configuration={"weights": {"skill": 0, "goal_term": 5000}, "seed": "another"})
    assert other["fingerprint"] != first["fingerprint"]
    pairs, others = await spring.pairs(first["run_id"]), await spring.pairs(other["run_id"])
    compared = await spring.ask("GET", f"/runs/{first['run_id']}/compare/{other['run_id']}?limit=500")
    assert (compared["same_people"], compared["same_configuration"]) == (True, False)
    page = await spring.matching.call(
        spring.boss, "GET", f"/runs/{first['run_id']}/report", params={"compare": other["run_id"]}
    )
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert first["run_id"] in page.text
    assert other["run_id"] in page.text
    kept = [mentee for mentee in pairs if pairs[mentee] == others.get(mentee)]
    assert (compared["kept"], compared["added"]) == (len(kept), len(others.keys() - pairs.keys()))
    assert {c["mentee_id"]: c["other_mentor_id"] for c in compared["changes"]} == {
        mentee: others.get(mentee) for mentee in pairs.keys() | others.keys() if mentee not in kept
    }


async def test_the_order_in_which_people_are_heard_of_changes_no_byte(platform: Platform) -> None:
    found = []
    for order in (None, 1, 2):
        programme = Programme(platform["matching"], new_tenant())
        await programme.begin(20, 8, capacity=2, shuffled=order)
        run = await programme.run()
        pairs = await programme.all_pages(f"/runs/{run['run_id']}/pairs")
        found.append((run["certificate"], run["figures"], run["input_hash"], pairs))
    assert found[0] == found[1] == found[2]
    assert len(found[0][-1]) == 16


async def test_pairs_and_non_pairs_are_explained_from_what_the_run_saw(spring: Programme) -> None:
    await spring.begin(6, 4, capacity=1, same_department_allowed=True)
    await spring.matching.hear(spring.tenant, *spring.somebody("junior", Role.MENTOR, 9, level=1))
    run = (await spring.run())["run_id"]
    found = {pair["mentee_id"]: pair for pair in await spring.all_pages(f"/runs/{run}/pairs")}
    mentee, pair = next(iter(found.items()))
    await spring.matching.hear(
        spring.tenant, person(pair["mentor_id"], level=9, skills_offered={}, capacity=1), version=2
    )

    async def explain(mentee_id: str, mentor_id: str) -> Any:
        params = {"mentee": mentee_id, "mentor": mentor_id}
        return await spring.ask("GET", f"/runs/{run}/explain", params=params)

    made = await explain(mentee, pair["mentor_id"])
    assert (made["verdict"], made["score"], made["reasons"]) == ("paired", pair["score"], pair["reasons"])
    assert {share["factor"]: share["points"] for share in made["shares"]} == pair["factors"]
    forbidden = await explain(mentee, "junior")
    assert (forbidden["verdict"], forbidden["rules"][0]["rule"]) == ("rule", "level")
    other = next(one for one in found.values() if one["mentor_id"] != pair["mentor_id"])
    not_made = await explain(mentee, other["mentor_id"])
    assert not_made["verdict"] in ("price", "worse")
    assert not_made["own_mentor_id"] == pair["mentor_id"]
    assert not_made["gain"] == not_made["score"] - not_made["price"]
    for params, code in (
        ({"mentee": "nobody", "mentor": "junior"}, "mentee_not_in_run"),
        ({"mentee": mentee, "mentor": "nobody"}, "mentor_not_in_run"),
    ):
        answer = await spring.matching.call(spring.boss, "GET", f"/runs/{run}/explain", params=params)
        assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_publishing_drops_what_no_longer_stands_and_says_why(spring: Programme) -> None:
    await spring.begin(8, 8)
    run = (await spring.run())["run_id"]
    pairs = sorted((await spring.pairs(run)).items())
    assert len(pairs) == 8
    leaver, shy, withdrawn, full, promoted, gone = (mentee for mentee, _ in pairs[:6])
    mentor = dict(pairs)
    await spring.matching.hear(
        spring.tenant,
        person(leaver, status=PersonStatus.LEFT),
        person(shy, matching_consent=False),
        person(mentor[full], level=6, capacity=0),
        person(promoted, level=9),
        person(mentor[gone], status=PersonStatus.LEFT, level=6),
        version=2,
    )
    left = enrolment(withdrawn, SPRING, Role.MENTEE).model_copy(update={"status": EnrolmentStatus.WITHDRAWN})
    await spring.matching.hear(spring.tenant, left, version=2)
    await spring.ask("POST", f"/runs/{run}/publish")
    done = await spring.until(run, "published")
    shown = {pair["mentee_id"]: pair for pair in await spring.all_pages(f"/runs/{run}/pairs")}
    assert {name: shown[name]["dropped"] for name in (leaver, shy, withdrawn)} == dict.fromkeys(
        (leaver, shy, withdrawn), "mentee-gone"
    )
    assert shown[full]["dropped"] == "mentor-full"
    assert (shown[promoted]["dropped"], shown[promoted]["rule"]) == ("rule", "level")
    assert shown[gone]["dropped"] == "mentor-gone"
    assert done["publication"]["dropped"] == {"mentee-gone": 3, "mentor-full": 1, "rule": 1, "mentor-gone": 1}
    assert await spring.proposals() == dict(pairs[6:])
    assert ("round", SPRING) in await spring.matching.timers(spring.tenant)


async def test_two_runs_are_published_and_nobody_has_two_proposals(spring: Programme) -> None:
    await spring.begin(10, 6)
    first = (await spring.run())["run_id"]
    second = (await spring.run(configuration={"seed": "another", "weights": {"skill": 0}}))["run_id"]
    for run in (first, second):
        await spring.ask("POST", f"/runs/{run}/publish")
    done = [await spring.until(run, "published") for run in (first, second)]
    assert [one["publication"]["proposed"] for one in done] == [6, 0]
    assert sum(done[1]["publication"]["dropped"].values()) == 6
    assert set(done[1]["publication"]["dropped"]) <= {"mentee-not-waiting", "mentor-full"}
    assert await spring.proposals() == await spring.pairs(first)


@pytest.mark.parametrize(
    ("mentees", "mentors"), [(0, 0), (5, 0), (0, 5)], ids=["nobody", "mentees", "mentors"]
)
async def test_one_side_alone_is_a_result(spring: Programme, mentees: int, mentors: int) -> None:
    await spring.begin(mentees, mentors)
    view = await spring.run()
    assert view["state"] == "ready", view
    assert (view["certificate"]["matched"], view["certificate"]["unmatched"]) == (0, mentees)
    left = await spring.all_pages(f"/runs/{view['run_id']}/unmatched")
    assert [one["why"] for one in left] == ["nobody"] * mentees
    await spring.ask("POST", f"/runs/{view['run_id']}/publish")
    assert (await spring.until(view["run_id"], "published"))["publication"]["proposed"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"configuration": {"weights": {"skill": -1}}},
        {"configuration": {"weights": {"skill": 10**9}}},
        {"configuration": {"weights": {"skill": "much"}}},
        {"configuration": {"weights": {"skll": 1}}},
        {"configuration": {"weights": 5}},
        {"configuration": {"rules": {"minimum_level_gap": 5, "maximum_level_gap": 2}}},
        {"configuration": {"tolerance": None}},
        {"configuration": {"nonsense": 1}},
        {"configuration": {"version": "with spaces and\nlines"}},
        {"configuration": {"seed": "\x00"}},
        {"configuration": {"seed": 5}},
        {"objective": "fame"},
        {"fairness_loss": 2},
        {"form": "speed-dating"},
        {"run_id": "not an id"},
        {"unknown": 1},
    ],
    ids=str,
)
async def test_a_bad_configuration_is_refused_at_once(spring: Programme, body: dict[str, Any]) -> None:
    await spring.begin(1, 1)
    answer = await spring.matching.call(spring.boss, "POST", f"/programmes/{SPRING}/runs", json=body)
    assert (answer.status_code, answer.json()["code"]) in ((422, "bad_configuration"), (422, "invalid"))
    assert await spring.all_pages(f"/programmes/{SPRING}/runs") == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e400", "1e400"])
async def test_numbers_that_are_none_are_refused(spring: Programme, number: str) -> None:
    await spring.begin(1, 1)
    for body in (
        f'{{"configuration": {{"weights": {{"skill": {number}}}}}}}',
        f'{{"configuration": {{"tolerance": {number}}}}}',
        f'{{"fairness_loss": {number}}}',
    ):
        answer = await spring.matching.call(
            spring.boss, "POST", f"/programmes/{SPRING}/runs", content=body.encode(),
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert answer.status_code == 422, (body, answer.text)


async def test_what_is_not_there_and_what_has_no_result(spring: Programme) -> None:
    await spring.begin(2, 2)
    for path in ("", "/pairs", "/unmatched", "/compare/none", "/explain?mentee=a&mentor=b"):
        answer = await spring.matching.call(spring.boss, "GET", f"/runs/none{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run_unknown")
    run = await spring.request(run_id="mine")
    assert await spring.ask("POST", f"/programmes/{SPRING}/runs", json={"run_id": "mine"})
    await spring.until(run, "ready")
    await spring.ask("POST", "/runs/mine/discard")
    assert (await spring.ask("POST", "/runs/mine/discard"))["state"] == "discarded"
    for path in ("/pairs", "/unmatched", "/compare/mine", "/explain?mentee=a&mentor=b"):
        answer = await spring.matching.call(spring.boss, "GET", f"/runs/mine{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_result")
    refused = await spring.matching.call(spring.boss, "POST", "/runs/mine/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "run_not_ready")
    assert await spring.counts("mine", RESULTS) == dict.fromkeys(RESULTS, 0)


async def test_an_inactive_programme_has_no_runs(spring: Programme) -> None:
    await spring.begin(2, 2, active=False)
    answer = await spring.matching.call(spring.boss, "POST", f"/programmes/{SPRING}/runs", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "programme_inactive")


async def test_who_is_erased_is_in_no_run_any_more(spring: Programme) -> None:
    await spring.begin(6, 3, capacity=2)
    ready = await spring.run()
    run = ready["run_id"]
    pairs = await spring.pairs(run)
    mentee, mentor = next(iter(pairs.items()))
    orphan = next(name for name, other in pairs.items() if other == mentor and name != mentee)
    boss = Who(mentee, spring.tenant)
    export = await spring.matching.ask(boss, "GET", f"/people/{mentee}/export")
    assert [row["run_id"] for row in export["tables"]["matching_run_people"]] == [run]
    assert export["tables"]["matching_run_pair"] == []

    erased = [PersonErased(person_id=mentee), PersonErased(person_id=mentor)]
    await spring.matching.hear(spring.tenant, *erased, version=2)
    view = await spring.ask("GET", f"/runs/{run}")
    assert (view["state"], view["people_removed"]) == ("ready", 2)
    assert view["certificate"] == ready["certificate"]
    left = {one["mentee_id"]: one["why"] for one in await spring.all_pages(f"/runs/{run}/unmatched")}
    assert left == {orphan: "mentor-erased"}
    now = await spring.pairs(run)
    assert now == {name: other for name, other in pairs.items() if name != mentee and other != mentor}
    answer = await spring.matching.call(
        spring.boss, "GET", f"/runs/{run}/explain", params={"mentee": mentee, "mentor": mentor}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "mentee_not_in_run")
    export = await spring.matching.ask(Who(mentee, spring.tenant), "GET", f"/people/{mentee}/export")
    assert export["tables"]["matching_run_people"] == []
    await spring.ask("POST", f"/runs/{run}/publish")
    assert (await spring.until(run, "published"))["publication"]["proposed"] == len(now)


async def test_old_runs_lose_their_people_and_later_go(spring: Programme, platform: Platform) -> None:
    await spring.begin(4, 2)
    waits, published = (await spring.run())["run_id"], (await spring.run())["run_id"]
    await spring.ask("POST", f"/runs/{published}/publish")
    await spring.until(published, "published")
    await platform.pass_time(timedelta(days=30, minutes=1))
    await spring.matching.fire_timers()
    late = await spring.ask("GET", f"/runs/{waits}")
    assert (late["state"], late["reason"]) == ("discarded", "not-published-in-time")
    kept = await spring.ask("GET", f"/runs/{published}")
    assert (kept["state"], kept["result_kept"], kept["certificate"]["matched"]) == ("published", False, 2)
    for run in (waits, published):
        assert await spring.counts(run, RESULTS) == dict.fromkeys(RESULTS, 0)
    await platform.pass_time(timedelta(days=91))
    await spring.matching.fire_timers()
    assert await spring.all_pages(f"/programmes/{SPRING}/runs") == []


async def test_groups_are_proposed_whole_or_not_at_all(spring: Programme) -> None:
    await spring.begin(8, 3, capacity=4)
    ready = await spring.run(form="group", configuration={"group_size": 4, "smallest_group": 3})
    run = ready["run_id"]
    assert (ready["state"], ready["form"], ready["certificate"]["matched"]) == ("ready", "group", 8)
    found = {pair["mentee_id"]: pair for pair in await spring.all_pages(f"/runs/{run}/pairs")}
    groups: dict[str, list[str]] = {}
    for mentee, pair in found.items():
        groups.setdefault(pair["mentor_id"], []).append(mentee)
    assert sorted(map(len, groups.values())) == [4, 4]

    (one, first), (other, second) = groups.items()
    mentee = max(found, key=lambda name: found[name]["factors"].get("coherence", 0))
    mine = found[mentee]
    assert mine["factors"]["coherence"] > 0
    params = {"mentee": mentee, "mentor": mine["mentor_id"]}
    explained = await spring.ask("GET", f"/runs/{run}/explain", params=params)
    assert (explained["verdict"], explained["score"]) == ("paired", mine["score"])
    assert explained["own_gain"] == explained["gain"]
    params["mentor"] = other if mine["mentor_id"] == one else one
    why = await spring.ask("GET", f"/runs/{run}/explain", params=params)
    assert why["verdict"] in ("price", "group", "worse", "rule")
    assert (why["verdict"] == "worse") == (why["score"] <= why["own_gain"] and not why["rules"])
    page = await spring.matching.call(spring.boss, "GET", f"/runs/{run}/report")
    assert "one mentor, a group of mentees" in page.text

    for name in first[:2]:
        left = enrolment(name, SPRING, Role.MENTEE).model_copy(update={"status": EnrolmentStatus.WITHDRAWN})
        await spring.matching.hear(spring.tenant, left, version=2)
    await spring.ask("POST", f"/runs/{run}/publish")
    done = await spring.until(run, "published")
    assert done["publication"]["dropped"] == {"mentee-gone": 2, "group-too-small": 2}
    assert await spring.proposals() == dict.fromkeys(second, other)

    again = await spring.run(form="group")
    assert again["mentees"] == 2
    assert other not in (await spring.pairs(again["run_id"])).values()
