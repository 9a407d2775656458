"""Rows, forms and contract say the same: nothing published is forgotten, no bound is looser outside."""

from dataclasses import fields
from typing import Any

import pytest
from pydantic import BaseModel

from services.profiles.domain import people, programmes
from services.profiles.domain.consent import Purpose
from services.profiles.forms import (
    EnrolmentView,
    MatchingForm,
    MatchingView,
    ProfileForm,
    ProgrammeForm,
    WishesForm,
    WishesView,
)
from shared.contracts import matching
from shared.contracts import people as contract


def test_the_public_state_is_what_the_contract_publishes() -> None:
    assert {*people.PUBLIC, "person_id", "matching_consent"} == contract.PersonChanged.model_fields.keys()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (people.PersonStatus, contract.PersonStatus),
        (programmes.Role, contract.Role),
        (programmes.EnrolmentStatus, contract.EnrolmentStatus),
        (programmes.Rounds, matching.Rounds),
    ],
)
def test_words_are_the_contracts(ours: Any, theirs: Any) -> None:
    assert [word.value for word in ours] == [word.value for word in theirs]


def test_matching_is_a_purpose() -> None:
    assert Purpose("matching") is Purpose.MATCHING


@pytest.mark.parametrize(
    ("form", "event", "but"),
    [
        (ProgrammeForm, contract.ProgrammeChanged, {"name", "coordinator_ids"}),
        (ProfileForm, contract.PersonChanged, {"languages"}),
        (WishesForm, contract.EnrolmentChanged, {"choices", "avoid", "preferences"}),
    ],
)
def test_forms_have_the_bounds_of_the_contract(
    form: type[BaseModel], event: type[BaseModel], but: set[str]
) -> None:
    for name, field in form.model_fields.items():
        published = event.model_fields[name]
        assert name in but or (field.annotation, repr(field.metadata), field.default) == (
            published.annotation, repr(published.metadata), published.default,
        ), name  # fmt: skip


def test_a_programme_can_be_configured_whole() -> None:
    published = contract.ProgrammeChanged.model_fields.keys()
    forms = ProgrammeForm.model_fields.keys() | {"matching", "rounds"}
    assert forms == published - {"programme_id", "configuration_version"}
    assert MatchingForm.model_fields.keys() == matching.MatchingSettings.model_fields.keys() | {"rounds"}
    assert MatchingView.model_fields.keys() == MatchingForm.model_fields.keys() | {"configuration_version"}


def test_all_wishes_can_be_told_and_read_again() -> None:
    told = {*WishesForm.model_fields}
    assert (
        told
        == {each.name for each in fields(programmes.Wishes)}
        == WishesView.model_fields.keys() - {"version"}
    )
    assert told <= contract.EnrolmentChanged.model_fields.keys()


def test_only_the_person_sees_the_lists() -> None:
    assert not EnrolmentView.model_fields.keys() & {"choices", "avoid", "preferences"}
