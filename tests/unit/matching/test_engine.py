"""The engine: hard rules, no preference for anybody's order, and time enough."""

import random
import time
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.engine import Participant, Pool, Result, Rules, match
from services.matching.scoring import BASE

DAY = date(2026, 3, 2)


def mentee(person_id: str = "a", **more: Any) -> Participant:
    return replace(Participant(person_id, level=3), **more)


def mentor(person_id: str = "m", **more: Any) -> Participant:
    return replace(Participant(person_id, level=5, free=1), **more)


def run(
    mentees: list[Participant],
    mentors: list[Participant],
    *,
    rules: Rules | None = None,
    managers: dict[str, str] | None = None,
    excluded: set[tuple[str, str]] | None = None,
) -> Result:
    return match(
        Pool("s", DAY, rules or Rules(), tuple(mentees), tuple(mentors), managers or {},
             frozenset(excluded or ()))
    )  # fmt: skip


def pairs(result: Result) -> set[tuple[str, str]]:
    return {(pair.mentee_id, pair.mentor_id) for pair in result.pairs}


def test_two_who_may_be_a_pair_are_one() -> None:
    assert pairs(run([mentee()], [mentor()])) == {("a", "m")}


@pytest.mark.parametrize(
    ("one", "other", "more"),
    [
        (mentee("x"), mentor("x"), {}),
        (mentee(languages=("de",)), mentor(languages=("en", "fr")), {}),
        (mentee(level=5), mentor(), {}),
        (mentee(department="d"), mentor(department="d"), {"rules": Rules(1, same_department_allowed=False)}),
        (mentee(), mentor(), {"managers": {"a": "m"}}),
        (mentee(), mentor(), {"managers": {"a": "b", "b": "c", "c": "m"}}),
        (mentee(), mentor(), {"managers": {"m": "b", "b": "a"}}),
        (mentee(), mentor(), {"excluded": {("a", "m")}}),
    ],
    ids=["self", "language", "level", "department", "manager", "line above", "line below", "failed before"],
)
def test_a_pair_that_a_rule_forbids_is_never_proposed(
    one: Participant, other: Participant, more: dict[str, object]
) -> None:
    result = run([one], [other], **more)  # type: ignore[arg-type]
    assert (result.pairs, result.no_candidate) == ((), (one.person_id,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (mentee(level=None), mentor(level=1)),
        (mentee(level=20), mentor(level=None)),
        (mentee(languages=("pt-BR",)), mentor(languages=("pt-PT", "en"))),
        (mentee(department="d"), mentor(department="d")),
    ],
    ids=["mentee's level unknown", "mentor's level unknown", "language variants", "department allowed"],
)
def test_what_no_rule_forbids_is_possible(one: Participant, other: Participant) -> None:
    assert len(run([one], [other]).pairs) == 1


def test_a_reporting_line_that_bites_its_own_tail_ends() -> None:
    assert pairs(run([mentee()], [mentor()], managers={"a": "b", "b": "c", "c": "a", "m": "m"})) == {
        ("a", "m")
    }


def test_who_finds_only_full_mentors_is_told_so() -> None:
    result = run([mentee("a"), mentee("b")], [mentor(free=1), mentor("full", free=0)])
    assert len(result.pairs) == 1
    assert len(result.all_full) == 1
    assert result.no_candidate == ()


def test_who_lost_a_mentor_comes_first() -> None:
    wants = {"python": 5}
    both = [mentee("a", skills=wants), mentee("b", priority=1)]
    assert pairs(run(both, [mentor(skills={"python": 5})])) == {("b", "m")}


def test_better_fits_win() -> None:
    mentees = [mentee("a", skills={"Python": 5}), mentee("b", skills={"Law": 3}, interests=("Chess",))]
    mentors = [mentor("m", skills={"law ": 4}, interests=("chess",)), mentor("n", skills={"python": 2})]
    result = run(mentees, mentors)
    assert pairs(result) == {("a", "n"), ("b", "m")}
    law = next(pair for pair in result.pairs if pair.mentee_id == "b")
    assert law.score == BASE + 10 * 12 + 20
    assert law.reasons == (
        "Offers Law, which the mentee wants to learn", "Both care about Chess", "Their working hours overlap",
    )  # fmt: skip


