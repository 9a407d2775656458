"""The second stage, which raises those with the lowest scores, and the numbers that show how fair a run is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, I64, Population
from services.matching.engine.assignment import Graph, assign

SMALLEST_GROUP: Final = 5
"""Groups with fewer people are never shown."""


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


def gini(loads: I64) -> float:
    """How unevenly something is spread: 0 when all have the same, towards 1 when one has all."""
    ordered = np.sort(loads)
    total = int(ordered.sum())
    count = len(ordered)
    if total == 0:
        return 0.0
    ranks = np.arange(1, count + 1)
    return float((2 * int((ranks * ordered).sum()) - (count + 1) * total) / (count * total))


@dataclass(frozen=True, slots=True)
class GroupScore:
    """A group's mean score and share matched; None where the group, or what it could be told from, is too small."""

    group: str
    people: int | None
    matched: float | None
    mean_score: float | None


def by_group(groups: Sequence[str], scores: Mapping[int, int]) -> tuple[GroupScore, ...]:
    """*groups* of all mentees by number; *scores* of those matched. When one group only would be hidden, the next
    smallest is hidden too: otherwise it could be told from the total."""
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    by_size = sorted(members, key=lambda group: (len(members[group]), group))
    hidden = [group for group in by_size if len(members[group]) < SMALLEST_GROUP]
    if len(hidden) == 1 and len(by_size) > 1:
        hidden.append(next(group for group in by_size if group not in hidden))
    shown = []
    for group in sorted(members):
        numbers = members[group]
        got = [scores[number] for number in numbers if number in scores]
        # A share of all or nothing, or of very few, would tell of single people.
        if group in hidden:
            shown.append(GroupScore(group, None, None, None))
        else:
            mean = sum(got) / len(got) if len(got) >= SMALLEST_GROUP else None
            shown.append(GroupScore(group, len(numbers), len(got) / len(numbers), mean))
    return tuple(shown)
