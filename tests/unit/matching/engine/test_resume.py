"""Going on with an auction gives what beginning anew gives; who is priced again; many pairs at once as one by one."""

from dataclasses import replace

import numpy as np
import pytest

from services.matching.engine.arrays import I32, I64
from services.matching.engine.assignment import Assignment, Graph, assign
from services.matching.engine.configuration import Configuration
from services.matching.engine.encode import encode
from services.matching.engine.explain import explain
from services.matching.engine.factors import Rule
from services.matching.engine.kernel import best_mentors
from services.matching.engine.pairs import pairs_of
from services.matching.engine.pairwise import broken_rule, count_allowed
from services.matching.engine.pricing import only
from services.matching.engine.resume import resumed
from services.matching.engine.together import count_rules
from tests.unit.matching.engine.support import random_pool


def value(graph: Graph, bonus: I64, solved: Assignment) -> int:
    within = np.arange(graph.mentor.shape[1])[None, :] < graph.count[:, None]
    hit = within & (graph.mentor == solved.mentor[:, None])
    return int(np.where(hit, graph.score + bonus[:, None], 0).sum())


def first_few(graph: Graph, width: int) -> Graph:
    return Graph(graph.mentor.copy(), graph.score.copy(), np.minimum(graph.count, width).astype(np.int32))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("alike", [2, 5_000])
def test_new_candidates_lead_where_a_new_auction_does(seed: int, alike: int) -> None:
    draw = np.random.default_rng([seed, alike])
    people, mentors, width = int(draw.integers(1, 60)), int(draw.integers(8, 30)), 8
    mentor = np.stack([draw.permutation(mentors)[:width] for _ in range(people)]).astype(np.int32)
    score = draw.integers(0, alike, (people, width)).astype(np.int32)
    graph = Graph(mentor, score, draw.integers(0, width + 1, people).astype(np.int32))
    capacity = draw.integers(0, 4, mentors).astype(np.int64)
    bonus = np.full(people, int(draw.choice([0, 9_000])), np.int64)
    before = assign(first_few(graph, 3), capacity, bonus)
    kept = before.book.price.copy()
    after, anew = resumed(graph, capacity, bonus, before), assign(graph, capacity, bonus)
    assert after is not None and anew.exact
    assert value(graph, bonus, after) == value(graph, bonus, anew)
    assert (after.book.taken == np.bincount(after.mentor[after.mentor >= 0], minlength=mentors)).all()
    assert (after.book.taken <= capacity).all()
    assert not after.book.price[after.book.taken < capacity].any()
    assert (before.book.price == kept).all()


def row(people: "object", price: I32, k: int) -> tuple[I32, I32, I32]:
    n = len(people.bonus)  # type: ignore[attr-defined]
    mentor, score, found = np.zeros((n, k), np.int32), np.zeros((n, k), np.int32), np.zeros(n, np.int32)
    floor = np.asarray(-people.bonus - 1, np.int32)  # type: ignore[attr-defined]
    best_mentors(people, 0, n, price, floor, k, mentor, score, found)
    return mentor, score, found


@pytest.mark.parametrize("seed", range(12))
def test_a_part_of_the_mentors_is_seen_as_in_the_whole(seed: int) -> None:
    people = encode(random_pool(seed, 15, 20), Configuration()).people
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(people.capacity)) < 0.4)
    mentor, score, found = row(only(people, chosen), np.zeros(len(chosen), np.int32), len(chosen) or 1)
    whole = row(people, np.zeros(len(people.capacity), np.int32), len(people.capacity))
    for i in range(len(people.bonus)):
        part = {(int(chosen[mentor[i, a]]), int(score[i, a])) for a in range(found[i])}
        all_of_them = {(int(whole[0][i, a]), int(whole[1][i, a])) for a in range(whole[2][i])}
        assert part == {pair for pair in all_of_them if pair[0] in chosen}


@pytest.mark.parametrize("seed", range(12))
def test_many_pairs_at_once_are_what_single_ones_are(seed: int) -> None:
    encoded = encode(random_pool(seed), Configuration())
    n, m = len(encoded.mentees), len(encoded.mentors)
    mentee, mentor = np.divmod(np.arange(n * m), m)
    made = pairs_of(encoded, mentee.astype(np.int32), mentor.astype(np.int32), np.zeros(n * m, np.int64))
    single = sorted(
        (explain(encoded, int(i), int(j)) for i, j in zip(mentee, mentor, strict=True)),
        key=lambda one: (one.mentee_id, one.mentor_id),
    )
    for pair, why in zip(made, single, strict=True):
        assert (pair.mentee_id, pair.mentor_id, pair.score) == (why.mentee_id, why.mentor_id, why.score)
        assert pair.factors == {share.factor: share.points for share in why.shares}
        assert pair.reasons == why.reasons
    counts = count_rules(encoded.people, np.arange(n, dtype=np.int32))
    for i in range(n):
        reasons = np.zeros(len(Rule), np.int64)
        assert counts[i, Rule.NONE] == count_allowed(encoded.people, i, reasons)
        assert (counts[i] == reasons).all()
        assert reasons[Rule.NONE] == sum(broken_rule(encoded.people, i, j) == 0 for j in range(m))


def test_an_unfinished_auction_is_not_gone_on_with() -> None:
    graph = Graph(np.zeros((1, 1), np.int32), np.ones((1, 1), np.int32), np.ones(1, np.int32))
    capacity, bonus = np.ones(1, np.int64), np.zeros(1, np.int64)
    rough = replace(assign(graph, capacity, bonus), exact=False)
    assert resumed(graph, capacity, bonus, rough) is None
