"""The second stage and the figures that show how fair a run is."""

import numpy as np
import pytest

from services.matching.engine import Configuration
from services.matching.engine.encode import encode
from services.matching.engine.fairness import raise_lowest
from services.matching.engine.figures import SMALLEST_GROUP, by_group, gini
from services.matching.engine.search import search
from tests.unit.matching.engine.support import crowd, random_pool, random_rules


def test_the_lowest_is_never_lowered_and_the_loss_is_what_was_allowed() -> None:
    raised = 0
    for seed in range(60):
        configuration = Configuration(seed=str(seed), rules=random_rules(seed), candidates=32)
        people = encode(random_pool(seed, 20, 12), configuration).people
        found = search(people, configuration)
        before = found.mentor >= 0
        for share in (0.0, 0.05, 0.3):
            stage = raise_lowest(people, found.graph, found.mentor, found.score, share)
            after = stage.mentor >= 0
            assert stage.lowest_after >= stage.lowest_before
            assert stage.value >= found.value - int(found.value * share)
            assert after.sum() >= before.sum()
            assert people.bonus[after].sum() >= people.bonus[before].sum()
            used = np.bincount(stage.mentor[after], minlength=len(people.capacity))
            assert (used <= people.capacity).all()
            raised += stage.lowest_after > stage.lowest_before
    assert raised > 10


def test_a_crowd_gains_from_the_second_stage() -> None:
    configuration = Configuration()
    people = encode(crowd(150, 100), configuration).people
    found = search(people, configuration)
    stage = raise_lowest(people, found.graph, found.mentor, found.score, 0.02)
    assert stage.lowest_after > stage.lowest_before


@pytest.mark.parametrize(
    ("loads", "expected"),
    [([], 0.0), ([0, 0], 0.0), ([3, 3, 3], 0.0), ([0, 0, 0, 4], 0.75), ([1, 3], 0.25), ([3, 1], 0.25)],
)
def test_gini(loads: list[int], expected: float) -> None:
    assert gini(loads) == pytest.approx(expected)


def test_small_groups_are_never_shown() -> None:
    groups = ["x"] * 10 + ["y"] * (SMALLEST_GROUP - 1) + ["z"] * 7
    shown = {one.group: one for one in by_group(groups, dict.fromkeys(range(8), 100))}
    assert (shown["x"].people, shown["x"].matched, shown["x"].mean_score) == (10, 0.8, 100)
    # y is too small; with x and the total alone z would give y away, so z is hidden as well.
    for hidden in ("y", "z"):
        assert (shown[hidden].people, shown[hidden].matched, shown[hidden].mean_score) == (None, None, None)


def test_a_mean_of_few_is_not_shown() -> None:
    (one,) = by_group(["x"] * 10, {0: 5, 1: 7})
    assert (one.people, one.matched, one.mean_score) == (10, 0.2, None)
