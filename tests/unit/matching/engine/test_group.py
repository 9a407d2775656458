"""Groups: no rule broken, the points can be added up by hand, and the bound lies above every set of groups."""

import random
from collections import defaultdict
from dataclasses import replace
from itertools import combinations, product

import pytest

from services.matching.engine import Configuration, Form, Participant, Pool, Result
from services.matching.engine.factors import Factor
from services.matching.engine.match import match
from services.matching.engine.words import fold, primary
from tests.unit.matching.engine.support import (
    crowd,
    is_allowed,
    mentee,
    mentor,
    random_pool,
    random_rules,
    run,
    score_of,
    scores,
)

GROUP = Configuration(form=Form.GROUP, group_size=4)


def topics(person: Participant) -> set[tuple[str, str]]:
    return {("skill", fold(one)) for one in person.skills} | {
        ("interest", fold(one)) for one in person.interests
    }


def coherence(configuration: Configuration, person: Participant, others: list[Participant]) -> int:
    w = configuration.weights
    common = sum(min(w.coherence_most, w.coherence * len(topics(person) & topics(one))) for one in others)
    return common // (configuration.group_size - 1)


def may_sit_together(
    pool: Pool, configuration: Configuration, leader: Participant, group: list[Participant]
) -> bool:
    """What a group must meet beside each mentee with the mentor."""
    rules = replace(
        configuration.rules, minimum_level_gap=None, maximum_level_gap=None, minimum_overlap_minutes=0,
        same_department_allowed=True, same_team_allowed=True, common_language=False,
    )  # fmt: skip
    if not all(is_allowed(replace(pool, failed=frozenset()), rules, a, b) for a, b in combinations(group, 2)):
        return False
    spoken = [{primary(tag) for tag in person.languages} for person in (leader, *group)]
    return not configuration.rules.common_language or bool(set.intersection(*spoken))


def groups_of(result: Result) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for pair in result.pairs:
        groups[pair.mentor_id].append(pair.mentee_id)
    return groups


@pytest.mark.parametrize("block", range(4))
def test_groups_keep_every_rule_and_their_points_add_up(block: int) -> None:
    together = 0
    for seed in range(block * 25, block * 25 + 25):
        r = random.Random(seed)
        pool = random_pool(seed, r.randrange(1, 25), r.randrange(3, 9))
        configuration = replace(
            GROUP, seed=str(seed), rules=random_rules(seed), smallest_group=r.choice([1, 2, 3])
        )
        result = match(pool, configuration)
        mentees = {person.person_id: person for person in pool.mentees}
        mentors = {person.person_id: person for person in pool.mentors}
        groups = groups_of(result)
        for leader_id, members in groups.items():
            leader = mentors[leader_id]
            assert configuration.smallest_group <= len(members) <= min(leader.free, 4), seed
            people = [mentees[one] for one in members]
            assert may_sit_together(pool, configuration, leader, people), seed
            assert all(is_allowed(pool, configuration.rules, one, leader) for one in people), seed
            together += len(people) > 1
        for pair in result.pairs:
            person, leader = mentees[pair.mentee_id], mentors[pair.mentor_id]
            others = [mentees[one] for one in groups[pair.mentor_id] if one != pair.mentee_id]
            points = coherence(configuration, person, others)
            assert pair.factors.get(Factor.COHERENCE, 0) == points, seed
            assert pair.score == score_of(pool, configuration, person, leader) + points, seed
        certificate = result.certificate
        assert certificate.bound >= certificate.value == sum(pair.score for pair in result.pairs)
        assert certificate.matched_at_most >= certificate.matched == len(result.pairs)
        assert result == match(pool, configuration, threads=1)
    assert together > 10


def test_the_bound_lies_above_every_set_of_groups() -> None:
    tight = 0
    for seed in range(25):
        pool = random_pool(seed, 6, 3)
        configuration = replace(GROUP, rules=random_rules(seed), smallest_group=1, group_size=3)
        result = match(pool, configuration)
        table = scores(pool, configuration)
        got = (len(result.pairs), sum(p.priority for p in pool.mentees if p.person_id in {
            pair.mentee_id for pair in result.pairs}))  # fmt: skip
        best = 0
        for chosen in product(range(-1, 3), repeat=6):
            groups = {
                j: [pool.mentees[i] for i in range(6) if chosen[i] == j] for j in range(3) if j in chosen
            }
            if any(j >= 0 and table[i, j] < 0 for i, j in enumerate(chosen)) or any(
                len(group) > min(3, pool.mentors[j].free)
                or not may_sit_together(pool, configuration, pool.mentors[j], group)
                for j, group in groups.items()
            ):
                continue
            matched = [i for i in range(6) if chosen[i] >= 0]
            if (len(matched), sum(pool.mentees[i].priority for i in matched)) != got:
                continue
            value = sum(int(table[i, chosen[i]]) for i in matched) + sum(
                coherence(configuration, one, [other for other in group if other is not one])
                for group in groups.values()
                for one in group
            )
            best = max(best, value)
        assert result.certificate.value <= best <= result.certificate.bound, seed
        tight += result.certificate.value == best
    assert tight >= 20  # improving finds the best of most small pools


def test_people_who_want_the_same_sit_together() -> None:
    law, art = {"skills": {"law": 1}}, {"skills": {"art": 1}}
    people = [mentee("a", **law), mentee("b", **art), mentee("c", **law), mentee("d", **art)]
    leaders = [mentor("m", free=2), mentor("n", free=2)]
    groups = groups_of(run(people, leaders, configuration=replace(GROUP, group_size=2)))
    assert sorted(groups.values()) == [["a", "c"], ["b", "d"]]


def test_a_group_that_is_too_small_is_not_made() -> None:
    three = replace(GROUP, smallest_group=3)
    result = run([mentee("a"), mentee("b")], [mentor("m", free=4)], configuration=three)
    assert result.pairs == ()
    assert [one.why.value for one in result.unmatched] == ["no-group", "no-group"]
    # Two mentors share five: three and two would leave two without, and four fit with one.
    people = [mentee(f"a{n}") for n in range(5)]
    leaders = [mentor("m", free=4), mentor("n", free=4)]
    sizes = sorted(len(group) for group in groups_of(run(people, leaders, configuration=three)).values())
    assert sizes == [4]


def test_who_may_not_sit_together_does_not() -> None:
    people = [mentee("a", avoid=frozenset({"b"})), mentee("b"), mentee("c")]
    result = run(people, [mentor("m", free=4)], configuration=GROUP)
    (group,) = groups_of(result).values()
    assert len(group) == 2 and set(group) != {"a", "b"}
    boss = run([mentee("a"), mentee("b")], [mentor("m", free=4)], configuration=GROUP, managers={"a": "b"})
    assert boss.pairs == ()
    speaking = [mentee("a", languages=("de",)), mentee("b", languages=("fr",))]
    mute = run(speaking, [mentor("m", free=4, languages=("de", "fr"))], configuration=GROUP)
    assert mute.pairs == ()


def test_a_crowd_gains_from_exchanges() -> None:
    pool = crowd(200, 60)
    plain = match(pool, replace(GROUP, weights=replace(GROUP.weights, coherence=0)))
    result = match(pool, GROUP)
    common = sum(pair.factors.get(Factor.COHERENCE, 0) for pair in result.pairs)
    assert common > 0
    assert not any(Factor.COHERENCE in pair.factors for pair in plain.pairs)
    assert result.certificate.value > plain.certificate.value
    assert result.certificate.gap < 0.1
