"""``python -m services.matching.engine.warm``: compiles everything, so that the first round need not."""

from datetime import date
from time import perf_counter

from services.matching.engine import Configuration, Participant, Pool
from services.matching.engine.compiled import CACHE
from services.matching.engine.encode import encode
from services.matching.engine.fairness import raise_lowest
from services.matching.engine.live import Live
from services.matching.engine.match import match
from services.matching.engine.search import search
from services.matching.engine.stable import blocking_pairs, mentees_propose, mentors_propose, preferences_of


def warm() -> int:
    """Calls every compiled function on a few people. Returns how many pairs it made."""
    mentors = tuple(
        Participant(f"m{number}", level=5, skills={"x": 3}, free=1, goals="y") for number in range(3)
    )
    mentees = tuple(Participant(f"a{number}", level=3, skills={"x": 5}, goals="y") for number in range(4))
    pool, configuration = Pool(date(2026, 1, 1), mentees, mentors), Configuration(candidates=1)
    result = match(pool, configuration)
    people = encode(pool, configuration).people
    found = search(people, configuration)
    raise_lowest(people, found.graph, found.mentor, found.score, 0.1)
    preferences = preferences_of(people, found.graph)
    for propose in (mentees_propose, mentors_propose):
        chosen = propose(found.graph, people.capacity, preferences)
        blocking_pairs(found.graph, people.capacity, preferences, chosen)
    Live(pool, configuration, room=1).arrive(Participant("b", level=3, skills={"x": 5}))
    return len(result.pairs)


def main() -> None:
    start = perf_counter()
    warm()
    where = f"kept in {CACHE}" if CACHE else "not kept: no directory can be written"
    print(f"the matching engine is compiled ({perf_counter() - start:.1f} s), {where}")


if __name__ == "__main__":
    main()
