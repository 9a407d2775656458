"""Configurations that make no sense are refused with sentences, all at once."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from services.matching.engine import Configuration, InvalidConfiguration, Rules, Weights
from services.matching.engine.match import match
from tests.unit.matching.engine.support import crowd

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "bad",
    [
        {"weights": {"skill": -1}},
        {"weights": {"skill": NAN}},
        {"weights": {"skill": INFINITE}},
        {"weights": {"skill": 1.5}},
        {"weights": {"skill": True}},
        {"weights": {"skill": "600"}},
        {"weights": {"interest": 10**30}},
        {"weights": {"experience_best": [3, 2]}},
        {"weights": {"experience_best": 3}},
        {"weights": {"experience_best": [1]}},
        {"weights": {"unknown": 1}},
        {"weights": [1]},
        {"rules": {"minimum_level_gap": 5, "maximum_level_gap": 2}},
        {"rules": {"minimum_level_gap": NAN}},
        {"rules": {"minimum_overlap_minutes": 481}},
        {"rules": {"minimum_overlap_minutes": -1}},
        {"rules": {"reporting_line_levels": 0}},
        {"rules": {"common_language": "no"}},
        {"rules": {"unknown": True}},
        {"objective": "love"},
        {"tolerance": NAN},
        {"tolerance": -0.1},
        {"tolerance": "0.1"},
        {"candidates": 0},
        {"candidates": 10**9},
        {"candidates": 2.5},
        {"rounds": 0},
        {"fairness_loss": NAN},
        {"fairness_loss": 1},
        {"seed": 7},
        {"unknown": 1},
    ],
    ids=str,
)
def test_bad_values_are_refused_in_sentences(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        Configuration.read(bad)
    assert len(refused.value.problems) == 1
    assert all(problem.endswith(".") for problem in refused.value.problems)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    bad = Configuration(rules=Rules(1, 0), weights=replace(Weights(), skill=-1, interest=-1), rounds=0)
    with pytest.raises(InvalidConfiguration) as refused:
        match(crowd(2, 2), bad)
    assert len(refused.value.problems) == 4


def test_a_configuration_survives_the_way_through_plain_values() -> None:
    mine = Configuration(rules=Rules(2, 5), weights=replace(Weights(), skill=7), seed="x")
    assert Configuration.read(asdict(mine)) == mine
    assert Configuration.read({}) == Configuration()
    assert Configuration.read(asdict(mine)).fingerprint() == mine.fingerprint()
    assert mine.fingerprint() != Configuration().fingerprint()


def test_the_highest_points_of_everything_stay_in_bounds() -> None:
    """The largest weights there are: scores neither wrap around nor turn negative."""
    most = 1_000_000
    names = [name for name in asdict(Weights()) if name != "experience_best"]
    highest: dict[str, Any] = dict.fromkeys(names, most)
    huge = Configuration(weights=replace(Weights(), **highest))
    result = match(crowd(60, 30), huge)
    assert result.pairs
    assert all(0 <= pair.score <= 12 * most for pair in result.pairs)
    assert result.certificate.within_tolerance
