"""What a run is told: hard rules, weights, objective and limits; versioned, checked, and part of its hash."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from hashlib import sha256
from json import dumps
from typing import Any, Final

HIGHEST_POINTS: Final = 1_000_000
"""No single factor may give more; their sum stays far inside 32 bits."""
TERMS: Final = "terms"
"""The embedder that needs no vectors: goals in words are compared by the terms that both use."""
_LATER: Final = ("form", "method", "embedder", "embedder_floor", "meetings", "group_size", "smallest_group")
_LATER_RULES: Final = ("peer_level_gap",)
_LATER_WEIGHTS: Final = ("coherence", "coherence_most")


class InvalidConfiguration(ValueError):
    """The configuration contradicts itself or leaves its bounds; ``problems`` are sentences."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Objective(StrEnum):
    """What is as large as possible."""

    VALUE = "value"
    """The sum of scores; who gains nothing from any free mentor stays unmatched."""
    PEOPLE = "people"
    """The number of people matched, and among equals the sum of scores."""


class Form(StrEnum):
    """Who meets whom."""

    ONE_TO_ONE = "one-to-one"
    """Each mentee gets one mentor, each mentor as many mentees as there is room."""
    REVERSE = "reverse"
    """The same with levels turned round: the mentor stands below the mentee."""
    FLASH = "flash"
    """Single meetings: each mentee gets up to ``meetings`` different mentors."""
    PEER = "peer"
    """One pool: pairs of people who are about equal. Each gets one peer."""
    GROUP = "group"
    """One mentor, several mentees who have something in common."""


