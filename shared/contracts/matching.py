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


class Form(StrEnum):
    """Who meets whom."""

    ONE_TO_ONE = "one-to-one"
    """A mentee has one mentor, a mentor as many mentees as there is room."""
    REVERSE = "reverse"
    """The same, and level gaps count from the mentor up to the mentee."""
    GROUP = "group"
    """A mentor leads one group of mentees who have something in common."""
    FLASH = "flash"
    """A mentee meets several mentors, once each. Not offered yet."""
    PEER = "peer"
    """One pool, one peer each. Everybody enrols as a mentee: a peer takes and gives."""


OFFERED_FORMS = (Form.ONE_TO_ONE, Form.REVERSE, Form.GROUP, Form.PEER)
"""Forms in which people are proposed to each other."""


class Method(StrEnum):
    """How pairs are chosen."""

    OPTIMAL = "optimal"
    """By the objective, with a proof of how good they are."""
    MENTOR_PROPOSING = "mentor-proposing"
    """Stable; among stable ones the best for every mentor."""
    MENTEE_PROPOSING = "mentee-proposing"
    """Stable; among stable ones the best for every mentee."""


class Embedder(StrEnum):
    """How goals in words are compared."""

    TERMS = "terms"
    """By the words that both use."""
    LETTERS = "letters"
    """By three letters in a row: also parts of words count."""


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
    peer_level_gap: Annotated[int, Field(ge=0, le=20)] | None = None
    """Form peer, in place of the two rules over level gaps: by how many job levels the two may differ at most."""


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
    coherence: Points | None = None
    """In groups: for each skill that two mentees both want, and each interest that they share."""
    coherence_most: Points | None = None
    """What two mentees of a group give each other at most."""


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
    form: Form | None = None
    """Who meets whom; absent for one mentor for one mentee."""
    method: Method | None = None
    """How pairs are chosen; the stable ones are for the forms one-to-one and reverse."""
    group_size: Annotated[int, Field(ge=2, le=50)] | None = None
    """Form group: how many mentees a group has at most; not more than the mentor has room for."""
    smallest_group: Annotated[int, Field(ge=1, le=50)] | None = None
    """Form group: with fewer mentees a group is not made."""
    embedder: Embedder | None = None
    """How goals in words are compared."""
    embedder_floor: Annotated[int, Field(ge=0, le=99)] | None = None
    """Embedder letters: how alike goals must be, in percent, before they give points."""
    at_once: bool | None = None
    """Whether somebody who comes or changes between two rounds is matched at once with those who have room then,
    instead of waiting for the next round; absent for no. Among many who come together, a round finds better pairs."""

    def decided(self) -> dict[str, Any]:
        """What is not left to the engine, as plain values."""
        plain: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        return {name: value for name, value in plain.items() if value != {}}


def is_offered(decided: Mapping[str, Any]) -> bool:
    """Whether people are proposed to each other in the form that is decided."""
    return decided.get("form", Form.ONE_TO_ONE) in OFFERED_FORMS


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
    return problems + _contradictory_form(decided)


def _contradictory_form(decided: Mapping[str, Any]) -> list[str]:
    form, stable = (
        decided.get("form", Form.ONE_TO_ONE),
        decided.get("method", Method.OPTIMAL) != Method.OPTIMAL,
    )
    if not is_offered(decided):
        return [f"The form {form} is not offered: {', '.join(OFFERED_FORMS)} are."]
    problems = []
    if form == Form.GROUP:
        if decided.get("smallest_group", 2) > decided.get("group_size", 6):
            problems.append("The smallest group is larger than the largest: no group could be made.")
        if decided.get("at_once"):
            problems.append("Groups are made of people who wait together, so nobody can be matched at once.")
    if form == Form.PEER and decided.get("at_once"):
        problems.append("Peers are found among those who wait together, so nobody can be matched at once.")
    two_sides = form not in (Form.GROUP, Form.PEER)
    if stable and not two_sides:
        problems.append("The stable methods are for the forms one-to-one and reverse.")
    if decided.get("fairness_loss") and (stable or not two_sides):
        problems.append("The fairness stage is for the optimal method of the forms one-to-one and reverse.")
    return problems


__all__ = [
    "OFFERED_FORMS",
    "Embedder",
    "Form",
    "MatchingRules",
    "MatchingSettings",
    "MatchingWeights",
    "Method",
    "Objective",
    "Rounds",
    "contradictions",
    "is_offered",
]
