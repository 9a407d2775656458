"""Everything that *matching* holds about one person."""

from typing import Any, Final

import msgspec

from services.matching import snapshot, store
from services.matching.store import (
    DEPARTURE,
    ENROLMENT,
    MENTEE,
    MENTOR_LOAD,
    PERSON,
    PROPOSAL,
    RELATIONSHIP,
    RUN,
)
from shared.persistence.export import as_values, document, rows_about
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

_BOTH: Final = ("mentor_id", "mentee_id")
_OTHERS: Final = "enrolment.choices and enrolment.avoid of others: whom they name is their own confidence."
_AVOID: Final = (
    "avoid, in enrolment and matching_run_people: only the person may fetch it, with a token of their own."
)
_SCORE: Final = "score, in proposal and matching_run_pair: what the partner told in confidence is part of it."
_UNPUBLISHED: Final = "matching_run_pair of runs that are not published: nobody is told of them."


async def export(uow: Uow, person_id: str, *, own: bool) -> dict[str, Any]:
    """Rows by table. Of a partner there is the id only. *own*: the person asks; anybody else gets no avoid list."""
    return document(
        uow,
        person_id,
        {
            "person": as_values(await rows_about(uow, PERSON, person_id, "person_id")),
            "enrolment": as_values(
                await rows_about(uow, ENROLMENT, person_id, "person_id"), without=() if own else ("avoid",)
            ),
            "departure": as_values(await rows_about(uow, DEPARTURE, person_id, "person_id")),
            "proposal": as_values(await rows_about(uow, PROPOSAL, person_id, *_BOTH), without=("score",)),
            "relationship": as_values(await rows_about(uow, RELATIONSHIP, person_id, *_BOTH)),
            "mentor_load": as_values(await rows_about(uow, MENTOR_LOAD, person_id, "person_id")),
            "mentee": as_values(await rows_about(uow, MENTEE, person_id, "person_id")),
            "matching_run_people": await _as_runs_saw(uow, person_id, own=own),
            "matching_run_pair": await store.published_pairs_of(uow, person_id),
            "erasure_receipt": as_values(await rows_about(uow, RECEIPT, person_id, "person_id")),
        },
        withheld=[_UNPUBLISHED, _OTHERS, _SCORE, *([] if own else [_AVOID])],
    )


async def _as_runs_saw(uow: Uow, person_id: str, *, own: bool) -> list[dict[str, Any]]:
    """The person in the inputs of runs."""
    hidden = () if own else ("avoid",)
    found = []
    for run in await uow.find(RUN, kept=True):
        number = snapshot.part_of(person_id, run.people_parts)
        for side, content in (await store.parts_of_one(uow, run.run_id, number)).items():
            for person in snapshot.about(content, person_id):
                seen = {
                    name: value for name, value in msgspec.to_builtins(person).items() if name not in hidden
                }
                found.append({"run_id": run.run_id, "side": side, "person": seen})
    return found
