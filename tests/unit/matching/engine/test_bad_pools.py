"""Pools that are empty, impossible or contradictory: a clear error, or a correct result with its reason."""

from dataclasses import replace
from typing import Any

import pytest

from services.matching.engine import (
    Configuration,
    Form,
    InvalidPool,
    Method,
    Participant,
    Pool,
    Rules,
)
from services.matching.engine.match import Why, match
from tests.unit.matching.engine.support import DAY, crowd, mentee, mentor, pairs, run


def test_nobody() -> None:
    result = run([], [])
    assert (result.pairs, result.unmatched) == ((), ())
    assert (result.certificate.value, result.certificate.bound, result.certificate.gap) == (0, 0, 0.0)


def test_only_mentors() -> None:
    result = run([], [mentor()])
    assert (result.pairs, result.unmatched, result.certificate.within_tolerance) == ((), (), True)


def test_only_mentees() -> None:
    result = run([mentee()], [])
    assert [one.why for one in result.unmatched] == [Why.NOBODY]


def test_no_room_at_all() -> None:
    result = run([mentee("a"), mentee("b", languages=("de",))], [mentor(free=0)])
    assert result.pairs == ()
    assert {one.mentee_id: one.why for one in result.unmatched} == {"a": Why.ALL_FULL, "b": Why.RULES}
    assert result.certificate.matched_at_most == 0


def test_everything_forbidden() -> None:
    pool = crowd(30, 20)
    nobody = Configuration(rules=Rules(minimum_level_gap=50))
    result = match(pool, nobody)
    assert result.pairs == ()
    assert {one.why for one in result.unmatched} == {Why.RULES}
    assert result.certificate.within_tolerance


def test_three_hundred_identical_people() -> None:
    alike = {"skills": {"law": 3}, "interests": ("chess",)}
    mentees = [mentee(f"a{number}", **alike) for number in range(300)]
    mentors = [mentor(f"m{number}", **alike) for number in range(90)]
    result = run(mentees, mentors)
    assert len(result.pairs) == 90
    assert len({pair.score for pair in result.pairs}) == 1
    assert result.certificate.within_tolerance
    assert result.certificate.matched_at_most == 90
    # Nobody is first because of their name: another seed takes others.
    other = run(mentees, mentors, configuration=Configuration(seed="another"))
    assert {p.mentee_id for p in result.pairs} != {p.mentee_id for p in other.pairs}


def test_a_circle_of_managers_is_one_line_and_is_reported() -> None:
    managers = {"a": "b", "b": "m", "m": "a", "x": "x"}
    result = run([mentee("a")], [mentor("m"), mentor("n")], managers=managers)
    assert pairs(result) == {("a", "n")}
    assert ("a", "b", "m") in result.circles


def test_somebody_on_both_sides_is_never_their_own_mentor() -> None:
    both = [Participant("x", free=2), Participant("y", free=2)]
    result = run(both, both)
    assert pairs(result) == {("x", "y"), ("y", "x")}


def test_a_skill_that_nobody_offers_gives_nothing() -> None:
    (with_it,) = run([mentee(skills={"alchemy": 5})], [mentor()]).pairs
    (without,) = run([mentee()], [mentor()]).pairs
    assert with_it.score == without.score


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (Pool(DAY, (mentee(), mentee()), ()), "a is twice among the mentees."),
        (Pool(DAY, (), (mentor(), mentor())), "m is twice among the mentors."),
        (Pool(DAY, (), (mentor(free=-1),)), "m takes fewer than no mentees."),
        (Pool(DAY, (mentee(priority=4),), ()), "The priority of a is not 0 to 3."),
        (Pool(DAY, (mentee(skills={"x": 6}),), ()), "A skill of a is not rated 1 to 5."),
        (Pool(DAY, (), (mentor(free=10**9),)), "m takes more than 1,000 mentees."),
        (Pool(DAY, (mentee(total=-1),), ()), "a takes fewer than no relationships."),
        (
            Pool(DAY, (mentee(total=1),), (mentor("a"),)),
            "a has one total as a mentee and another as a mentor.",
        ),
    ],
    ids=[
        "mentee twice",
        "mentor twice",
        "room below nothing",
        "priority",
        "skill",
        "room without end",
        "total below nothing",
        "two totals",
    ],
)
def test_people_who_contradict_themselves_are_refused(pool: Pool, said: str) -> None:
    with pytest.raises(InvalidPool) as refused:
        match(pool, Configuration())
    assert str(refused.value) == said