class Method(StrEnum):
    """How pairs are chosen."""

    OPTIMAL = "optimal"
    """By the objective, with a certificate."""
    MENTOR_PROPOSING = "mentor-proposing"
    """Stable; among stable ones the best for every mentor."""
    MENTEE_PROPOSING = "mentee-proposing"
    """Stable; among stable ones the best for every mentee."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Hard rules: a pair that breaks one is never made, whatever its score."""

    minimum_level_gap: int | None = 1
    """By how many levels a mentor must be above the mentee (in the form ``reverse``: below); None for no such rule.
    Unknown levels pass."""
    maximum_level_gap: int | None = None
    """By how many levels at most."""
    same_department_allowed: bool = True
    same_team_allowed: bool = True
    """A team is one team only within one department."""
    reporting_line: bool = True
    """Whether a manager, or a manager's manager and so on, may not be a pair with whom they manage."""
    reporting_line_levels: int | None = None
    """Up to how many levels apart; None for any depth."""
    common_language: bool = True
    minimum_overlap_minutes: int = 0
    """How much of their working hours must coincide, 0 to 480."""
    peer_level_gap: int | None = 1
    """Between peers, in place of the two rules over level gaps: by how many levels they differ at most."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Points of each factor, never negative. What is not known gives none, so silence never pays."""

    skill: int = 600
    """For each point of weight (1 to 5) times strength (1 to 5) of a skill wanted and offered."""
    skills_most: int = 45_000
    goal_term: int = 600
    """For a word stem that both goals contain, for each halving of the share of mentors who use it."""
    goals_most: int = 20_000
    interest: int = 2_000
    interests_most: int = 8_000
    preference: int = 4_000
    """For each wish of the mentee that the mentor meets by something they chose to show."""
    preferences_most: int = 8_000
    working_style: int = 5_000
    experience: int = 7_000
    """At the best distance in levels."""
    experience_best: tuple[int, int] = (2, 3)
    experience_fall: int = 1_500
    """For each level away from it."""
    same_office: int = 3_000
    overlap: int = 7_000
    """When all working hours coincide; in proportion otherwise."""
    first_choice: int = 15_000
    """For somebody's first choice; each following one gives ``choice_fall`` less."""
    choice_fall: int = 2_500
    history: int = 1_000
    """For each relationship that the mentor has led to its goal."""
    history_most: int = 3_000
    coherence: int = 1_000
    """In groups, for each skill that two mentees both want and each interest that they share."""
    coherence_most: int = 6_000
    """Between two mentees; each mentee counts the mean over the other places of the group."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything a run depends on besides the people."""

    version: str = "1"
    seed: str = "0"
    """Breaks ties, so that no order of arrival does."""
    rules: Rules = field(default_factory=Rules)
    weights: Weights = field(default_factory=Weights)
    objective: Objective = Objective.PEOPLE
    tolerance: float = 0.0001
    """The certified gap, as a share of the value, at which a run is content."""
    candidates: int = 32
    """Mentors kept for each mentee in each round."""
    rounds: int = 8
    """How often the solution is priced against all pairs and repaired, at most."""
    fairness_loss: float = 0.0
    """Share of the value that may be given up to raise those with the lowest scores; 0 leaves that stage out."""
    form: Form = Form.ONE_TO_ONE
    method: Method = Method.OPTIMAL
    """The stable ones are for the forms ``one-to-one`` and ``reverse``."""
    embedder: str = TERMS
    """How goals are compared: ``terms`` in common, ``letters`` in common, or an embedder that the caller gives."""
    embedder_floor: int = 30
    """With vectors: how alike goals must be, in percent, before they give points; at 100 they give all."""
    meetings: int = 3
    """Flash: how many mentors each mentee meets at most."""
    group_size: int = 6
    """Group: how many mentees a group has at most; a mentor leads one group and has no more room than ``free``."""
    smallest_group: int = 2
    """Group: with fewer mentees a group is not made."""

    def check(self) -> None:
        """Raise :class:`InvalidConfiguration` with everything that is wrong."""
        problems = [*_bad_rules(self.rules), *_bad_weights(self.weights)]
        if not isinstance(self.version, str) or not isinstance(self.seed, str):
            problems.append("Version and seed are texts.")
        if not _share(self.tolerance):
            problems.append("The tolerance must be at least 0 and below 1.")
        if not _whole(self.candidates) or not 1 <= self.candidates <= 512:
            problems.append("There must be 1 to 512 candidates for each mentee.")
        if not _whole(self.rounds) or not 1 <= self.rounds <= 100:
            problems.append("There must be 1 to 100 rounds.")
        if not _share(self.fairness_loss):
            problems.append("The fairness loss must be at least 0 and below 1.")
        problems += _bad_form(self)
        if problems:
            raise InvalidConfiguration(problems)

    def fingerprint(self) -> str:
        """SHA-256 over the content, the same on every machine. Settings that came with a later version of the engine
        count only when they are not as before, so that an older configuration keeps its fingerprint."""
        content = asdict(self)
        for part, kind, names in (
            (content, Configuration, _LATER),
            (content["rules"], Rules, _LATER_RULES),
            (content["weights"], Weights, _LATER_WEIGHTS),
        ):
            usual = asdict(kind())
            for name in names:
                if part[name] == usual[name]:
                    del part[name]
        return sha256(dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Configuration":
        """From plain values, as ``asdict`` gives them. Unknown names are refused, not passed over."""
        plain = dict(values)
        problems: list[str] = []
        rules = _read(Rules, plain.pop("rules", {}), "rules", problems)
        weights = _read(Weights, plain.pop("weights", {}), "weights", problems)
        for name, kind in (("objective", Objective), ("form", Form), ("method", Method)):
            if name in plain:
                plain[name] = _one_of(kind, plain[name], name, problems)
        known = {f.name for f in fields(cls)}
        problems += [f"There is no setting {name!r}." for name in sorted(plain.keys() - known)]
        if problems:
            raise InvalidConfiguration(problems)
        made = cls(rules=rules, weights=weights, **plain)
        made.check()
        return made


def _one_of(kind: type[StrEnum], value: Any, name: str, problems: list[str]) -> StrEnum | None:
    try:
        return kind(value)
    except ValueError:
        problems.append(f"The {name} is one of {', '.join(kind)}.")
        return None


def _read(kind: Any, values: Any, name: str, problems: list[str]) -> Any:
    if not isinstance(values, Mapping):
        problems.append(f"{name} must be an object.")
        return kind()
    known = {f.name for f in fields(kind)}
    problems += [f"There is no {name} setting {key!r}." for key in sorted(values.keys() - known)]
    plain = {key: value for key, value in values.items() if key in known}
    if isinstance(plain.get("experience_best"), list):
        plain["experience_best"] = tuple(plain["experience_best"])
    return kind(**plain)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


_BETWEEN: Final = (
    ("embedder_floor", 0, 99),
    ("meetings", 1, 20),
    ("group_size", 2, 50),
    ("smallest_group", 1, 50),
)


def _bad_form(made: Configuration) -> list[str]:
    problems = []
    for name, kind in (("objective", Objective), ("form", Form), ("method", Method)):
        if not isinstance(getattr(made, name), kind):
            problems.append(f"The {name} is one of {', '.join(kind)}.")
    for name, least, most in _BETWEEN:
        value = getattr(made, name)
        if not _whole(value) or not least <= value <= most:
            problems.append(f"{name} must be a whole number from {least} to {most}.")
    if not isinstance(made.embedder, str) or not made.embedder:
        problems.append("The embedder is a name.")
    if problems:
        return problems
    single = made.form in (Form.ONE_TO_ONE, Form.REVERSE)
    if made.method is not Method.OPTIMAL and not single:
        problems.append("The stable methods are for the forms one-to-one and reverse.")
    if made.fairness_loss and (made.method is not Method.OPTIMAL or not single):
        problems.append("The fairness stage is for the optimal method of the forms one-to-one and reverse.")
    if made.form is Form.FLASH and _whole(made.candidates) and made.meetings > made.candidates:
        problems.append("There must be as many candidates as meetings.")
    if made.form is Form.GROUP and made.smallest_group > made.group_size:
        problems.append("The smallest group is larger than the largest: no group could be made.")
    return problems


def _bad_rules(rules: Rules) -> list[str]:
    problems = []
    for name in ("same_department_allowed", "same_team_allowed", "reporting_line", "common_language"):
        if not isinstance(getattr(rules, name), bool):
            problems.append(f"rules.{name} is true or false.")
    for name in ("minimum_level_gap", "maximum_level_gap", "reporting_line_levels", "peer_level_gap"):
        value = getattr(rules, name)
        if value is not None and (not _whole(value) or not -100 <= value <= 100):
            problems.append(f"rules.{name} must be a whole number or nothing.")
            return problems
    if rules.reporting_line_levels is not None and rules.reporting_line_levels < 1:
        problems.append("A reporting line has at least one level; switch the rule off instead.")
    if rules.peer_level_gap is not None and rules.peer_level_gap < 0:
        problems.append("Peers differ by no level or more.")
    low, high = rules.minimum_level_gap, rules.maximum_level_gap
    if low is not None and high is not None and low > high:
        problems.append("The minimum level gap is above the maximum: no pair could be made.")
    if not _whole(rules.minimum_overlap_minutes) or not 0 <= rules.minimum_overlap_minutes <= 480:
        problems.append("The overlap of working hours is 0 to 480 minutes.")
    return problems


def _bad_weights(weights: Weights) -> list[str]:
    problems = []
    for one in fields(weights):
        value = getattr(weights, one.name)
        if one.name == "experience_best":
            levels = isinstance(value, tuple) and len(value) == 2 and all(_whole(v) for v in value)
            if not levels or value[0] > value[1]:
                problems.append("weights.experience_best is a pair of levels, the lower first.")
        elif not _whole(value) or not 0 <= value <= HIGHEST_POINTS:
            problems.append(f"weights.{one.name} must be a whole number from 0 to {HIGHEST_POINTS:,}.")
    return problems
