"""Random pools: no rule broken, no mentor overfull, and as good as an exact solver says it can be."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from services.matching.engine import Configuration, Objective, Pool
from services.matching.engine.match import match
from tests.unit.matching.engine.support import random_pool, random_rules, scores


def best_by_oracle(pool: Pool, table: NDArray[np.int64], worth: NDArray[np.int64]) -> int:
    """The highest sum of score and worth, by SciPy on one column for each place."""
    places = [j for j, mentor in enumerate(pool.mentors) for _ in range(mentor.free)]
    if not places or not len(table):
        return 0
    gain = np.where(table >= 0, table + worth[:, None], 0)[:, places]
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return int(gain[rows, columns].sum())


@pytest.mark.parametrize("block", range(20))
def test_a_thousand_pools(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        r = random.Random(seed)
        pool = random_pool(seed, mentees=r.randrange(1, 25), mentors=r.randrange(3, 14))
        objective = r.choice(list(Objective))
        configuration = Configuration(
            seed=str(seed), rules=random_rules(seed), objective=objective, candidates=r.choice([1, 3, 32])
        )
        result = match(pool, configuration)
        table = scores(pool, configuration)
        mentees = {person.person_id: number for number, person in enumerate(pool.mentees)}
        mentors = {person.person_id: number for number, person in enumerate(pool.mentors)}
        used = [0] * len(mentors)
        for pair in result.pairs:
            assert table[mentees[pair.mentee_id], mentors[pair.mentor_id]] == pair.score >= 0, seed
            used[mentors[pair.mentor_id]] += 1
        assert all(count <= mentor.free for count, mentor in zip(used, pool.mentors, strict=True)), seed
        assert {p.mentee_id for p in result.pairs} | {u.mentee_id for u in result.unmatched} == set(mentees)
        each = 1_000_000 if objective is Objective.PEOPLE else 0
        worth = np.array([each + 1_000_000 * person.priority for person in pool.mentees], np.int64)
        best = best_by_oracle(pool, table, worth)
        reached = result.certificate.value + int(sum(worth[mentees[p.mentee_id]] for p in result.pairs))
        gap = result.certificate.bound - result.certificate.value
        assert reached <= best, seed
        assert best - reached <= gap, (seed, best, reached, gap)
        assert result.certificate.within_tolerance or result.certificate.rounds == configuration.rounds, seed
        if objective is Objective.PEOPLE:
            assert result.certificate.matched == result.certificate.matched_at_most, seed


def test_the_order_of_people_changes_nothing() -> None:
    for seed in range(40):
        pool = random_pool(seed, 20, 10)
        shuffled = replace(
            pool,
            mentees=tuple(random.Random(1).sample(pool.mentees, len(pool.mentees))),
            mentors=tuple(random.Random(2).sample(pool.mentors, len(pool.mentors))),
            managers=dict(reversed(list(pool.managers.items()))),
        )
        configuration = Configuration(seed=str(seed), rules=random_rules(seed))
        one, other = match(pool, configuration, threads=1), match(shuffled, configuration, threads=2)
        assert one == other
        assert one.digest == match(pool, configuration).digest
