"""Goals as vectors: the plug, what it refuses, and that nothing changes for those who do not use it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.matching.engine import Configuration, Form, InvalidConfiguration, Participant, Pool
from services.matching.engine.embedder import LENGTH, letters
from services.matching.engine.factors import Factor
from services.matching.engine.match import match
from tests.unit.matching.engine.support import DAY, mentee, mentor, random_pool, random_rules

WORDS = ("law", "art", "data")


def topics(texts: Sequence[str]) -> NDArray[np.int8]:
    """A dimension for each word: goals are alike in full or not at all."""
    return np.array(
        [[LENGTH if text.strip() == word else 0 for word in WORDS] for text in texts], np.int8
    ).reshape(len(texts), len(WORDS))


def goal_points(mine: str, theirs: str, **settings: object) -> int:
    pool = Pool(DAY, (mentee(goals=mine),), (mentor(goals=theirs),))
    configuration = replace(Configuration(embedder="topics"), **settings)  # type: ignore[arg-type]
    (pair,) = match(pool, configuration, embedders={"topics": topics}).pairs
    assert ("Their goals are alike" in pair.reasons) == (Factor.GOALS in pair.factors)
    return pair.factors.get(Factor.GOALS, 0)


def test_goals_count_by_their_vectors() -> None:
    most = Configuration().weights.goals_most
    assert goal_points("law", "law") == most
    assert goal_points("law", "art") == goal_points("law", "") == goal_points("", "") == 0
    assert goal_points("law", "law", embedder_floor=99) == most


def test_every_pair_found_scores_as_it_does_alone() -> None:
    """The kernel, which scores all pairs at once, and the explanation of one pair agree on vectors."""
    compared = 0
    for seed in range(30):
        pool = random_pool(seed, 14, 10)
        configuration = Configuration(
            rules=random_rules(seed), embedder="letters", embedder_floor=5, form=list(Form)[seed % 5]
        )
        result = match(pool, configuration)
        assert result.certificate.value <= result.certificate.bound
        if configuration.form in (Form.ONE_TO_ONE, Form.REVERSE, Form.FLASH):
            assert result.certificate.within_tolerance
        assert result == match(pool, configuration, threads=1)
        compared += sum(Factor.GOALS in pair.factors for pair in result.pairs)
    assert compared > 20


def test_letters_find_what_stems_do_not() -> None:
    one, same = letters(["Projektleitung", "projektleitung "]).astype(int)
    assert (one == same).all() and (one @ one) > 0.97 * LENGTH**2
    compound, part, stranger = letters(["Mitarbeiterführung", "Führung", "sql"]).astype(int)
    assert compound @ part > 0.3 * LENGTH**2 > compound @ stranger
    assert not letters([""]).any() and letters([]).shape == (0, 256)


def test_who_never_asked_for_an_embedder_gets_the_same_bytes() -> None:
    for seed in range(10):
        pool = random_pool(seed, 14, 10)
        configuration = Configuration(rules=random_rules(seed))
        plain = match(pool, configuration)
        assert plain == match(pool, configuration, embedders={"topics": topics})
    # Taken when vectors were not yet known to the engine.
    assert match(random_pool(3, 20, 12), Configuration()).digest == EARLIER


EARLIER = "70cda35d41d7cf43624f6d20b70020df9be2abc74a2a562461cae4cdac3fd56e"


def nothing(texts: Sequence[str]) -> NDArray[np.int8]:
    return np.zeros((0, 3), np.int8)


def floats(texts: Sequence[str]) -> NDArray[np.int8]:
    return np.zeros((len(texts), 3))  # type: ignore[return-value]


def by_how_many(texts: Sequence[str]) -> NDArray[np.int8]:
    return np.zeros((len(texts), len(texts)), np.int8)


def huge(texts: Sequence[str]) -> NDArray[np.int8]:
    return np.zeros((len(texts), 5_000), np.int8)


@pytest.mark.parametrize("bad", [nothing, floats, by_how_many, huge])
def test_vectors_that_are_none_are_refused(bad: object) -> None:
    pool = Pool(DAY, (mentee(goals="x"), mentee("b")), (mentor(goals="x"),))
    with pytest.raises(InvalidConfiguration, match="instead of"):
        match(pool, Configuration(embedder="bad"), embedders={"bad": bad})  # type: ignore[dict-item]


def test_an_embedder_that_nobody_gave_is_refused() -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        match(Pool(DAY, (), ()), Configuration(embedder="model"))
    assert refused.value.problems == ["There is no embedder 'model'."]


def test_without_mentors_or_mentees_vectors_do_no_harm() -> None:
    configuration = Configuration(embedder="topics")
    for pool in (Pool(DAY, (), ()), Pool(DAY, (mentee(),), ()), Pool(DAY, (), (mentor(),))):
        assert match(pool, configuration, embedders={"topics": topics}).pairs == ()
    people = (Participant("a", goals="law", free=1), Participant("b", goals="law", free=1))
    (pair,) = match(
        Pool(DAY, people, ()), replace(configuration, form=Form.PEER), embedders={"topics": topics}
    ).pairs
    assert pair.factors[Factor.GOALS] == configuration.weights.goals_most
