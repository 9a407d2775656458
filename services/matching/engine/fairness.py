"""The second stage, which raises those with the lowest scores."""

from dataclasses import dataclass

import numpy as np

from services.matching.engine.arrays import I32, Population
from services.matching.engine.assignment import Graph, assign


@dataclass(frozen=True, slots=True)
class Raised:
    """What the second stage did."""

    mentor: I32
    """[mentees] or -1."""
    lowest_before: int
    lowest_after: int
    value: int


def raise_lowest(people: Population, graph: Graph, mentor: I32, score: I32, share_lost: float) -> Raised:
    """The assignment whose lowest score is as high as it can be, for at most that share of the value, with nobody
    fewer matched; among candidates *graph*. Found by halving: an assignment without the lowest pairs either exists
    or does not."""
    matched = mentor >= 0
    value = int(score[matched].sum(dtype=np.int64))
    if not matched.any():
        return Raised(mentor, 0, 0, value)
    reached = int(people.bonus[matched].sum())
    needed = value - int(value * share_lost)
    lowest = int(score[matched].min())
    best = Raised(mentor, lowest, lowest, value)
    levels = np.unique(graph.score[np.arange(graph.score.shape[1])[None, :] < graph.count[:, None]])
    low, high = int(np.searchsorted(levels, lowest)), len(levels) - 1
    while low < high:
        middle = (low + high + 1) // 2
        tried = assign(_at_least(graph, int(levels[middle])), people.capacity, people.bonus)
        got = tried.mentor >= 0
        scores = _scores_of(graph, tried.mentor)
        total = int(scores[got].sum(dtype=np.int64))
        if (
            int(people.bonus[got].sum()) >= reached
            and int(got.sum()) >= int(matched.sum())
            and total >= needed
        ):
            best = Raised(tried.mentor, lowest, int(scores[got].min()), total)
            low = middle
        else:
            high = middle - 1
    return best


def _at_least(graph: Graph, level: int) -> Graph:
    """The candidates with that score and more."""
    width = graph.score.shape[1]
    keep = (np.arange(width)[None, :] < graph.count[:, None]) & (graph.score >= level)
    order = np.argsort(~keep, axis=1, kind="stable")
    return Graph(
        np.take_along_axis(graph.mentor, order, 1),
        np.take_along_axis(graph.score, order, 1),
        keep.sum(axis=1).astype(np.int32),
    )


def _scores_of(graph: Graph, mentor: I32) -> I32:
    width = graph.score.shape[1]
    hit = (graph.mentor == mentor[:, None]) & (np.arange(width)[None, :] < graph.count[:, None])
    return np.where(hit, graph.score, 0).max(axis=1).astype(np.int32)
