"""What a report is made of: plain values, filled in by whoever knows the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.matching.engine.figures import Figures


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A mentee without a pair."""

    mentee_id: str
    why: str
    """As the engine's result says it: ``rules``, ``all-full`` and so on."""
    forbidden: Mapping[str, int] = field(default_factory=dict)
    """How many mentors each rule forbids."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another run of the same programme beside this one."""

    run: str
    configuration: str
    """Its version."""
    figures: Figures
    same_pairs: int
    other_mentor: int
    """Mentees who have somebody in both runs, but not the same."""
    only_here: int
    """Mentees who have somebody in this run only."""
    only_there: int


@dataclass(frozen=True, slots=True)
class Report:
    """One run, as its page shows it."""

    programme: str
    run: str
    state: str
    """``requested``, ``running``, ``ready``, ``published``, ``discarded`` or ``failed``."""
    requested_at: datetime | None
    configuration: str
    """The version, as people count it."""
    input_hash: str
    seed: str
    digest: str
    """Of pairs and prices; equal for equal input."""
    figures: Figures
    left_over: tuple[LeftOver, ...] = ()
    """Those without a pair, or the first of them."""
    compared: Comparison | None = None
