"""Everything that *feedback* holds about one person, as far as it is theirs to read."""

from collections.abc import Sequence
from typing import Any, Final

from services.feedback.domain.feedback import Answer, Audience
from services.feedback.store import FEEDBACK_ANSWER, FEEDBACK_REQUEST, RELATIONSHIP, SESSION
from shared.persistence.export import as_values, document, rows_about
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

_BOTH: Final = ("mentor_id", "mentee_id")
_WORDS: Final = ("behaviour", "impact", "suggestion")
_ABOUT: Final = (
    "feedback_answer, about the person: %d answers that their authors wrote for others to read or for"
    " nobody; they are the authors' confidence."
)
_OWN_WORDS: Final = (
    "feedback_answer: behaviour, impact and suggestion; the author chose who reads them, so only the person"
    " may fetch them, with a token of their own."
)


async def export(uow: Uow, person_id: str, *, own: bool) -> dict[str, Any]:
    """Rows by table. *own*: the person asks; anybody else gets no words."""
    by = await rows_about(uow, FEEDBACK_ANSWER, person_id, "author_id")
    about = await rows_about(uow, FEEDBACK_ANSWER, person_id, "partner_id")
    readable = [each for each in about if each.audience is Audience.PARTNER]
    withheld = [] if own else [_OWN_WORDS]
    if hidden := len(about) - len(readable):
        withheld.append(_ABOUT % hidden)
    return document(
        uow,
        person_id,
        {
            "relationship": as_values(await rows_about(uow, RELATIONSHIP, person_id, *_BOTH)),
            "session": as_values(await rows_about(uow, SESSION, person_id, *_BOTH)),
            "feedback_request": as_values(
                await rows_about(uow, FEEDBACK_REQUEST, person_id, "author_id", "partner_id")
            ),
            "feedback_answer": _answers(by, own=own) + _answers(readable, own=own),
            "erasure_receipt": as_values(await rows_about(uow, RECEIPT, person_id, "person_id")),
        },
        withheld=withheld,
    )


def _answers(answers: Sequence[Answer], *, own: bool) -> list[dict[str, Any]]:
    return as_values(answers, without=() if own else _WORDS)
