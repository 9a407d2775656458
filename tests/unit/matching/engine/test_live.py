"""Who comes after a run: proposals at once, and as good an assignment as a run from the beginning."""

from dataclasses import replace

import numpy as np
import pytest

from services.matching.engine import Configuration, Pool
from services.matching.engine.encode import encode
from services.matching.engine.live import Live
from services.matching.engine.match import match
from services.matching.engine.search import search
from tests.unit.matching.engine.support import DAY, crowd, mentee, mentor, run, scores

CONFIGURATION = Configuration(candidates=64, tolerance=0.0)


def value(pool: Pool, chosen: dict[str, str]) -> tuple[int, int]:
    table = scores(pool, CONFIGURATION)
    mentees = {person.person_id: number for number, person in enumerate(pool.mentees)}
    mentors = {person.person_id: number for number, person in enumerate(pool.mentors)}
    return len(chosen), sum(int(table[mentees[one], mentors[other]]) for one, other in chosen.items())


@pytest.mark.parametrize("mentors", [25, 60])
def test_arrivals_end_where_a_run_from_the_beginning_does(mentors: int) -> None:
    pool = crowd(70, mentors)
    live = Live(replace(pool, mentees=pool.mentees[:55]), CONFIGURATION, room=15)
    for person in pool.mentees[55:]:
        live.arrive(person)
    cold = match(pool, CONFIGURATION)
    assert cold.certificate.bound - cold.certificate.value == 0
    chosen = dict(live.pairs())
    reached = value(pool, chosen)
    # Several assignments may be as good.
    assert reached == (len(cold.pairs), cold.certificate.value)
    used = np.unique(list(chosen.values()), return_counts=True)
    free = {person.person_id: person.free for person in pool.mentors}
    assert all(count <= free[one] for one, count in zip(*used, strict=True))


def test_suggestions_are_the_best_beyond_their_prices_and_change_nothing() -> None:
    pool = crowd(20, 30)
    live = Live(pool, CONFIGURATION, room=2)
    before = dict(live.pairs())
    newcomer = mentee("new", level=1, skills={"skill 3": 5, "skill 9": 4})
    suggested = live.suggest(newcomer, most=4)
    table = scores(replace(pool, mentees=(newcomer,)), CONFIGURATION)[0]
    by_id = {person.person_id: int(score) for person, score in zip(pool.mentors, table, strict=True)}
    assert 0 < len(suggested) <= 4
    assert all(by_id[one.mentor_id] == one.score for one in suggested)
    gains = [one.score - one.price for one in suggested]
    assert gains == sorted(gains, reverse=True)
    assert dict(live.pairs()) == before


def test_there_is_an_end_to_the_room() -> None:
    live = Live(crowd(3, 3), CONFIGURATION, room=1)
    live.arrive(mentee("one"))
    with pytest.raises(RuntimeError, match="more people have come"):
        live.arrive(mentee("two"))


def test_the_search_and_the_result_agree() -> None:
    pool = crowd(30, 20)
    found = search(encode(pool, CONFIGURATION).people, CONFIGURATION)
    assert found.value == match(pool, CONFIGURATION).certificate.value
    assert not run([mentee()], [mentor(free=0)]).pairs


def test_people_who_are_all_alike_may_come_one_by_one() -> None:
    """They outbid each other by the smallest step: then everybody's places are found anew, not refused."""
    mentees = tuple(mentee(f"a{number}", skills={"law": 5}) for number in range(4))
    mentors = tuple(mentor(f"m{number}", skills={"law": 3}, free=2) for number in range(3))
    live = Live(Pool(DAY, mentees, mentors), Configuration(candidates=1), room=9)
    for number in range(9):
        live.arrive(mentee(f"b{number}", skills={"law": 5}))
    used = np.unique([chosen for _, chosen in live.pairs()], return_counts=True)
    assert all(count <= 2 for count in used[1])
    assert len(list(live.pairs())) == sum(used[1]) >= 2


@pytest.mark.parametrize("mentors", [12, 25, 60])
def test_departures_end_where_a_run_from_the_beginning_does(mentors: int) -> None:
    pool = crowd(70, mentors)
    live = Live(replace(pool, mentees=pool.mentees[:60]), CONFIGURATION, room=10)
    for number, person in enumerate(pool.mentees[60:]):
        live.arrive(person)
        live.leave(pool.mentees[3 * number].person_id)
    live.leave(pool.mentees[65].person_id)
    gone = {3 * number for number in range(10)} | {65}
    rest = replace(pool, mentees=tuple(one for n, one in enumerate(pool.mentees) if n not in gone))
    cold = match(rest, CONFIGURATION)
    assert cold.certificate.bound - cold.certificate.value == 0
    assert value(rest, dict(live.pairs())) == (len(cold.pairs), cold.certificate.value)


def test_whoever_is_not_there_cannot_leave() -> None:
    live = Live(crowd(3, 3), CONFIGURATION, room=1)
    with pytest.raises(KeyError):
        live.leave("nobody")
