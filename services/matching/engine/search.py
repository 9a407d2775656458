"""From arrays to the best pairs: candidates, assignment, certificate, repair (column generation).

Each round solves the assignment on the candidates known so far, then looks at all allowed pairs with the prices
found, but for those that the prices rule out (:mod:`pricing`). A pair that would pay at these prices and is not a
candidate becomes one; the same look gives the bound. It ends when the proven gap is inside the tolerance, or there is
nothing to add, or the rounds are used up (and says so).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Assignment, Graph, assign
from services.matching.engine.compiled import compiled
from services.matching.engine.configuration import Configuration
from services.matching.engine.kernel import best_mentors
from services.matching.engine.pricing import only, plan, reach_of
from services.matching.engine.result import Progress
from services.matching.engine.resume import resumed

_BLOCK: Final = 500
"""Mentees whose rows one thread works on at a time: memory does not grow with the number of people."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best pairs found, and what proves how good they are. Scores are points."""

    mentor: I32
    """[mentees] or -1."""
    score: I32
    """[mentees], 0 for nobody."""
    price: I32
    """[mentors] points, the certificate's."""
    profit: I64
    """[mentees] best score less price over all allowed pairs, at least 0, bonus included."""
    value: int
    bound: int
    """Of value, for as many people matched in the same order of priority."""
    rounds: int
    exhausted: bool
    """Whether the rounds were used up before the tolerance was reached."""
    exact_on_candidates: bool
    graph: Graph
    """All candidates that were known in the end."""


_NO_GRAPH: Final = Graph(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.int32), np.zeros(0, np.int32))
"""Until the end, so that no round's candidates are kept beside the next one's."""


def search(
    people: Population, configuration: Configuration, *, threads: int = 2, progress: Progress | None = None
) -> Found:
    """Pairs whose value is proven to be within the tolerance of the best, if the rounds suffice."""
    tell = progress or (lambda _what, _done: None)
    mentees, mentors = len(people.bonus), len(people.capacity)
    if mentees == 0 or mentors == 0 or not people.capacity.any():
        return _nobody(mentees, mentors)
    k = min(configuration.candidates, mentors)
    price = np.zeros(mentors, np.int32)
    floor = _below(people.bonus)
    graph = look(people, price, floor, k, threads, people.order, lambda done: tell("candidates", done))
    reach = reach_of(graph, k)
    ceiling = _ceiling(people, graph)
    best: Found | None = None
    solved: Assignment | None = None
    for number in range(1, configuration.rounds + 1):
        tell(f"round {number}: assigning", 0.0)
        before = solved
        solved = before and resumed(graph, people.capacity, people.bonus, before)
        solved = solved or assign(graph, people.capacity, people.bonus)
        price = _points(solved)
        held = _held(graph, people.bonus, price)
        floor = np.asarray(held - people.bonus, np.int32)
        turned = _turned(people, number)
        found = _missed(turned, reach, price, floor, k, threads, partial(tell, f"round {number}: proving"))
        now = _measure(people, graph, solved, price, held, found, number, ceiling)
        if (
            best is None
            or now.value + _bonuses(people, now) > best.value + _bonuses(people, best)
            or now.bound - now.value < best.bound - best.value
        ):
            best = now
        if now.bound - now.value <= configuration.tolerance * now.value or not found.count.any():
            return replace(now, graph=graph)
        graph = _join(graph, found)
        del found, now, before, held, turned  # of 100,000 people each of them is many megabytes
    assert best is not None
    return replace(best, exhausted=True, graph=graph)


def _turned(people: Population, number: int) -> Population:
    """The same people with other draws in each round: whoever finds many mentors equally good takes a few of them from
    where the draw says, and by the same draw would never see but those."""
    bits = 13 * number % 63
    draw = people.mentees.draw
    other = ((draw << bits) | (draw >> (63 - bits))) & np.iinfo(np.int64).max
    return people._replace(mentees=people.mentees._replace(draw=other))


def _ceiling(people: Population, graph: Graph) -> int:
    """The sum of the best that people could have, bonus included, of as many as there are places: nothing is worth
    more. It proves what prices do not when people are all alike. *graph* holds everybody's best mentor."""
    best = _held(graph, people.bonus, np.zeros(len(people.capacity), np.int32))
    places = min(len(best), int(people.capacity.sum()))
    return int(np.partition(best, len(best) - places)[len(best) - places :].sum())


def _bonuses(people: Population, found: Found) -> int:
    return int(people.bonus[found.mentor >= 0].sum())


def _nobody(mentees: int, mentors: int) -> Found:
    none = np.zeros((mentees, 1), np.int32)
    return Found(
        mentor=np.full(mentees, -1, np.int32),
        score=np.zeros(mentees, np.int32),
        price=np.zeros(mentors, np.int32),
        profit=np.zeros(mentees, np.int64),
        value=0,
        bound=0,
        rounds=0,
        exhausted=False,
        exact_on_candidates=True,
        graph=Graph(none, none.copy(), np.zeros(mentees, np.int32)),
    )


