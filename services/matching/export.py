"""Everything that *matching* holds about one person."""

from typing import Any

from services.matching.store import (
    DEPARTURE,
    ENROLMENT,
    MENTEE,
    MENTOR_LOAD,
    PERSON,
    PROPOSAL,
    RELATIONSHIP,
)
from shared.persistence.export import as_values, document, rows_about
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

_BOTH = ("mentor_id", "mentee_id")


async def export(uow: Uow, person_id: str) -> dict[str, Any]:
    """Rows by table. Of a partner there is the id only."""
    return document(
        uow,
        person_id,
        {
            "person": as_values(await rows_about(uow, PERSON, person_id, "person_id")),
            "enrolment": as_values(await rows_about(uow, ENROLMENT, person_id, "person_id")),
            "departure": as_values(await rows_about(uow, DEPARTURE, person_id, "person_id")),
            "proposal": as_values(await rows_about(uow, PROPOSAL, person_id, *_BOTH)),
            "relationship": as_values(await rows_about(uow, RELATIONSHIP, person_id, *_BOTH)),
            "mentor_load": as_values(await rows_about(uow, MENTOR_LOAD, person_id, "person_id")),
            "mentee": as_values(await rows_about(uow, MENTEE, person_id, "person_id")),
            "erasure_receipt": as_values(await rows_about(uow, RECEIPT, person_id, "person_id")),
        },
        withheld=[],
    )
