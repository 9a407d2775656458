"""How a programme matches: rules, weights and aims. What is left out follows the engine's own default."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Rounds(StrEnum):
    """Who lets pairs be proposed."""

    AUTOMATIC = "automatic"
    """Rounds run by themselves, some time after somebody has come."""
    SUPERVISED = "supervised"
    """Nobody is proposed by itself: pairs come only from runs that a coordinator has published."""


class Objective(StrEnum):
    """What a run makes as large as possible."""

    VALUE = "value"
    """The sum of scores."""
    PEOPLE = "people"
    """The number of people matched; among equals, the sum of scores."""


Points = Annotated[int, Field(ge=0, le=1_000_000)]
LevelsApart = Annotated[int, Field(ge=-20, le=20)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class MatchingRules(_Part):
    """Hard rules beside the programme's own ``minimum_level_gap`` and ``same_department_allowed``."""

    maximum_level_gap: Annotated[int, Field(ge=0, le=20)] | None = None
    """By how many job levels a mentor may be above the mentee at most."""
    same_team_allowed: bool | None = None
    """Whether the two may be of one team (of one department)."""
    reporting_line: bool | None = None
    """Whether one who manages the other, directly or through others, is excluded."""
    reporting_line_levels: Annotated[int, Field(ge=1, le=100)] | None = None
    """Up to how many levels apart that counts; absent for any depth."""
    common_language: bool | None = None
    """Whether the two must have a language in common."""
    minimum_overlap_minutes: Annotated[int, Field(ge=0, le=480)] | None = None
    """How much of their working hours must coincide."""


class MatchingWeights(_Part):
    """Points of each factor; a score is their sum. What somebody does not tell gives no points."""

    skill: Points | None = None
    """For each point of weight times strength of a skill wanted and offered."""
    skills_most: Points | None = None
    """What skills give together at most."""
    goal_term: Points | None = None
    """For a word that both goals contain, for each halving of the share of mentors who use it."""
    goals_most: Points | None = None
    """What goals give together at most."""
    interest: Points | None = None
    """For each interest in common."""
    interests_most: Points | None = None
    """What interests give together at most."""
    preference: Points | None = None
    """For each wish of the mentee that the mentor meets."""
    preferences_most: Points | None = None
    """What wishes give together at most."""
    working_style: Points | None = None
    """For the same working style."""
    experience: Points | None = None
    """At the best distance in job levels."""
    experience_best: Annotated[list[LevelsApart], Field(min_length=2, max_length=2)] | None = None
    """The best distance: from so many levels to so many."""
    experience_fall: Points | None = None
    """So much less for each level away from the best distance."""
    same_office: Points | None = None
    """For one place of work."""
    overlap: Points | None = None
    """When all working hours coincide; in proportion otherwise."""
    first_choice: Points | None = None
    """For somebody's first choice."""
    choice_fall: Points | None = None
    """So much less for each following choice."""
    history: Points | None = None
    """For each earlier relationship that the mentor has led to its goal."""
    history_most: Points | None = None
    """What history gives at most."""


class MatchingSettings(_Part):
    """What a programme decides about its matching."""

    rules: MatchingRules = Field(default_factory=MatchingRules)
    """Hard rules: a pair that breaks one is never made."""
    weights: MatchingWeights = Field(default_factory=MatchingWeights)
    """Points of each factor."""
    objective: Objective | None = None
    """What is made as large as possible."""
    tolerance: Annotated[float, Field(ge=0, le=0.1, allow_inf_nan=False)] | None = None
    """At which proven distance from the optimum, as a share of the value, a run is content."""
    fairness_loss: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] | None = None
    """What share of the value may be given up to raise those with the lowest scores."""
    at_once: bool | None = None
    """Whether somebody who comes or changes between two rounds is matched at once with those who have room then,
    instead of waiting for the next round; absent for no. Among many who come together, a round finds better pairs."""

    def decided(self) -> dict[str, Any]:
        """What is not left to the engine, as plain values."""
        plain: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        return {name: value for name, value in plain.items() if value != {}}


def contradictions(minimum_level_gap: int, decided: Mapping[str, Any]) -> list[str]:
    """What in a programme's matching excludes itself, as sentences. *decided*: see :meth:`MatchingSettings.decided`."""
    rules, weights = decided.get("rules", {}), decided.get("weights", {})
    problems = []
    highest = rules.get("maximum_level_gap")
    if highest is not None and highest < minimum_level_gap:
        problems.append(
            f"The level gap is at least {minimum_level_gap} and at most {highest}: no pair could be made."
        )
    if rules.get("reporting_line") is False and "reporting_line_levels" in rules:
        problems.append("The rule of reporting lines is off, so it cannot reach up to some level.")
    best = weights.get("experience_best")
    if best is not None and best[0] > best[1]:
        problems.append("The best distance in levels begins above its end.")
    return problems


__all__ = [
    "MatchingRules",
    "MatchingSettings",
    "MatchingWeights",
    "Objective",
    "Rounds",
    "contradictions",
]
