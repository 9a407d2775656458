"""Who is in the pool: derived again from person and enrolments whenever one of them changes.

Deriving instead of stepping makes the order in which the two are heard of irrelevant.
"""

from collections import defaultdict
from dataclasses import replace

from services.matching.domain.mentees import Found, Mentee, Place, Standing, standing_of
from services.matching.domain.pairs import MentorLoad, ProposalStatus, surplus
from services.matching.domain.people import Enrolment, Person, Role
from services.matching.pairs import open_proposals, withdraw
from services.matching.store import ENROLMENT, MENTEE, MENTOR_LOAD, PERSON, PROPOSAL
from services.matching.waking import wake
from shared.persistence.uow import Uow


async def review(uow: Uow, person_id: str) -> None:
    """Bring the person's places as a mentee and as a mentor in line with what is known now.

    Pairs that are active stay: only a leaving ends them, or a participant or coordinator who says so.
    """
    enrolments = await uow.find(ENROLMENT, person_id=person_id)
    if not enrolments:
        return  # never took part: most people
    person = await uow.get(PERSON, person_id) or Person(person_id)
    await _review_mentee(uow, person, [each for each in enrolments if each.role is Role.MENTEE])
    await _review_mentor(uow, person, [each for each in enrolments if each.role is Role.MENTOR])
    if person.matchable:
        active = [each for each in enrolments if each.active]
        await wake(uow, [each.programme_id for each in active if each.role is Role.MENTEE])
        offering = [each.programme_id for each in active if each.role is Role.MENTOR]
        await wake(uow, offering, mentor_id=person_id)


async def _review_mentee(uow: Uow, person: Person, enrolments: list[Enrolment]) -> None:
    by_programme: defaultdict[str, list[Enrolment]] = defaultdict(list)
    for enrolment in enrolments:
        by_programme[enrolment.programme_id].append(enrolment)
    for programme_id, mine in sorted(by_programme.items()):
        active = [each for each in mine if each.active]
        row = await uow.get(MENTEE, programme_id, person.person_id)
        known = row or Mentee(programme_id, person.person_id, mine[0].enrolment_id)
        standing = standing_of(person, enrolled=bool(active))
        if standing is not Standing.ELIGIBLE and known.place is Place.PROPOSED:
            proposals = await open_proposals(uow, person.person_id)
            here = [each for each in proposals if each.programme_id == programme_id]
            await withdraw(uow, [each for each in here if person.person_id in each.seekers])
            known = await uow.get(MENTEE, programme_id, person.person_id) or known
        enrolment_id = (active or mine)[0].enrolment_id
        judged = replace(known, enrolment_id=enrolment_id, found=Found.NOT_TRIED)  # not as they are now
        judged = judged.judged(standing, uow.now.date())
        if judged != row:
            uow.put(judged)


async def _review_mentor(uow: Uow, person: Person, enrolments: list[Enrolment]) -> None:
    """Proposals for which the mentor is no longer there, or has no place any more, are withdrawn. Who pauses
    keeps those that they have said yes to."""
    if not enrolments:
        return
    load = await uow.get(MENTOR_LOAD, person.person_id)
    if load is None:
        uow.put(MentorLoad(person.person_id))
        return
    if load.reserved == 0:
        return
    proposals = await uow.find(PROPOSAL, mentor_id=person.person_id, status=ProposalStatus.OPEN)
    proposals = [each for each in proposals if not each.peers]
    active = {each.programme_id for each in enrolments if each.active} if person.matchable else set()
    paused = {each.programme_id for each in enrolments if each.paused}
    left = [
        each
        for each in proposals
        if each.programme_id in active and (each.mentor_accepted or each.programme_id not in paused)
    ]
    await withdraw(uow, [each for each in proposals if each not in left])
    load = await uow.get(MENTOR_LOAD, person.person_id) or load
    await withdraw(uow, surplus(left, load, person.mentor_capacity))
