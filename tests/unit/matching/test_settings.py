"""What a programme can decide is what the engine can be told: the same names, and no bound beyond the engine's."""

from dataclasses import fields
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from services.matching import runs
from services.matching.domain.people import Programme, Rounds
from services.matching.engine import (
    Configuration,
    Form,
    InvalidConfiguration,
    Method,
    Objective,
    Rules,
    Weights,
)
from services.matching.engine.configuration import TERMS
from services.matching.engine.embedder import LETTERS
from services.matching.store import configuration_of
from shared.contracts import matching as contract

OF_THE_PROGRAMME = {"minimum_level_gap", "same_department_allowed"}
"""Settings that a programme had before it had a matching of its own."""
OF_THE_SERVICE = {"at_once"}
"""When rounds are, which the engine does not know."""
TECHNICAL = {"version", "seed", "candidates", "rounds"}
NOT_YET = {"meetings"}
"""What belongs to forms that the service does not offer."""


@pytest.mark.parametrize(
    ("contract_part", "engine_part"),
    [
        (contract.MatchingRules, Rules),
        (contract.MatchingWeights, Weights),
        (contract.MatchingSettings, Configuration),
    ],
)
def test_what_can_be_decided_has_the_engines_names(contract_part: type[BaseModel], engine_part: Any) -> None:
    decided, known = set(contract_part.model_fields), {each.name for each in fields(engine_part)}
    assert decided - OF_THE_SERVICE <= known
    assert known - decided <= OF_THE_PROGRAMME | TECHNICAL | NOT_YET


def test_words_are_the_engines() -> None:
    assert [*contract.Objective] == [*Objective]
    assert [*contract.Rounds] == [*Rounds]
    assert {*contract.Form} == {*Form}
    assert [*contract.Method] == [*Method]
    assert [*contract.Embedder] == [TERMS, LETTERS]


@pytest.mark.parametrize("form", contract.Form)
def test_a_form_is_offered_by_all_or_by_none(form: contract.Form) -> None:
    offered = form in contract.OFFERED_FORMS
    assert (not contract.contradictions(1, {"form": form})) == offered
    assert (Form(form) in runs.FORMS) == offered
    if offered:
        assert configuration_of(Programme("p", 1, True, matching={"form": form})).form is Form(form)


@pytest.mark.parametrize(
    "decided",
    [
        {"form": "group", "smallest_group": 7},
        {"form": "group", "group_size": 3, "smallest_group": 4},
        {"form": "group", "method": "mentee-proposing"},
        {"form": "group", "fairness_loss": 0.1},
        {"method": "mentor-proposing", "fairness_loss": 0.1},
        {"form": "peer", "method": "mentee-proposing"},
        {"form": "peer", "fairness_loss": 0.1},
    ],
)
def test_what_the_engine_would_refuse_is_refused_where_it_is_decided(decided: dict[str, Any]) -> None:
    assert contract.contradictions(1, decided)
    with pytest.raises(InvalidConfiguration):
        configuration_of(Programme("p", 1, True, matching=decided))


def test_what_is_left_out_is_the_engines_default() -> None:
    made = configuration_of(Programme("p", 1, True))
    assert made == Configuration(version="1", seed="p")


def test_what_is_decided_is_what_a_run_is_told() -> None:
    decided = {
        "rules": {"same_team_allowed": False},
        "weights": {"experience_best": [1, 4]},
        "objective": "value",
    }
    programme = Programme("p", 9, True, minimum_level_gap=2, matching=decided, configuration_version=7)
    made = configuration_of(programme)
    assert (made.version, made.objective, made.weights.experience_best) == ("7", Objective.VALUE, (1, 4))
    assert (made.rules.same_team_allowed, made.rules.minimum_level_gap) == (False, 2)
    assert made.fingerprint() != configuration_of(Programme("p", 9, True, minimum_level_gap=2)).fingerprint()


def extremes(model: type[BaseModel]) -> list[tuple[str, Any]]:
    """Each number of a part of the settings at both of its bounds."""
    found = []
    for name, part in model.model_json_schema()["properties"].items():
        for branch in part.get("anyOf", [part]):
            found += [(name, branch[bound]) for bound in ("minimum", "maximum") if bound in branch]
    return found


@pytest.mark.parametrize("part", ["rules", "weights", ""])
def test_the_engine_takes_every_bound(part: str) -> None:
    parts: dict[str, type[BaseModel]] = {
        "rules": contract.MatchingRules, "weights": contract.MatchingWeights, "": contract.MatchingSettings,
    }  # fmt: skip
    tried = extremes(parts[part])
    assert len(tried) >= 4
    for name, value in tried:
        decided = {part: {name: value}} if part else {name: value}
        read = contract.MatchingSettings.model_validate(decided).decided()
        configuration_of(Programme("p", 1, True, minimum_level_gap=0, matching=read)).check()
    levels = get_args(contract.LevelsApart)[1]
    for bound in (levels.metadata[0].ge, levels.metadata[1].le):
        decided = {"weights": {"experience_best": [bound, bound]}}
        configuration_of(Programme("p", 1, True, matching=decided)).check()
