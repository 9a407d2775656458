"""Which fields the published contract has for an employee, and whether a value fits."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from shared.contracts.hr import PersonRecorded
from shared.contracts.people import PersonChanged

PROFILE_FIELDS: Final = (
    "skills_offered",
    "skills_wanted",
    "interests",
    "goals",
    "working_style",
    "mentor_capacity",
)
"""What a person writes into the profile form, beside the languages that HR knows already."""

RECORD_FIELDS: Final = tuple(PersonRecorded.model_fields)
FIELDS: Final = (*(name for name in PersonRecorded.model_fields if name != "employee_id"), *PROFILE_FIELDS)
"""Every field of an employee but the key."""

REQUIRED: Final = tuple(
    name
    for name, field in PersonRecorded.model_fields.items()
    if field.is_required() and name != "employee_id"
)

_TYPES: Final[Mapping[str, TypeAdapter[Any]]] = {
    **{name: TypeAdapter(field.rebuild_annotation()) for name, field in PersonRecorded.model_fields.items()},
    **{name: TypeAdapter(PersonChanged.model_fields[name].rebuild_annotation()) for name in PROFILE_FIELDS},
}


def problem_with(field: str, value: object) -> str | None:
    """Why *value* cannot be the contract's *field*, in words; None when it can."""
    try:
        _TYPES[field].validate_python(value)
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)[0]["msg"]
    return None
