"""What is taken out of rows that stay when their person is erased."""

from dataclasses import replace

from services.matching.store import ENROLMENT, PROPOSAL
from shared.persistence.uow import Uow


async def without_words(uow: Uow, person_id: str) -> int:
    """Take the reasons, which are made of people's own words, out of every proposal of the person."""
    emptied = 0
    for side in ("mentor_id", "mentee_id"):
        for proposal in await uow.find(PROPOSAL, **{side: person_id}):
            if proposal.reasons:
                uow.put(replace(proposal, reasons=[]))
                emptied += 1
    return emptied


async def without_wishes(uow: Uow, person_id: str) -> int:
    """Take the person's own wishes away. From others' lists *profiles* takes the person, and says so."""
    emptied = 0
    for enrolment in await uow.find(ENROLMENT, person_id=person_id):
        empty = replace(enrolment, choices=[], avoid=[], preferences=[])
        if empty != enrolment:
            uow.put(empty)
            emptied += 1
    return emptied