def test_unknown_zones_and_empty_words_are_silence() -> None:
    plain: dict[str, Any] = {"time_zone": "Mars/Olympus", "languages": ("en",)}
    strange = plain | {"interests": ("", " "), "goals": "?!", "languages": ("en", "")}
    (one,) = run([mentee(**strange)], [mentor(**strange)]).pairs
    (other,) = run([mentee(**plain)], [mentor(**plain)]).pairs
    assert one.score == other.score
    assert replace(one, reasons=()) == replace(other, reasons=())


FORMS = [
    *(Configuration(form=form) for form in Form),
    Configuration(method=Method.MENTEE_PROPOSING),
    Configuration(method=Method.MENTOR_PROPOSING),
    Configuration(fairness_loss=0.1),
]
"""Every way to run the engine."""


def name_of(value: object) -> str:
    if not isinstance(value, Configuration):
        return ""
    return "fair" if value.fairness_loss else f"{value.form}-{value.method}"


@pytest.mark.parametrize("configuration", FORMS, ids=name_of)
def test_every_form_takes_empty_and_impossible_pools(configuration: Configuration) -> None:
    people, leaders = crowd(30, 20).mentees, crowd(30, 20).mentors
    away = tuple(replace(person, languages=("eo",)) for person in people)
    peers = configuration.form is Form.PEER
    pools = {
        "nobody": (Pool(DAY, (), ()), set()),
        "only mentors": (Pool(DAY, (), leaders), {Why.ALL_FULL} if peers else set()),
        "only mentees": (Pool(DAY, people, ()), {Why.ALL_FULL} if peers else {Why.NOBODY}),
        "no room": (
            Pool(DAY, people, tuple(replace(one, free=0) for one in leaders)),
            {Why.ALL_FULL, Why.NO_PLACE} if peers else {Why.ALL_FULL, Why.RULES},
        ),
        "all forbidden": (Pool(DAY, away, leaders), {Why.ALL_FULL} if peers else {Why.RULES}),
    }
    for name, (pool, reasons) in pools.items():
        result = match(pool, configuration)
        assert {one.why for one in result.unmatched} <= reasons, name
        assert peers or result.pairs == (), name
        assert result.certificate.bound >= result.certificate.value, name
        assert result.certificate.matched_at_most >= result.certificate.matched, name
        assert result.figures.proof.matched == result.certificate.matched, name
        paired = {one for pair in result.pairs for one in (pair.mentee_id, pair.mentor_id)}
        asked = {person.person_id for person in pool.mentees} | (
            {person.person_id for person in pool.mentors} if peers else set()
        )
        assert asked <= paired | {one.mentee_id for one in result.unmatched}, name


@pytest.mark.parametrize("form", Form)
def test_thousands_of_identical_people_end(form: Form) -> None:
    """100,000 take 10 to 60 seconds of a processor, in every form: bids, rounds, passes and looks have limits that
    grow with people's number, and no round is needed to prove that everybody has the best there is."""
    count = 6_000
    alike: dict[str, Any] = {"skills": {"law": 3}, "interests": ("chess",)}
    level = 8 if form is Form.REVERSE else 3
    mentees = tuple(mentee(f"a{number}", level=level, **alike) for number in range(count))
    leaders = (
        ()
        if form is Form.PEER
        else tuple(mentor(f"m{number}", free=3, **alike) for number in range(count // 20))
    )
    told: list[tuple[str, float]] = []
    result = match(
        Pool(DAY, mentees, leaders), Configuration(form=form), progress=lambda *now: told.append(now)
    )
    matched = result.certificate.matched
    assert matched == (count if form is Form.PEER else 3 * (count // 20))
    assert matched == result.certificate.matched_at_most
    assert len({pair.score for pair in result.pairs}) == 1
    # Where the prices of people who are all alike prove little, that each has the best there is proves it.
    assert result.certificate.within_tolerance
    assert result.certificate.rounds <= 2
    assert told[0] == ("reading", 0.0) and told[-1] == ("done", 1.0)
    assert all(0.0 <= done <= 1.0 for _, done in told)
