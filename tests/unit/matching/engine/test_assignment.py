"""The auction on a graph of candidates, beside an exact solver: where places are short it begins with prices."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from services.matching.engine import assignment
from services.matching.engine.arrays import I64
from services.matching.engine.assignment import Assignment, Graph, assign


def worths(graph: Graph, bonus: I64, mentors: int) -> I64:
    """[mentees, mentors]; 0 for pairs that are no candidates, as for nobody."""
    table = np.zeros((len(graph.count), mentors), np.int64)
    for i, number in enumerate(graph.count.tolist()):
        table[i, graph.mentor[i, :number]] = graph.score[i, :number] + bonus[i]
    return table


def made_of(seed: int, people: int, mentors: int, most: int, places: int) -> tuple[Graph, I64, I64]:
    draw = np.random.default_rng([seed, people, places])
    width = min(8, mentors)
    mentor = np.stack([draw.permutation(mentors)[:width] for _ in range(people)]).astype(np.int32)
    score = draw.integers(0, most, (people, width)).astype(np.int32)
    graph = Graph(mentor, score, draw.integers(0, width + 1, people).astype(np.int32))
    bonus = int(draw.choice([0, 9_000])) * (1 + (draw.random(people) < 0.1).astype(np.int64))
    return graph, draw.integers(0, places + 1, mentors).astype(np.int64), bonus


def check(graph: Graph, capacity: I64, bonus: I64, solved: Assignment) -> None:
    table, places = worths(graph, bonus, len(capacity)), np.repeat(np.arange(len(capacity)), capacity)
    rows, columns = linear_sum_assignment(table[:, places], maximize=True)
    matched = np.flatnonzero(solved.mentor >= 0)
    assert table[matched, solved.mentor[matched]].sum() == table[:, places][rows, columns].sum()
    taken = np.bincount(solved.mentor[matched], minlength=len(capacity))
    assert (taken == solved.book.taken).all() and (taken <= capacity).all()
    # Prices prove it: nobody gains more than a step elsewhere, and what is not full costs nothing.
    assert not solved.price[taken < capacity].any() and (solved.price >= 0).all()
    gains = np.where(table > 0, table * solved.scale - solved.price, -(1 << 62))[:, capacity > 0]
    own = np.zeros(len(table), np.int64)
    own[matched] = (
        table[matched, solved.mentor[matched]] * solved.scale - solved.price[solved.mentor[matched]]
    )
    assert gains.shape[1] == 0 or (gains.max(axis=1) <= own + 1).all()


@pytest.mark.parametrize("most", [2, 30, 40_000])
def test_as_good_as_an_exact_solver_where_places_are_short_or_not(most: int) -> None:
    begun = 0
    for seed in range(60):
        graph, capacity, bonus = made_of(
            seed, people=10 + seed, mentors=9 + seed % 20, most=most, places=seed % 5
        )
        solved = assign(graph, capacity, bonus)
        assert solved.exact
        check(graph, capacity, bonus, solved)
        begun += assignment._first_price(graph, capacity, bonus) > 0
    assert 10 < begun < 60  # both kinds of pool were among them


def test_a_beginning_price_that_is_far_too_high_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "_first_price", lambda graph, _capacity, bonus: int(bonus.max()) + 10**6)
    for seed in range(40):
        graph, capacity, bonus = made_of(seed, people=40, mentors=12, most=40_000, places=4)
        check(graph, capacity, bonus, assign(graph, capacity, bonus))