def _below(bonus: I64) -> I32:
    """With this floor every allowed mentor counts who is worth anything, the bonus included."""
    return np.asarray(-bonus - 1, np.int32)


def _points(solved: Assignment) -> I32:
    """Prices rounded to whole points: any prices prove a bound, these a close one."""
    return np.asarray((solved.price + solved.scale // 2) // solved.scale, np.int32)


def look(
    people: Population,
    price: I32,
    floor: I32,
    k: int,
    threads: int,
    order: I64,
    tell: Callable[[float], None],
) -> Graph:
    """The best mentors at these prices, above a floor, over all allowed pairs, of the mentees in *order*; nobody for
    the others."""
    mentees = len(people.bonus)
    mentor = np.zeros((mentees, k), np.int32)
    score = np.zeros((mentees, k), np.int32)
    count = np.zeros(mentees, np.int32)
    chosen = people._replace(order=order)

    def block(begin: int) -> int:
        end = min(len(order), begin + _BLOCK)
        best_mentors(chosen, begin, end, price, floor, k, mentor, score, count)
        return end - begin

    done = 0
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(block, range(0, len(order), _BLOCK)):
            done += part
            tell(done / len(order))
    return Graph(mentor, score, count)


def _missed(
    people: Population,
    reach: I32,
    price: I32,
    floor: I32,
    k: int,
    threads: int,
    tell: Callable[[float], None],
) -> Graph:
    """Each mentee's best mentors above a floor, none of whom is a candidate; see :mod:`pricing`."""
    full, part, cheap = plan(people, reach, price, floor)
    share = len(full) / max(1, len(full) + len(part))
    found = look(people, price, floor, k, threads, full, lambda done: tell(done * share))
    if len(part):
        some = only(people, cheap)
        more = look(
            some, price[cheap], floor, k, threads, part, lambda done: tell(share + done * (1 - share))
        )
        found.mentor[part], found.score[part] = cheap[more.mentor[part]], more.score[part]
        found.count[part] = more.count[part]
    return found


@compiled
def _held_rows(mentor: Any, score: Any, count: Any, bonus: Any, price: Any, held: Any) -> None:
    for i in range(len(count)):
        best = np.int64(0)
        for a in range(count[i]):
            best = max(best, score[i, a] + bonus[i] - price[mentor[i, a]])
        held[i] = best


def _held(graph: Graph, bonus: I64, price: I32) -> I64:
    """[mentees] the best that the candidates give at these prices, at least 0."""
    held = np.zeros(len(bonus), np.int64)
    _held_rows(graph.mentor, graph.score, graph.count, bonus, price, held)
    return held


@compiled
def _best_of(found_mentor: Any, found_score: Any, count: Any, bonus: Any, price: Any, profit: Any) -> None:
    for i in range(len(count)):
        for a in range(count[i]):
            profit[i] = max(profit[i], found_score[i, a] + bonus[i] - price[found_mentor[i, a]])


@compiled
def _scores(mentor: Any, score: Any, count: Any, chosen: Any, out: Any) -> None:
    for i in range(len(chosen)):
        out[i] = 0
        for a in range(count[i]):
            if mentor[i, a] == chosen[i]:
                out[i] = score[i, a]
                break


def _measure(
    people: Population,
    graph: Graph,
    solved: Assignment,
    price: I32,
    held: I64,
    found: Graph,
    number: int,
    ceiling: int,
) -> Found:
    profit = held.copy()
    _best_of(found.mentor, found.score, found.count, people.bonus, price, profit)
    scores = np.zeros(len(held), np.int32)
    _scores(graph.mentor, graph.score, graph.count, solved.mentor, scores)
    matched = solved.mentor >= 0
    value = int(scores.sum(dtype=np.int64))
    dual = int(profit.sum()) + int((price.astype(np.int64) * people.capacity).sum())
    return Found(
        mentor=solved.mentor,
        score=scores,
        price=price,
        profit=profit,
        value=value,
        bound=min(dual, ceiling) - int(people.bonus[matched].sum()),
        rounds=number,
        exhausted=False,
        exact_on_candidates=solved.exact,
        graph=_NO_GRAPH,
    )


def _join(graph: Graph, found: Graph) -> Graph:
    """Both graphs' candidates. What was found lies above what was held, so that none is in both."""
    width = int((graph.count + found.count).max())
    mentees = len(graph.count)
    mentor = np.zeros((mentees, width), np.int32)
    score = np.zeros((mentees, width), np.int32)
    count = np.zeros(mentees, np.int32)
    _join_rows(*graph, *found, mentor, score, count)
    return Graph(mentor, score, count)


@compiled
def _join_rows(
    m1: Any, s1: Any, c1: Any, m2: Any, s2: Any, c2: Any, mentor: Any, score: Any, count: Any
) -> None:
    for i in range(len(c1)):
        n = 0
        for a in range(c1[i]):
            mentor[i, n], score[i, n] = m1[i, a], s1[i, a]
            n += 1
        for a in range(c2[i]):
            mentor[i, n], score[i, n] = m2[i, a], s2[i, a]
            n += 1
        count[i] = n
