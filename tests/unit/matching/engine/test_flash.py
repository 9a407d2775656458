"""Reverse and flash: levels turned round; several mentors each, as good as an exact solver says."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from services.matching.engine import Configuration, Form, Method, Objective, Pool, Result
from services.matching.engine.match import match
from tests.unit.matching.engine.support import (
    crowd,
    mentee,
    mentor,
    pairs,
    random_pool,
    random_rules,
    run,
    scores,
)

FLASH = Configuration(form=Form.FLASH, meetings=2)


def best_by_oracle(pool: Pool, configuration: Configuration, first: int, further: int) -> int:
    """The highest sum of scores and worth of meetings: a flow, so the linear programme has a whole solution."""
    table = scores(pool, configuration)
    rows, columns = np.nonzero(table >= 0)
    count = len(rows)
    if not count:
        return 0
    n, m = table.shape
    # Each meeting, then for each mentee the first one, then how many further ones.
    worth = np.concatenate(
        [
            table[rows, columns],
            [first * (1 + person.priority) + further for person in pool.mentees],
            np.full(n, further),
        ]
    )
    mine = np.zeros((n, count + 2 * n))
    mine[rows, np.arange(count)] = 1
    mine[np.arange(n), count + np.arange(n)] = mine[np.arange(n), count + n + np.arange(n)] = -1
    theirs = np.zeros((m, count + 2 * n))
    theirs[columns, np.arange(count)] = 1
    done = linprog(
        -worth, theirs, [person.free for person in pool.mentors], mine, np.zeros(n),
        [(0, 1)] * (count + n) + [(0, configuration.meetings - 1)] * n,
    )  # fmt: skip
    return round(float(-done.fun))


def reached(pool: Pool, result: Result, first: int, further: int) -> int:
    met = Counter(pair.mentee_id for pair in result.pairs)
    priority = {person.person_id: person.priority for person in pool.mentees}
    return result.certificate.value + sum(
        first * (1 + priority[one]) + further * count for one, count in met.items()
    )


@pytest.mark.parametrize("block", range(5))
def test_flash_is_as_good_as_an_exact_solver(block: int) -> None:
    several = 0
    for seed in range(block * 40, block * 40 + 40):
        r = random.Random(seed)
        pool = random_pool(seed, r.randrange(1, 14), r.randrange(3, 10))
        configuration = Configuration(
            form=Form.FLASH,
            seed=str(seed),
            rules=random_rules(seed),
            objective=r.choice(list(Objective)),
            meetings=r.choice([1, 2, 3]),
            candidates=r.choice([3, 32]),
        )
        result = match(pool, configuration)
        table = scores(pool, configuration)
        mentees = {person.person_id: number for number, person in enumerate(pool.mentees)}
        mentors = {person.person_id: number for number, person in enumerate(pool.mentors)}
        assert len(pairs(result)) == len(result.pairs), seed
        for pair in result.pairs:
            assert table[mentees[pair.mentee_id], mentors[pair.mentor_id]] == pair.score >= 0, seed
        met = Counter(pair.mentee_id for pair in result.pairs)
        used = Counter(pair.mentor_id for pair in result.pairs)
        assert all(count <= configuration.meetings for count in met.values()), seed
        assert all(used[person.person_id] <= person.free for person in pool.mentors), seed
        several += any(count > 1 for count in met.values())
        many = configuration.objective is Objective.PEOPLE
        first, further = (1_000_000, 1_000_000) if many else (0, 0)
        if not many and any(person.priority for person in pool.mentees):
            continue  # the oracle knows priority as more points for being matched at all
        best = best_by_oracle(pool, configuration, first, further)
        got = reached(pool, result, first, further)
        certificate = result.certificate
        assert got <= best, seed
        assert best - got <= certificate.bound - certificate.value, (seed, best, got)
        assert certificate.within_tolerance or certificate.rounds == configuration.rounds, seed
        assert certificate.matched == len(met) <= certificate.matched_at_most, seed
        if many:
            assert certificate.matched == certificate.matched_at_most, seed
    assert several > 5


def test_somebody_first_meeting_comes_before_the_second_of_another() -> None:
    result = run(
        [mentee("a", skills={"law": 5}), mentee("b")],
        [mentor("m", skills={"law": 5})],
        configuration=FLASH,
    )
    assert len(result.pairs) == 1
    result = run(
        [mentee("a", skills={"law": 5}), mentee("b")],
        [mentor("m", skills={"law": 5}), mentor("n", skills={"law": 5})],
        configuration=FLASH,
    )
    assert {pair.mentee_id for pair in result.pairs} == {"a", "b"}
    result = run([mentee("a")], [mentor("m"), mentor("n"), mentor("o")], configuration=FLASH)
    assert len(pairs(result)) == 2


def test_with_one_meeting_flash_is_one_to_one() -> None:
    for seed in range(20):
        pool = random_pool(seed, 14, 9)
        rules = random_rules(seed)
        one = match(pool, Configuration(rules=rules))
        flash = match(pool, Configuration(rules=rules, form=Form.FLASH, meetings=1))
        assert (len(one.pairs), one.certificate.value) == (len(flash.pairs), flash.certificate.value), seed


def test_in_reverse_the_mentor_stands_below() -> None:
    senior, junior = mentee("a", level=12), mentor("m", level=3)
    assert pairs(run([senior], [junior])) == set()
    (pair,) = run([senior], [junior], configuration=Configuration(form=Form.REVERSE)).pairs
    assert "The mentor sees the organisation from another step" not in pair.reasons  # nine levels: no points
    near = run([senior], [mentor("m", level=10)], configuration=Configuration(form=Form.REVERSE)).pairs
    assert "The mentor sees the organisation from another step" in near[0].reasons
    assert pairs(run([junior], [senior], configuration=Configuration(form=Form.REVERSE))) == set()


def test_reverse_is_one_to_one_with_levels_turned_round() -> None:
    for seed in range(20):
        pool = random_pool(seed, 14, 9)
        turned = replace(
            pool,
            mentees=tuple(replace(p, level=p.level and 20 - p.level) for p in pool.mentees),
            mentors=tuple(replace(p, level=p.level and 20 - p.level) for p in pool.mentors),
        )
        rules = random_rules(seed)
        one = match(turned, Configuration(rules=rules))
        reverse = match(pool, Configuration(rules=rules, form=Form.REVERSE))
        assert (len(one.pairs), one.certificate.value) == (len(reverse.pairs), reverse.certificate.value)


@pytest.mark.parametrize("form", [Form.ONE_TO_ONE, Form.FLASH, Form.GROUP])
def test_nobody_has_more_than_their_total_over_both_sides(form: Form) -> None:
    tight = 0
    for seed in range(40):
        r = random.Random(seed)
        pool = random_pool(seed, 12, 9)
        totals = {person.person_id: r.choice([0, 1, 2, None]) for person in (*pool.mentees, *pool.mentors)}
        pool = replace(
            pool,
            mentees=tuple(replace(p, total=totals[p.person_id]) for p in pool.mentees),
            mentors=tuple(replace(p, total=totals[p.person_id]) for p in pool.mentors),
        )
        configuration = Configuration(form=form, rules=random_rules(seed), smallest_group=1)
        result = match(pool, configuration)
        got = Counter(one for pair in result.pairs for one in (pair.mentee_id, pair.mentor_id))
        for person_id, total in totals.items():
            assert total is None or got[person_id] <= total, seed
            tight += total is not None and got[person_id] == total > 0
        none = {one.mentee_id for one in result.unmatched if one.why == "no-place"}
        assert none == {person.person_id for person in pool.mentees if person.total == 0}
        assert result.certificate.bound >= result.certificate.value
    assert tight > 10


def test_one_place_over_both_sides_is_used_once() -> None:
    both = {"total": 1, "free": 1, "level": 5}
    result = run([mentee("a", **both), mentee("b")], [mentor("a", **both), mentor("m", level=8)])
    # a could teach b and learn from m, and takes one of the two.
    assert len(result.pairs) == 1
    assert "one total" in result.certificate.covers
    assert result.certificate.matched_at_most == 2
    assert len(run([mentee("a"), mentee("b")], [mentor("n"), mentor("m")]).pairs) == 2


def test_a_total_that_nobody_reaches_changes_nothing() -> None:
    pool = crowd(60, 40)
    loose = replace(pool, mentors=tuple(replace(person, total=9) for person in pool.mentors))
    one, other = match(pool, Configuration()), match(loose, Configuration())
    assert one.digest == other.digest
    assert one.certificate == other.certificate


@pytest.mark.parametrize("method", [Method.MENTEE_PROPOSING, Method.MENTOR_PROPOSING])
def test_the_stable_methods_say_what_they_cost(method: Method) -> None:
    pool = crowd(80, 40)
    best, stable = match(pool, Configuration()), match(pool, Configuration(method=method))
    figures = stable.figures.stability
    assert figures is not None and best.figures.stability is not None
    assert figures.blocking_pairs == 0 < figures.optimum_blocking_pairs
    assert best.figures.stability.blocking_pairs == figures.optimum_blocking_pairs
    assert figures.optimum == best.certificate.value
    assert figures.value_lost == best.certificate.value - stable.certificate.value
    assert figures.people_lost == len(best.pairs) - len(stable.pairs) >= 0
    assert stable.certificate.bound >= stable.certificate.value
    assert stable.certificate.matched_at_most == best.certificate.matched_at_most


def test_the_fairness_stage_is_reached_by_the_configuration() -> None:
    pool = crowd(150, 100)
    plain, fair = match(pool, Configuration()), match(pool, Configuration(fairness_loss=0.02))
    raised = fair.figures.fairness
    assert plain.figures.fairness is None and raised is not None
    assert raised.lowest_before == min(pair.score for pair in plain.pairs) < raised.lowest_after
    assert raised.lowest_after == min(pair.score for pair in fair.pairs)
    assert raised.value_given_up == plain.certificate.value - fair.certificate.value
    assert raised.value_given_up <= 0.02 * plain.certificate.value
    assert fair.certificate.bound >= plain.certificate.value
    assert len(fair.pairs) == len(plain.pairs)
