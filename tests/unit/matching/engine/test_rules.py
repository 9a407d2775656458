"""Each hard rule on two people, and what the rules leave possible."""

from typing import Any

import numpy as np
import pytest

from services.matching.engine import Configuration, Participant, Rules
from services.matching.engine.encode import encode
from services.matching.engine.factors import Rule
from services.matching.engine.match import Why
from services.matching.engine.pairwise import broken_rule, count_allowed
from tests.unit.matching.engine.support import mentee, mentor, pairs, random_pool, random_rules, run


def rules(**more: Any) -> dict[str, Any]:
    return {"configuration": Configuration(rules=Rules(**more))}


@pytest.mark.parametrize(
    ("one", "other", "more", "rule"),
    [
        (mentee("x"), mentor("x"), {}, Rule.SAME_PERSON),
        (mentee(languages=("de",)), mentor(languages=("en", "fr")), {}, Rule.LANGUAGE),
        (mentee(languages=()), mentor(), {}, Rule.LANGUAGE),
        (mentee(level=5), mentor(), {}, Rule.LEVEL),
        (mentee(), mentor(level=9), rules(maximum_level_gap=4), Rule.LEVEL),
        (mentee(department="d"), mentor(department="d"), rules(same_department_allowed=False), Rule.DEPARTMENT),
        (mentee(team="t"), mentor(team="t"), rules(same_team_allowed=False), Rule.TEAM),
        (mentee(), mentor(time_zone="Asia/Tokyo"), rules(minimum_overlap_minutes=60), Rule.OVERLAP),
        (mentee(), mentor(), {"managers": {"a": "m"}}, Rule.REPORTING_LINE),
        (mentee(), mentor(), {"managers": {"a": "b", "b": "c", "c": "m"}}, Rule.REPORTING_LINE),
        (mentee(), mentor(), {"managers": {"m": "b", "b": "a"}}, Rule.REPORTING_LINE),
        (mentee(), mentor(), {"failed": {("a", "m")}}, Rule.FAILED_BEFORE),
        (mentee(avoid=frozenset({"m"})), mentor(), {}, Rule.AVOID),
        (mentee(choices=("m",)), mentor(avoid=frozenset({"a"})), {}, Rule.AVOID),
    ],
    ids=lambda value: value.name if isinstance(value, Rule) else "",
)  # fmt: skip
def test_a_pair_that_a_rule_forbids_is_never_made(
    one: Participant, other: Participant, more: dict[str, Any], rule: Rule
) -> None:
    result = run([one], [other], **more)
    assert result.pairs == ()
    (left,) = result.unmatched
    assert (left.mentee_id, left.why, left.forbidden) == (one.person_id, Why.RULES, {rule: 1})


@pytest.mark.parametrize(
    ("one", "other", "more"),
    [
        (mentee(level=None), mentor(level=1), {}),
        (mentee(level=20), mentor(level=None), {}),
        (mentee(languages=("pt-BR",)), mentor(languages=("pt-PT", "en")), {}),
        (mentee(department="d"), mentor(department="d"), {}),
        (mentee(), mentor(time_zone="Pacific/Auckland"), {}),
        (mentee(), mentor(), {"managers": {"a": "b", "b": "c", "c": "a", "m": "m"}}),
        (mentee(), mentor(), {"managers": {"a": "b", "b": "m"}, **rules(reporting_line_levels=1)}),
        (mentee(), mentor(), {"managers": {"a": "m"}, **rules(reporting_line=False)}),
    ],
    ids=["mentee's level unknown", "mentor's level unknown", "language variants", "department allowed",
         "far away", "a circle elsewhere", "two levels apart", "line allowed"],
)  # fmt: skip
def test_what_no_rule_forbids_is_possible(one: Participant, other: Participant, more: dict[str, Any]) -> None:
    assert pairs(run([one], [other], **more)) == {("a", "m")}


def test_who_finds_only_full_mentors_is_told_so() -> None:
    result = run([mentee("a"), mentee("b")], [mentor(free=1), mentor("full", free=0)])
    assert len(result.pairs) == 1
    assert [one.why for one in result.unmatched] == [Why.ALL_FULL]


def test_who_lost_a_mentor_comes_first_even_before_a_better_fit() -> None:
    both = [mentee("a", skills={"python": 5}), mentee("b", priority=1)]
    assert pairs(run(both, [mentor(skills={"python": 5})])) == {("b", "m")}


def test_everybody_is_matched_before_anybody_is_matched_well() -> None:
    best = mentor("m", level=4, skills={"python": 5})
    result = run(
        [mentee("a", skills={"python": 5}), mentee("b")], [best, mentor("n", level=9, department="x")]
    )
    assert len(result.pairs) == 2
    # b may only have m (n is of b's line), so that a goes without the mentor who suits them.
    result = run(
        [mentee("a", skills={"python": 5}), mentee("b")], [best, mentor("n", level=9)], managers={"b": "n"}
    )
    assert pairs(result) == {("a", "n"), ("b", "m")}


def test_more_languages_than_a_word_has_bits() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    tags = [one + two for one in letters for two in letters][:300]
    mentors = [mentor(f"m{tag}", languages=(tag,)) for tag in tags]
    mentees = [mentee(f"a{tag}", languages=(tag,)) for tag in (*tags, "zz-ZZ")]
    result = run(mentees, mentors)
    assert pairs(result) == {(f"a{tag}", f"m{tag}") for tag in tags}


def test_counting_for_a_mentee_says_what_each_pair_says() -> None:
    for seed in range(60):
        people = encode(random_pool(seed, 14, 10), Configuration(rules=random_rules(seed))).people
        for i in range(len(people.bonus)):
            counted, each = np.zeros(len(Rule), np.int64), np.zeros(len(Rule), np.int64)
            allowed = count_allowed(people, i, counted)
            for j in range(len(people.capacity)):
                each[broken_rule(people, i, j)] += 1
            assert (counted == each).all() and allowed == each[Rule.NONE], seed
