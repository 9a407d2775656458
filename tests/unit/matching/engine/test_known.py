"""A few people looked at alone are worth what they are worth among all."""

from dataclasses import replace

import pytest

from services.matching.engine import Configuration, Pool
from services.matching.engine.known import Known
from services.matching.engine.match import match
from tests.unit.matching.engine.support import crowd, mentor, random_pool, random_rules


@pytest.mark.parametrize("embedder", ["terms", "letters"])
def test_whoever_comes_alone_has_what_a_run_over_everybody_gives(embedder: str) -> None:
    reached = 0
    for seed in range(16):
        pool = random_pool(seed, mentees=3, mentors=40)
        configuration = Configuration(rules=random_rules(seed), embedder=embedder)
        known = Known(pool, configuration)
        for newcomer in pool.mentees:
            alone = replace(pool, mentees=(newcomer,))
            worth = known.best([newcomer], 6)
            few = replace(alone, mentors=tuple(one for one in pool.mentors if one.person_id in worth))
            whole, part = match(alone, configuration), known.match(few)
            assert [pair.score for pair in part.pairs] == [pair.score for pair in whole.pairs]
            assert [pair.factors for pair in part.pairs] == [pair.factors for pair in whole.pairs]
            reached += len(whole.pairs)
    assert reached > 24


def test_only_mentors_with_room_are_named() -> None:
    pool = random_pool(3, mentees=1, mentors=30)
    pool = Pool(pool.as_of, pool.mentees, tuple(replace(one, free=2) for one in pool.mentors))
    known = Known(pool, Configuration())
    first = known.best(pool.mentees, 3)
    assert len(first) == 3
    known.gives(first)
    assert known.best(pool.mentees, 3) == first
    known.gives([*first, "nobody"])
    second = known.best(pool.mentees, 3)
    assert not first & second
    known.has_now(dict.fromkeys(first, 1) | {"nobody": 3})
    assert known.best(pool.mentees, 3) == first


def test_nobody_is_named_where_there_is_nobody() -> None:
    pool = crowd(2, 0)
    assert Known(pool, Configuration()).best(pool.mentees, 3) == frozenset()
    assert Known(random_pool(3, mentors=5), Configuration()).best([], 3) == frozenset()
    alone = replace(pool, mentors=(mentor("m"),), mentees=())
    assert Known(alone, Configuration()).match(alone).pairs == ()
