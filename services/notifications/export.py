"""Everything that *notifications* holds about one person."""

from typing import Any, Final

from services.notifications.store import CONTACT, NOTIFICATION, OPEN_REQUEST, PREFERENCE, SESSION_PLAN
from shared.persistence.export import as_values, document, rows_about
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

_SENT: Final = "mails: what was sent is in the recipient's mailbox; no copy is kept here."


async def export(uow: Uow, person_id: str) -> dict[str, Any]:
    """Rows by table. Of partners there is the id only."""
    return document(
        uow,
        person_id,
        {
            "contact": as_values(await rows_about(uow, CONTACT, person_id, "person_id")),
            "preference": as_values(await rows_about(uow, PREFERENCE, person_id, "person_id")),
            "notification": as_values(await rows_about(uow, NOTIFICATION, person_id, "recipient_id")),
            "session_plan": as_values(
                await rows_about(uow, SESSION_PLAN, person_id, "mentor_id", "mentee_id")
            ),
            "open_request": as_values(await rows_about(uow, OPEN_REQUEST, person_id, "author_id")),
            "erasure_receipt": as_values(await rows_about(uow, RECEIPT, person_id, "person_id")),
        },
        withheld=[_SENT],
    )
