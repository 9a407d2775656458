"""What a run gives back. Standard library only: whoever reads a result needs no compiler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.matching.engine.certificate import Certificate
from services.matching.engine.factors import Factor, Rule
from services.matching.engine.figures import Figures

Progress = Callable[[str, float], None]
"""What is being done, and the share of it that is done (0 to 1). Called from the thread that runs the engine, some
hundred times for a large pool; with the same input in the same order. What it raises ends the run."""


class Why(StrEnum):
    """Why somebody has no mentor."""

    NOBODY = "nobody"
    """There is no mentor at all in the pool."""
    RULES = "rules"
    """Rules forbid every mentor; ``forbidden`` counts by which."""
    ALL_FULL = "all-full"
    """Mentors who would be allowed have no room in this run, or others have more from them."""
    NO_GROUP = "no-group"
    """Mentors who would be allowed have room, but no group that is large enough and may sit together."""
    NO_PLACE = "no-place"
    """They take no more relationships themselves."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who belong together. Between peers the one with the lower id stands as the mentee."""

    mentee_id: str
    mentor_id: str
    score: int
    """Points; comparable within one configuration version."""
    factors: Mapping[Factor, int]
    """The points' parts; they add up to the score. Factors that give nothing are left out."""
    reasons: tuple[str, ...]
    """For the two people themselves: at most five general sentences, nothing that one of them keeps private."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Somebody without a pair, and why."""

    mentee_id: str
    why: Why
    forbidden: Mapping[Rule, int]
    """How many mentors each rule forbids (the first that does, in the order of :class:`Rule`)."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found. Pairs and unmatched are in the order of mentees' ids."""

    pairs: tuple[Pair, ...]
    unmatched: tuple[Unmatched, ...]
    certificate: Certificate
    prices: Mapping[str, int]
    """Mentor to what a place with them costs in points; those with room left cost nothing and are left out."""
    circles: tuple[tuple[str, ...], ...]
    """People who report to each other in a circle by HR's data: to be told to whoever keeps that data."""
    digest: str
    """SHA-256 over pairs and prices: equal for equal input, on every machine."""
    figures: Figures
    """What the report shows."""
