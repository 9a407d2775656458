"""A programme's matching: what an event without it means, what excludes itself, and what is out of bounds."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.matching import MatchingSettings, Rounds, contradictions
from shared.contracts.people import EnrolmentChanged, ProgrammeChanged
from tests.contract.golden import sample

PROGRAMME = sample("mentoring.programme.changed.v1")["data"]
ENROLMENT = sample("mentoring.enrolment.changed.v1")["data"]
NEW_IN_A_PROGRAMME = ("rounds", "matching", "configuration_version")
NEW_IN_AN_ENROLMENT = ("choices", "avoid", "preferences", "paused")


def without(data: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def test_a_programme_from_before_matches_by_itself_with_the_engines_defaults() -> None:
    programme = ProgrammeChanged.model_validate(without(PROGRAMME, NEW_IN_A_PROGRAMME))
    assert (programme.rounds, programme.configuration_version) == (Rounds.AUTOMATIC, 1)
    assert programme.matching.decided() == {}


def test_an_enrolment_from_before_wishes_for_nothing() -> None:
    enrolment = EnrolmentChanged.model_validate(without(ENROLMENT, NEW_IN_AN_ENROLMENT))
    assert (enrolment.choices, enrolment.avoid, enrolment.preferences, enrolment.paused) == (
        [],
        [],
        [],
        False,
    )


def test_what_is_decided_is_what_was_said() -> None:
    assert ProgrammeChanged.model_validate(PROGRAMME).matching.decided() == PROGRAMME["matching"]
    said = {"objective": "value", "weights": {"same_office": 0}}
    assert MatchingSettings.model_validate({**said, "rules": {"same_team_allowed": None}}).decided() == said


@pytest.mark.parametrize(
    ("matching", "words"),
    [
        ({"rules": {"maximum_level_gap": 0}}, "no pair could be made"),
        ({"rules": {"reporting_line": False, "reporting_line_levels": 2}}, "is off"),
        ({"weights": {"experience_best": [3, 2]}}, "begins above its end"),
        ({"form": "flash"}, "flash is not offered"),
        ({"form": "peer", "at_once": True}, "wait together"),
        ({"form": "peer", "method": "mentor-proposing"}, "stable methods"),
        ({"form": "peer", "fairness_loss": 0.1}, "fairness stage"),
        ({"form": "group", "at_once": True}, "wait together"),
        ({"form": "group", "group_size": 3, "smallest_group": 4}, "no group could be made"),
        ({"method": "mentee-proposing", "fairness_loss": 0.1}, "fairness stage"),
    ],
)
def test_what_excludes_itself_is_refused(matching: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ProgrammeChanged.model_validate({**PROGRAMME, "matching": matching})
    (sentence,) = contradictions(1, matching)
    assert words in sentence


@pytest.mark.parametrize(
    "matching",
    [
        {"weights": {"skill": -1}},
        {"weights": {"skill": 1_000_001}},
        {"weights": {"skill": float("nan")}},
        {"weights": {"experience_best": [1, 2, 3]}},
        {"weights": {"experience_best": [1, 21]}},
        {"rules": {"minimum_overlap_minutes": 481}},
        {"rules": {"reporting_line_levels": 0}},
        {"objective": "fun"},
        {"tolerance": float("nan")},
        {"tolerance": float("inf")},
        {"fairness_loss": 0.51},
    ],
)
def test_what_is_out_of_bounds_is_refused(matching: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProgrammeChanged.model_validate({**PROGRAMME, "matching": matching})


@pytest.mark.parametrize(
    "wishes",
    [
        {"choices": [f"p{number}" for number in range(11)]},
        {"avoid": [f"p{number}" for number in range(101)]},
        {"avoid": ["somebody@acme.example"]},
        {"preferences": [""]},
        {"preferences": [str(number) for number in range(11)]},
    ],
)
def test_wishes_have_bounds(wishes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EnrolmentChanged.model_validate({**ENROLMENT, **wishes})
