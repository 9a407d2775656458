"""Rows, forms and contract say the same: nothing published is forgotten, no bound is looser outside."""

from typing import Any

import pytest
from pydantic import BaseModel

from services.profiles.domain import people, programmes
from services.profiles.domain.consent import Purpose
from services.profiles.forms import ProfileForm, ProgrammeForm
from shared.contracts import people as contract


def test_the_public_state_is_what_the_contract_publishes() -> None:
    assert {*people.PUBLIC, "person_id", "matching_consent"} == contract.PersonChanged.model_fields.keys()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (people.PersonStatus, contract.PersonStatus),
        (programmes.Role, contract.Role),
        (programmes.EnrolmentStatus, contract.EnrolmentStatus),
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
    assert ProgrammeForm.model_fields.keys() == published - {"programme_id"}
