"""One mentor for each mentee (one-to-one, reverse): optimal, with its lowest scores raised, or stable."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Graph
from services.matching.engine.configuration import Configuration, Method, Objective
from services.matching.engine.encode import Encoded
from services.matching.engine.fairness import raise_lowest
from services.matching.engine.figures import Raise, Stability
from services.matching.engine.outcome import Outcome
from services.matching.engine.reach import match_more
from services.matching.engine.result import Progress
from services.matching.engine.search import Found, search
from services.matching.engine.stable import (
    Preferences,
    blocking_pairs,
    mentees_propose,
    mentors_propose,
    preferences_of,
)
from services.matching.engine.together import factors_of_all

COVERS: Final = "All pairs that the rules allow, with these capacities and scores."
_PROPOSE: Final[dict[Method, Callable[[Graph, I64, Preferences], I32]]] = {
    Method.MENTEE_PROPOSING: mentees_propose,
    Method.MENTOR_PROPOSING: mentors_propose,
}


def solve(encoded: Encoded, configuration: Configuration, threads: int, progress: Progress) -> Outcome:
    """The pairs by the configuration's method."""
    people = encoded.people
    found = search(people, configuration, threads=threads, progress=progress)
    progress("exchanges", 0.0)
    mentor, added, proven = match_more(people, found.mentor)
    most = int((mentor >= 0).sum()) if proven or not people.capacity.any() else len(mentor)
    if configuration.objective is Objective.VALUE and added:
        mentor = found.mentor  # whoever gains nothing stays unmatched
    optimum = _outcome(people, found, mentor, most)
    score = _scores(people, mentor)
    graph = _with_pairs(found.graph, mentor, score)
    blocking = blocking_pairs(people, graph, mentor)
    if configuration.method is not Method.OPTIMAL:
        progress("proposals", 0.0)
        chosen = _PROPOSE[configuration.method](graph, people.capacity, preferences_of(people, graph))
        stability = Stability(
            blocking_pairs=blocking_pairs(people, graph, chosen),
            optimum=int(score.sum()),
            optimum_blocking_pairs=blocking,
            value_lost=int(score.sum()) - int(_scores(people, chosen).sum()),
            people_lost=int((mentor >= 0).sum()) - int((chosen >= 0).sum()),
        )
        return replace(
            _outcome(people, found, chosen, most),
            ceiling=_ceiling(people, found),
            covers=f"{COVERS} The pairs are stable among the candidates; the bound is what others could be worth.",
            stability=stability,
        )
    raised = None
    if configuration.fairness_loss:
        progress("fairness", 0.0)
        stage = raise_lowest(people, graph, mentor, score.astype(np.int32), configuration.fairness_loss)
        raised = Raise(stage.lowest_before, stage.lowest_after, int(score.sum()) - stage.value)
        optimum = _outcome(people, found, stage.mentor, most)
        blocking_now = blocking_pairs(people, graph, stage.mentor)
    else:
        blocking_now = blocking
    lost = 0 if raised is None else raised.value_given_up
    return replace(
        optimum, stability=Stability(blocking_now, int(score.sum()), blocking, lost, 0), raised=raised
    )


def _outcome(people: Population, found: Found, mentor: I32, most: int) -> Outcome:
    mentee = np.flatnonzero(mentor >= 0).astype(np.int32)
    return Outcome(
        mentee=mentee,
        mentor=mentor[mentee],
        bonus=int(people.bonus[mentee].sum()),
        dual=found.bound + int(people.bonus[found.mentor >= 0].sum()),
        matched_at_most=most,
        rounds=found.rounds,
        price=found.price,
        covers=COVERS,
    )


def _ceiling(people: Population, found: Found) -> int:
    """The bound without the bonus: nobody's best score less price is above their profit less bonus."""
    gains = np.maximum(0, found.profit - people.bonus)
    return int(gains.sum()) + int((found.price.astype(np.int64) * people.capacity).sum())


def _scores(people: Population, mentor: I32) -> I64:
    """[mentees], 0 for nobody."""
    scores = np.zeros(len(mentor), np.int64)
    matched = np.flatnonzero(mentor >= 0).astype(np.int32)
    scores[matched] = factors_of_all(people, matched, mentor[matched]).sum(axis=1)
    return scores


def _with_pairs(graph: Graph, mentor: I32, score: I64) -> Graph:
    """The candidates, and pairs that an exchange made of others."""
    within = np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]
    known = ((graph.mentor == mentor[:, None]) & within).any(axis=1)
    new = np.flatnonzero((mentor >= 0) & ~known)
    if not len(new):
        return graph
    none = np.zeros((len(mentor), 1), np.int32)
    wide = Graph(np.hstack([graph.mentor, none]), np.hstack([graph.score, none]), graph.count.copy())
    wide.mentor[new, graph.count[new]], wide.score[new, graph.count[new]] = mentor[new], score[new]
    wide.count[new] += 1
    return wide
