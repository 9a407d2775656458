"""``python -m services.matching.engine.warm``: compiles everything, so that the first run need not.

``warm rounds`` compiles only what automatic rounds need, in a third of the time.
"""

import sys
from dataclasses import replace
from datetime import date
from time import perf_counter

from services.matching.engine import Configuration, Form, Method, Participant, Pool
from services.matching.engine.assignment import assign
from services.matching.engine.compiled import CACHE
from services.matching.engine.embedder import LETTERS
from services.matching.engine.encode import encode
from services.matching.engine.live import Live
from services.matching.engine.match import match
from services.matching.engine.peer import MOST_EXACT
from services.matching.engine.resume import resumed
from services.matching.engine.search import search


def warm(*, only_rounds: bool = False) -> int:
    """Calls every compiled function, or those of automatic rounds, on a few people. Returns how many pairs it made."""
    mentors = tuple(
        Participant(f"m{number}", level=5, skills={"x": 3}, free=2, goals="y") for number in range(3)
    )
    mentees = tuple(
        Participant(f"a{number}", level=3, skills={"x": 5}, goals="y", total=1) for number in range(4)
    )
    pool, configuration = Pool(date(2026, 1, 1), mentees, mentors), Configuration(candidates=1)
    made = len(match(pool, configuration).pairs)
    if only_rounds:
        return made
    for changed in (
        *(replace(configuration, form=form, candidates=3) for form in Form),
        *(replace(configuration, method=method) for method in Method),
        replace(configuration, fairness_loss=0.1, embedder=LETTERS),
    ):
        made += len(match(pool, changed).pairs)
    peers = tuple(Participant(f"p{number:03}", level=number % 3, free=1) for number in range(MOST_EXACT + 2))
    made += len(match(Pool(pool.as_of, peers, ()), replace(configuration, form=Form.PEER)).pairs)
    live = Live(pool, configuration, room=1)
    live.arrive(Participant("b", level=3, skills={"x": 5}))
    for mentee in mentees:
        live.leave(mentee.person_id)
    people = encode(pool, configuration).people
    graph = search(people, configuration).graph
    resumed(graph, people.capacity, people.bonus, assign(graph, people.capacity, people.bonus))
    return made


def main() -> None:
    """Compile, and say how long it took and where the code is kept."""
    start = perf_counter()
    warm(only_rounds=sys.argv[1:] == ["rounds"])
    where = f"kept in {CACHE}" if CACHE else "not kept: no directory can be written"
    print(f"the matching engine is compiled ({perf_counter() - start:.1f} s), {where}")


if __name__ == "__main__":
    main()
