"""What a run's report shows, as plain values: how good, how proven, how fair. Standard library only.

``dataclasses.asdict`` gives numbers, texts, lists and nothing else, so that a figure survives JSON unchanged. No
seconds are among them: the same input gives the same figures.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

SMALLEST_GROUP: Final = 5
"""Groups with fewer people are never shown."""
WORST_SHARE: Final = 0.05
_MOST_WORST: Final = 50
_BARS: Final = 20


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram of whole numbers: bar n counts what is at least ``edges[n]`` and below ``edges[n + 1]``."""

    edges: list[int]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Proof:
    """The certificate in plain values; see :class:`Certificate`."""

    value: int
    bound: int
    gap: float
    tolerance: float
    within_tolerance: bool
    matched: int
    matched_at_most: int
    rounds: int
    covers: str


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair and its points."""

    mentee_id: str
    mentor_id: str
    score: int


@dataclass(frozen=True, slots=True)
class Worst:
    """The pairs with the lowest scores."""

    share: float
    """Of all pairs, rounded up to whole pairs."""
    pairs: int
    highest: int
    """The highest score among them; 0 without pairs."""
    mean: float
    lowest: list[ScoredPair]
    """The first 50, the lowest first. Ids: for coordinators only."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How many mentors, full ones included, the rules leave to each mentee; from a sample drawn by the seed."""

    sampled: int
    none: int
    """Of the sample, how many may have no mentor at all."""
    median: int
    bars: Bars


@dataclass(frozen=True, slots=True)
class Load:
    """How mentees are spread over mentors who had room."""

    mentors: int
    places: int
    """All room there was."""
    used: int
    mentors_by_mentees: list[int]
    """Number n: mentors who got n mentees."""
    gini: float
    """0 when all got the same, towards 1 when one got all."""


@dataclass(frozen=True, slots=True)
class GroupScore:
    """A group's mean score and share matched; None where the group, or what it could be told from, is too small."""

    group: str
    people: int | None
    matched: float | None
    mean_score: float | None


@dataclass(frozen=True, slots=True)
class Stability:
    """How stable the pairs are, and what that costs."""

    blocking_pairs: int
    """Candidate pairs who would both rather have each other than what they have."""
    optimum: int
    """Value of the optimal method's pairs."""
    optimum_blocking_pairs: int
    value_lost: int
    """Below that optimum; below nothing only when fewer people are matched."""
    people_lost: int


@dataclass(frozen=True, slots=True)
class Raise:
    """What the fairness stage did."""

    lowest_before: int
    lowest_after: int
    value_given_up: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that the report of a run shows."""

    form: str
    method: str
    configuration: str
    """The configuration's fingerprint."""
    mentees: int
    mentors: int
    pairs: int
    proof: Proof
    mean_score: float
    scores: Bars
    worst: Worst
    choice: Choice
    load: Load
    unmatched: dict[str, int]
    """People without a pair by reason (:class:`Why`)."""
    forbidden: dict[str, int]
    """For people whom rules leave nobody: the pairs that each rule forbids, by the first rule that does."""
    by_group: list[GroupScore]
    """Empty when nobody has a group."""
    circles: int
    """Groups of people who report to each other in a circle, an error in HR's data."""
    stability: Stability | None
    """For the forms one-to-one and reverse."""
    fairness: Raise | None
    """When that stage was asked for."""

    def plain(self) -> dict[str, Any]:
        """Numbers, texts, lists and objects only."""
        return asdict(self)


def bars_of(values: Sequence[int]) -> Bars:
    """At most 20 bars of one width, a 1, 2 or 5 with zeros, that begin at a multiple of it."""
    if not values:
        return Bars([], [])
    low, high = min(values), max(values)
    width = _width(high - low + 1)
    first = low // width
    counts = [0] * (high // width - first + 1)
    for value in values:
        counts[value // width - first] += 1
    return Bars([(first + n) * width for n in range(len(counts) + 1)], counts)


def _width(span: int) -> int:
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power * (_BARS - 1) >= span:
                return step * power
        power *= 10


def worst_of(pairs: Sequence[ScoredPair]) -> Worst:
    """The lowest 5 % of *pairs*."""
    count = -(-len(pairs) // round(1 / WORST_SHARE))
    lowest = sorted(pairs, key=lambda pair: (pair.score, pair.mentee_id, pair.mentor_id))[:count]
    total = sum(pair.score for pair in lowest)
    return Worst(
        share=WORST_SHARE,
        pairs=count,
        highest=lowest[-1].score if lowest else 0,
        mean=total / count if count else 0.0,
        lowest=lowest[:_MOST_WORST],
    )


def load_of(room: Mapping[str, int], mentees: Mapping[str, int]) -> Load:
    """*room* before the run and *mentees* given by it, by mentor."""
    loads = [mentees.get(mentor_id, 0) for mentor_id, free in room.items() if free > 0]
    count = Counter(loads)
    return Load(
        mentors=len(loads),
        places=sum(room.values()),
        used=sum(loads),
        mentors_by_mentees=[count[n] for n in range(max(loads, default=-1) + 1)],
        gini=gini(loads),
    )


def choice_of(allowed: Sequence[int]) -> Choice:
    """*allowed* mentors of each mentee in the sample."""
    ordered = sorted(allowed)
    return Choice(
        sampled=len(ordered),
        none=ordered.count(0),
        median=ordered[len(ordered) // 2] if ordered else 0,
        bars=bars_of(ordered),
    )


def gini(loads: Sequence[int]) -> float:
    """How unevenly something is spread: 0 when all have the same, towards 1 when one has all."""
    total, count = sum(loads), len(loads)
    if total == 0:
        return 0.0
    ranked = sum(rank * load for rank, load in enumerate(sorted(loads), start=1))
    return (2 * ranked - (count + 1) * total) / (count * total)


def by_group(groups: Sequence[str], scores: Mapping[int, int]) -> tuple[GroupScore, ...]:
    """*groups* of all mentees by number; *scores* of those matched. With what is too small so much else is hidden,
    the smallest first, that nothing can be told from the total."""
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    got = {group: [scores[n] for n in numbers if n in scores] for group, numbers in members.items()}
    hidden = _hidden({group: len(numbers) for group, numbers in members.items()}, frozenset())
    silent = _hidden({group: len(values) for group, values in got.items() if values}, hidden)
    return tuple(
        GroupScore(
            group,
            None if group in hidden else len(members[group]),
            None if group in hidden else len(got[group]) / len(members[group]),
            None if group in silent or not got[group] else sum(got[group]) / len(got[group]),
        )
        for group in sorted(members)
    )


def _hidden(sizes: Mapping[str, int], already: frozenset[str]) -> frozenset[str]:
    """What is too small, and the next smallest until together they are two and large enough."""
    by_size = sorted(sizes, key=lambda group: (sizes[group], group))
    hidden = already | {group for group in by_size if sizes[group] < SMALLEST_GROUP}
    for group in by_size:
        total = sum(sizes.get(one, 0) for one in hidden)
        if total == 0 or (len(hidden) > 1 and total >= SMALLEST_GROUP):
            break
        hidden |= {group}
    return hidden
