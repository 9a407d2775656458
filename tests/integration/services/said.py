"""What other services say, in few words."""

from typing import Any

from shared.contracts.people import (
    EnrolmentChanged,
    EnrolmentStatus,
    PersonChanged,
    PersonStatus,
    ProgrammeChanged,
    Role,
)


def person(name: str, *, level: int = 2, capacity: int = 1, **more: Any) -> PersonChanged:
    """Somebody who works there and agrees to be matched. The name is the id."""
    values: dict[str, Any] = {
        "person_id": name,
        "status": PersonStatus.ACTIVE,
        "given_name": name,
        "family_name": "Said",
        "email": f"{name}@said.example",
        "department": "Engineering",
        "job_level": level,
        "mentor_capacity": capacity,
        "matching_consent": True,
    }
    return PersonChanged(**(values | more))


def enrolment(name: str, programme_id: str, role: Role) -> EnrolmentChanged:
    return EnrolmentChanged(
        enrolment_id=f"{programme_id}.{role}.{name}",
        programme_id=programme_id,
        person_id=name,
        role=role,
        status=EnrolmentStatus.ACTIVE,
    )


def programme(programme_id: str, *coordinators: str, **more: Any) -> ProgrammeChanged:
    return ProgrammeChanged(
        programme_id=programme_id, name=programme_id, coordinator_ids=list(coordinators), **more
    )
