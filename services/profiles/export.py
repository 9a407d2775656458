"""Everything that *profiles* holds about one person."""

from dataclasses import replace
from typing import Any, Final

from services.profiles.domain.people import Employment
from services.profiles.store import CONSENT, ENROLMENT, ERASURE, PERSON
from shared.persistence.export import as_values, document, rows_about
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

_LEAVING: Final = "person.employment, person.effective_on: a last day that is to come is HR's to tell."
_OTHERS: Final = "enrolment.choices and enrolment.avoid of others: whom they name is their own confidence."
_AVOID: Final = "enrolment.avoid: only the person may fetch it, with a token of their own."


async def export(uow: Uow, person_id: str, *, own: bool) -> dict[str, Any]:
    """Rows by table. *own*: the person asks; anybody else gets no avoid list.

    Whether somebody is about to leave is neither shown nor hinted at.
    """
    people = await rows_about(uow, PERSON, person_id, "person_id")
    shown = [
        replace(each, employment=Employment.EMPLOYED, effective_on=None)
        if each.employment is Employment.LEAVING
        else each
        for each in people
    ]
    return document(
        uow,
        person_id,
        {
            "person": as_values(shown),
            "consent": as_values(await rows_about(uow, CONSENT, person_id, "person_id")),
            "enrolment": as_values(
                await rows_about(uow, ENROLMENT, person_id, "person_id"), without=() if own else ("avoid",)
            ),
            "erasure": as_values(await rows_about(uow, ERASURE, person_id, "person_id")),
            "erasure_receipt": as_values(await rows_about(uow, RECEIPT, person_id, "person_id")),
        },
        withheld=[*([_LEAVING] if people else []), _OTHERS, *([] if own else [_AVOID])],
    )
