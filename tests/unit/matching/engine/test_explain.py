"""Why, and why not: in numbers that add up, and in sentences that give nobody away."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from services.matching.engine import Configuration, Objective, Participant, Pool, Rules
from services.matching.engine.configuration import Method
from services.matching.engine.encode import Encoded, encode
from services.matching.engine.explain import NotPaired, WhyNot, explain, rule_sentence, why_not
from services.matching.engine.factors import Factor, Rule
from services.matching.engine.match import match
from tests.unit.matching.engine.support import DAY, mentee, mentor, random_pool, random_rules, run, scores


def number_of(people: tuple[Participant, ...], person_id: str) -> int:
    return next(number for number, person in enumerate(people) if person.person_id == person_id)


def test_shares_add_up_to_the_score_of_every_pair() -> None:
    for seed in range(40):
        pool = random_pool(seed)
        configuration = Configuration(rules=random_rules(seed))
        encoded, table = encode(pool, configuration), scores(pool, configuration)
        for row, one in enumerate(pool.mentees):
            for column, other in enumerate(pool.mentors):
                why = explain(
                    encoded, number_of(encoded.mentees, one.person_id),
                    number_of(encoded.mentors, other.person_id),
                )  # fmt: skip
                assert sum(share.points for share in why.shares) == why.score
                assert sum(share.share for share in why.shares) == pytest.approx(1 if why.score else 0)
                full = Rule.FULL in why.rules
                assert (table[row, column] >= 0) == (not why.rules or (full and len(why.rules) == 1))
                if table[row, column] >= 0:
                    assert table[row, column] == why.score


def test_reasons_name_what_both_showed_in_the_mentees_words() -> None:
    (pair,) = run(
        [mentee(skills={"Law": 3, "Talks": 1}, interests=("Chess",))],
        [mentor(skills={"law ": 4, "talks": 5}, interests=("chess",))],
    ).pairs
    assert pair.reasons == (
        "Offers Law, which the mentee wants to learn",
        "Offers Talks, which the mentee wants to learn",
        "The mentor is ahead by a step that can be followed",
        "Their working hours overlap",
        "Both care about Chess",
    )
    assert pair.score == sum(pair.factors.values()) == 600 * (12 + 5) + 2_000 + 7_000 + 7_000


SECRET = "first in the family"


def test_what_one_keeps_private_is_in_no_reason() -> None:
    """The same two people, with wishes and choices and without: participants read the same."""
    one = mentee(skills={"law": 3}, preferences=(SECRET,), choices=("m",))
    other = mentor(skills={"law": 4}, preferences=(SECRET,), choices=("a",))
    (told,) = run([one], [other]).pairs
    open_ones = [replace(one, preferences=(), choices=()), replace(other, preferences=(), choices=())]
    (plain,) = run(open_ones[:1], open_ones[1:]).pairs
    assert told.reasons == plain.reasons
    assert {Factor.PREFERENCES, Factor.MENTEE_CHOICE, Factor.MENTOR_CHOICE} <= set(told.factors)
    assert told.score > plain.score


def test_a_pair_of_private_reasons_only_still_has_a_sentence() -> None:
    far: dict[str, Any] = {"time_zone": "Nowhere/Atlantis", "level": None}
    (pair,) = run([mentee(choices=("m",), **far)], [mentor(**far)]).pairs
    assert set(pair.factors) == {Factor.MENTEE_CHOICE}
    assert pair.reasons == ("They meet what the programme asks of a pair",)


def test_reasons_fit_into_an_event_whatever_things_are_called() -> None:
    long = {f"{letter}" * 200: 1 for letter in "abcdefghij"}
    (pair,) = run(
        [mentee(skills=long, interests=tuple(long))], [mentor(skills=long, interests=tuple(long))]
    ).pairs
    assert len(pair.reasons) <= 5
    assert max(map(len, pair.reasons)) <= 200


def demand() -> tuple[Encoded, dict[str, int], dict[str, str]]:
    """Two want m, who is best for a."""
    pool = Pool(
        DAY,
        (mentee("a", skills={"law": 5}), mentee("b", skills={"law": 4}), mentee("c", languages=("de",))),
        (mentor("m", skills={"law": 5}), mentor("n"), mentor("o", level=9, free=3)),
    )
    result = match(pool, Configuration())
    chosen = {pair.mentee_id: pair.mentor_id for pair in result.pairs}
    assert chosen == {"a": "m", "b": "n"}
    return encode(pool, Configuration()), dict(result.prices), chosen


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("a", "m", NotPaired.PAIRED),
        ("b", "m", NotPaired.PRICE),
        ("b", "o", NotPaired.WORSE),
        ("c", "m", NotPaired.RULE),
    ],
)
def test_why_not_is_answered_by_rule_or_price(one: str, other: str, verdict: NotPaired) -> None:
    encoded, prices, chosen = demand()
    why = why_not(
        encoded, Configuration(), prices, chosen, number_of(encoded.mentees, one), number_of(encoded.mentors, other)
    )  # fmt: skip
    assert why.verdict is verdict
    assert why.gain == why.score - why.price
    if verdict is NotPaired.PRICE:
        assert why.price > 0
        assert f"{why.price:,}" in why.sentence
    if verdict is NotPaired.RULE:
        assert why.sentence == rule_sentence(Rule.LANGUAGE)


def test_every_rule_has_a_sentence() -> None:
    assert all(rule_sentence(rule).endswith(".") for rule in Rule if rule is not Rule.NONE)


def test_rules_that_are_off_forbid_nothing() -> None:
    off = Rules(minimum_level_gap=None, reporting_line=False, common_language=False)
    pool = Pool(DAY, (mentee(level=9, languages=("de",)),), (mentor(),), {"a": "m"})
    assert explain(encode(pool, Configuration(rules=off)), 0, 0).rules == ()


def test_where_mentors_are_scarce_gains_are_told_in_the_participants_terms() -> None:
    """Prices hold what it is worth to be matched at all; the mentee reads what one mentor costs beyond another."""
    pool = Pool(
        DAY,
        (
            mentee("a", skills={"law": 5}),
            mentee("b", skills={"law": 4}),
            mentee("c", skills={"law": 1}),
        ),
        (mentor("m", skills={"law": 5}), mentor("n")),
    )
    result = match(pool, Configuration())
    chosen = {pair.mentee_id: pair.mentor_id for pair in result.pairs}
    assert (len(chosen), chosen["a"]) == (2, "m")
    encoded = encode(pool, Configuration())
    assert min(result.prices.values()) > 100_000
    second, left = ("b", "c") if "b" in chosen else ("c", "b")
    for one, other in ((second, "m"), ("a", "n"), (left, "m"), (left, "n")):
        why = why_not(
            encoded, Configuration(), result.prices, chosen,
            number_of(encoded.mentees, one), number_of(encoded.mentors, other),
        )  # fmt: skip
        assert why.verdict is not NotPaired.RULE
        assert why.price + why.scarcity == result.prices[other]
        assert why.own_gain >= why.gain
        assert why.own_gain >= 0
        assert why.gain == why.score - why.price
        assert why.scarcity > 0
    assert "as mentors are scarce" in why.sentence


def test_goals_are_shown_as_they_are_written() -> None:
    wish = "Führung übernehmen: leading Engineers"
    pool = Pool(
        DAY,
        (mentee(goals=wish),),
        (mentor(goals="I help with leadership of engineering teams"), *(mentor(f"m{n}") for n in range(30))),
    )
    encoded = encode(pool, Configuration())
    shares = explain(encoded, 0, number_of(encoded.mentors, "m")).shares
    assert {share.factor: set(share.words) for share in shares}[Factor.GOALS] == {"Engineers"}


def best_value(table: NDArray[np.int64], bonus: list[int], room: list[int], forced: tuple[int, int]) -> float:
    """Scores and bonus of the best assignment in which one pair is made, from an exact solver."""
    places = [j for j, free in enumerate(room) for _ in range(free)]
    worth = np.zeros((len(bonus), len(places) + len(bonus)))
    for i, row in enumerate(table.tolist()):
        for place, j in enumerate(places):
            worth[i, place] = row[j] + bonus[i] if row[j] >= 0 else -1e9
    i, j = forced
    own = [place for place, mentor in enumerate(places) if mentor == j]
    kept = worth[i, own].copy()
    worth[i] = -1e9
    worth[i, own] = kept
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return float(worth[rows, columns].sum())


@pytest.mark.parametrize("objective", Objective)
def test_a_pair_that_is_forced_costs_at_least_what_why_not_says(objective: Objective) -> None:
    asked = 0
    for seed in range(12):
        pool, configuration = random_pool(seed), Configuration(rules=random_rules(seed), objective=objective)
        result, encoded = match(pool, configuration), encode(pool, configuration)
        table, chosen = scores(pool, configuration), {p.mentee_id: p.mentor_id for p in result.pairs}
        bonus = [int(encoded.people.bonus[number_of(encoded.mentees, one.person_id)]) for one in pool.mentees]
        room = [one.free for one in pool.mentors]
        made = sum(
            int(table[i, j]) + bonus[i]
            for i, one in enumerate(pool.mentees)
            for j, other in enumerate(pool.mentors)
            if chosen.get(one.person_id) == other.person_id
        )
        open_ = result.certificate.bound - result.certificate.value
        for i, one in enumerate(pool.mentees):
            for j, other in enumerate(pool.mentors):
                why = why_not(
                    encoded, configuration, result.prices, chosen,
                    number_of(encoded.mentees, one.person_id), number_of(encoded.mentors, other.person_id),
                )  # fmt: skip
                if why.verdict is NotPaired.PAIRED:
                    continue
                assert (why.verdict is NotPaired.RULE) == (table[i, j] < 0 or not room[j])
                if why.verdict is NotPaired.RULE:
                    continue
                asked += 1
                lost = made - best_value(table, bonus, room, (i, j))
                assert lost >= why.own_gain - why.gain - open_
                assert why.verdict is not NotPaired.TOLERANCE or why.gain - why.own_gain <= open_
    assert asked > 100


@pytest.mark.parametrize("method", [Method.MENTEE_PROPOSING, Method.MENTOR_PROPOSING])
def test_stable_pairs_are_not_explained_by_prices(method: Method) -> None:
    verdicts = Counter[NotPaired]()
    for seed in range(12):
        configuration = Configuration(rules=random_rules(seed), method=method)
        for why, pair in not_paired(random_pool(seed), configuration):
            verdicts[why.verdict] += 1
            assert (why.price, why.scarcity, why.gain) == (0, 0, why.score)
            assert why.own_gain == pair
            assert (why.verdict is NotPaired.WORSE) == (why.score <= why.own_gain)
    assert set(verdicts) == {NotPaired.WORSE, NotPaired.STABLE}


def test_whoever_could_gain_is_told_when_the_lowest_were_raised() -> None:
    verdicts = Counter[NotPaired]()
    for seed in range(12):
        for why, _ in not_paired(random_pool(seed), Configuration(fairness_loss=0.2)):
            verdicts[why.verdict] += 1
            assert (why.verdict is NotPaired.FAIRNESS) == (why.gain > why.own_gain + 1)
    assert verdicts[NotPaired.FAIRNESS] > 0
    assert verdicts[NotPaired.GROUP] == verdicts[NotPaired.TOLERANCE] == 0


def not_paired(pool: Pool, configuration: Configuration) -> Iterator[tuple[WhyNot, int]]:
    """Why each pair that rules allow was not made, and the score of the one that was."""
    result, encoded = match(pool, configuration), encode(pool, configuration)
    chosen = {pair.mentee_id: pair.mentor_id for pair in result.pairs}
    own = {pair.mentee_id: pair.score for pair in result.pairs}
    for i, one in enumerate(encoded.mentees):
        for j in range(len(encoded.mentors)):
            why = why_not(encoded, configuration, result.prices, chosen, i, j)
            if why.verdict not in (NotPaired.PAIRED, NotPaired.RULE):
                yield why, own.get(one.person_id, 0)
