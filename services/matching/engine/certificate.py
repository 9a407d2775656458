"""How far from the best possible a set of pairs can be at most: proven, not estimated.

For any prices that are not negative, no set of pairs that keeps rules and capacities is worth more than the sum of
every mentee's best score less price (or nothing), plus every mentor's price times room (weak duality of the
assignment problem). The certificate is that bound, with the prices of the solution, over all allowed pairs.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a run proves."""

    value: int
    """Points of the pairs made."""
    bound: int
    """No set of pairs with as many people matched, in the same order of priority, is worth more."""
    matched: int
    matched_at_most: int
    """Nobody can match more people. Equal to ``matched`` when that number is proven."""
    rounds: int
    """How often the solution was priced against all pairs."""
    tolerance: float
    covers: str
    """What the bound speaks of, in a sentence."""

    @property
    def gap(self) -> float:
        """The share of the value by which the best possible could be above it."""
        return (self.bound - self.value) / self.value if self.value else 0.0 if self.bound <= 0 else 1.0

    @property
    def within_tolerance(self) -> bool:
        """Whether at most ``tolerance`` of the value is missing to the bound."""
        return self.bound - self.value <= self.tolerance * self.value