def test_distance_in_time_costs_but_never_below_zero() -> None:
    near = run([mentee(time_zone="Europe/Berlin")], [mentor(time_zone="Europe/Paris")]).pairs[0]
    far = run([mentee(time_zone="Europe/Berlin")], [mentor(time_zone="Pacific/Auckland")]).pairs[0]
    assert near.score == BASE
    assert far.score == 0
    assert far.reasons == ("They share a language",)


def test_a_reason_fits_into_an_event_whatever_the_skill_is_called() -> None:
    long = "x" * 200
    reasons = run([mentee(skills={long: 1})], [mentor(skills={long: 1})]).pairs[0].reasons
    assert max(map(len, reasons)) <= 200


people = st.builds(
    Participant,
    person_id=st.just(""),
    department=st.sampled_from("de"),
    level=st.none() | st.integers(1, 6),
    languages=st.sets(st.sampled_from(["en", "de", "fr"]), max_size=2).map(
        lambda found: tuple(sorted(found))
    ),
    time_zone=st.sampled_from(["UTC", "Asia/Tokyo"]),
    interests=st.just(()),
    skills=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 5), max_size=2),
    priority=st.integers(0, 1),
    free=st.integers(0, 2),
)


@given(
    st.lists(people, max_size=8),
    st.lists(people, max_size=6),
    st.booleans(),
    st.dictionaries(st.integers(0, 13), st.integers(0, 13), max_size=8),
    st.randoms(use_true_random=False),
)
def test_any_pool_keeps_the_rules_whatever_the_order(
    some: list[Participant],
    others: list[Participant],
    same_department: bool,
    lines: dict[int, int],
    order: random.Random,
) -> None:
    mentees = [replace(each, person_id=f"p{number}") for number, each in enumerate(some)]
    mentors = [replace(each, person_id=f"p{number + 8}") for number, each in enumerate(others)]
    managers = {f"p{below}": f"p{above}" for below, above in lines.items()}
    rules = Rules(1, same_department)
    result = run(mentees, mentors, rules=rules, managers=managers)

    by_id = {each.person_id: each for each in mentees + mentors}
    for pair in result.pairs:
        one, other = by_id[pair.mentee_id], by_id[pair.mentor_id]
        assert set(one.languages) & set(other.languages)
        assert one.level is None or other.level is None or other.level - one.level >= 1
        assert same_department or one.department != other.department
        assert managers.get(one.person_id) != other.person_id
        assert managers.get(other.person_id) != one.person_id
        assert pair.score >= 0
    for each in mentors:
        assert sum(pair.mentor_id == each.person_id for pair in result.pairs) <= each.free
    told = [pair.mentee_id for pair in result.pairs] + [*result.all_full, *result.no_candidate]
    assert sorted(told) == sorted(each.person_id for each in mentees)

    order.shuffle(mentees)
    order.shuffle(mentors)
    again = dict(order.sample(sorted(managers.items()), len(managers)))
    assert run(mentees, mentors, rules=rules, managers=again) == result


def crowd(mentees: int, mentors: int) -> Pool:
    chance = random.Random(7)
    skills = [f"skill {number}" for number in range(60)]

    def somebody(person_id: str, level: int, free: int) -> Participant:
        return Participant(
            person_id, chance.choice("abcdefgh"), level, ("en",), chance.choice(["UTC", "Europe/Berlin"]),
            (chance.choice(skills),), None, {each: chance.randint(1, 5) for each in chance.sample(skills, 4)},
            free=free,
        )  # fmt: skip

    return Pool(
        "s", DAY, Rules(),
        tuple(somebody(f"a{number:05}", chance.randint(1, 6), 0) for number in range(mentees)),
        tuple(somebody(f"m{number:05}", chance.randint(4, 12), chance.randint(1, 3)) for number in range(mentors)),
    )  # fmt: skip


def test_fifteen_hundred_people_take_less_than_two_seconds() -> None:
    pool = crowd(1000, 500)
    before = time.process_time()
    result = match(pool)
    assert time.process_time() - before < 2
    assert len(result.pairs) + len(result.all_full) == 1000
    assert len(result.pairs) > 900
