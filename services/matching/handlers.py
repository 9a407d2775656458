"""What *matching* does when people, programmes, enrolments and sessions change, and when time has come.

An event travels: newer than what is known? (else stale) -> projection written -> pool reviewed (``pool``)
-> pairs changed (``pairs``) -> next round woken (``waking``) -> round computed (``rounds``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Final

from services.matching.domain.mentees import Place
from services.matching.domain.pairs import EndReason, HeardSession, ProposalStatus, RelationshipStatus
from services.matching.domain.people import (
    Departure,
    Enrolment,
    EnrolmentStatus,
    Person,
    PersonStatus,
    Programme,
    Role,
    Rounds,
    matters,
    spell_over,
)
from services.matching.erasing import without_wishes, without_words
from services.matching.newcomers import match_newcomers
from services.matching.pairs import (
    EXPIRY,
    active_pairs,
    close_proposal,
    leave,
    load_partners,
    open_proposals,
    part,
    pass_gate,
    want_gate,
)
from services.matching.pool import review
from services.matching.rounds import run_round
from services.matching.runs import AGE, forget, run_aged
from services.matching.store import (
    DEPARTURE,
    ENROLMENT,
    HEARD_SESSION,
    MENTEE,
    MENTOR_LOAD,
    PERSON,
    PROGRAMME,
    PROPOSAL,
    RELATIONSHIP,
    RUN,
)
from services.matching.waking import (
    ARRIVAL,
    MATCHING,
    NEWCOMERS,
    ROUND,
    hand_over,
    let_sleep,
    mentor_of,
    programme_of,
    wake,
)
from shared.contracts import people, sessions
from shared.errors import Invalid
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers, Outcome
from shared.persistence.receipts import RECEIPT, answered, confirm
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow, Want, want, want_all

handlers = Handlers()


_ABOUT_PERSON: Final = (
    PERSON.by_key,
    ENROLMENT.by("person_id"),
    DEPARTURE.by_key,
    MENTOR_LOAD.by_key,
    MENTEE.by("person_id"),
)


def _person_needs(person_id: str) -> Want:
    return Want(_ABOUT_PERSON, (person_id,))


def _leaver_needs(person_id: str) -> Iterator[Want]:
    yield want_gate()
    yield _person_needs(person_id)
    for side in ("mentor_id", "mentee_id"):
        yield want_all(PROPOSAL, **{side: person_id, "status": ProposalStatus.OPEN})
        yield want_all(RELATIONSHIP, **{side: person_id, "status": RelationshipStatus.ACTIVE})


def _changed_needs(event: Event[people.PersonChanged]) -> Iterable[Want]:
    left = event.data.status is people.PersonStatus.LEFT
    return _leaver_needs(event.data.person_id) if left else (_person_needs(event.data.person_id),)


async def _prepare_changed(events: Sequence[Event[people.PersonChanged]], uow: Uow) -> None:
    left = [event for event in events if event.data.status is people.PersonStatus.LEFT]
    await load_partners(uow, [event.data.person_id for event in left])


@handlers.on(people.PersonChanged, needs=_changed_needs, prepare=_prepare_changed)
async def person_changed(event: Event[people.PersonChanged], uow: Uow) -> Outcome | None:
    """The person as they are now; who has left has their pairs ended, once for each spell."""
    person_id = event.data.person_id
    before = await uow.get(PERSON, person_id) or Person(person_id)
    departure = await uow.get(DEPARTURE, person_id) or Departure(person_id, 0)
    person = _person(event.data, event.sequence)
    over = spell_over(person.status, person.spell)
    newer, leaves = event.sequence > before.version, not departure.covers(over, event.sequence)
    if not newer and not leaves:
        return Outcome.STALE
    if leaves:
        await pass_gate(uow)
        uow.put(replace(departure, spell=over))
    if newer:
        uow.put(person)
        if matters(before, person):
            await review(uow, person_id)
    if leaves:
        await leave(uow, person_id)
    return None


def _erased_needs(event: Event[people.PersonErased]) -> Iterator[Want]:
    yield from _leaver_needs(event.data.person_id)
    yield want_all(RUN, kept=True)
    yield want(RECEIPT, event.data.person_id)


async def _prepare_erased(events: Sequence[Event[people.PersonErased]], uow: Uow) -> None:
    await load_partners(uow, [event.data.person_id for event in events])


@handlers.on(people.PersonErased, needs=_erased_needs, prepare=_prepare_erased)
async def person_erased(event: Event[people.PersonErased], uow: Uow) -> Outcome | None:
    """Nothing of the person stays but ids. The empty row keeps older events from bringing it back.

    Words go before pairs and proposals end, because their ends are said, and would say the words again.
    """
    person_id = event.data.person_id
    if await answered(uow, person_id, event.sequence):
        return Outcome.STALE
    await pass_gate(uow)
    counts = {"reasons": await without_words(uow, person_id), "runs": await forget(uow, person_id)}
    before = await uow.get(PERSON, person_id)
    if before is None or event.sequence >= before.version:
        counts["wishes"] = await without_wishes(uow, person_id)
    if before is None or event.sequence > before.version:
        known = before is not None and before.status not in (PersonStatus.UNKNOWN, PersonStatus.ERASED)
        await uow.get(DEPARTURE, person_id)
        uow.put(Person(person_id, version=event.sequence, status=PersonStatus.ERASED))
        uow.put(Departure(person_id, 0, erased_version=event.sequence))
        counts |= {
            "people": int(known),
            "proposals-withdrawn": len(await open_proposals(uow, person_id)),
            "pairs-ended": len(await active_pairs(uow, person_id)),
        }
        await review(uow, person_id)
        await leave(uow, person_id, EndReason.WITHDRAWN)
    await confirm(uow, person_id, event.sequence, counts)
    return None


@handlers.on(people.ProgrammeChanged, needs=lambda event: [want(PROGRAMME, event.data.programme_id)])
async def programme_changed(event: Event[people.ProgrammeChanged], uow: Uow) -> Outcome | None:
    """The rules may have changed, or the programme is heard of after those who take part in it."""
    data = event.data
    before = await uow.get(PROGRAMME, data.programme_id)
    if before is not None and event.sequence <= before.version:
        return Outcome.STALE
    programme = Programme(
        programme_id=data.programme_id,
        version=event.sequence,
        active=data.active,
        coordinator_ids=data.coordinator_ids,
        matching_delay_minutes=data.matching_delay_minutes,
        proposal_days=data.proposal_days,
        minimum_level_gap=data.minimum_level_gap,
        same_department_allowed=data.same_department_allowed,
        rounds=Rounds(data.rounds),
        matching=data.matching.decided(),
        configuration_version=data.configuration_version,
    )
    uow.put(programme)
    if programme.rounds is Rounds.SUPERVISED:
        let_sleep(uow, programme.programme_id)
    await wake(uow, [programme.programme_id])
    return None


def _enrolment_needs(event: Event[people.EnrolmentChanged]) -> Iterator[Want]:
    data = event.data
    yield want(PERSON, data.person_id)
    yield want(ENROLMENT, data.enrolment_id)
    yield want_all(ENROLMENT, person_id=data.person_id)
    yield want(PROGRAMME, data.programme_id)
    if data.role is people.Role.MENTOR:
        yield want(MENTOR_LOAD, data.person_id)
    else:
        yield want(MENTEE, data.programme_id, data.person_id)
    if data.status is people.EnrolmentStatus.WITHDRAWN or data.avoid or data.paused:
        yield want_gate()
        for side in ("mentor_id", "mentee_id"):
            yield want_all(PROPOSAL, **{side: data.person_id, "status": ProposalStatus.OPEN})


@handlers.on(people.EnrolmentChanged, needs=_enrolment_needs)
async def enrolment_changed(event: Event[people.EnrolmentChanged], uow: Uow) -> Outcome | None:
    """Into the pool, or out of it. An active pair stays: see the README, "Leaving and withdrawing"."""
    data = event.data
    before = await uow.get(ENROLMENT, data.enrolment_id)
    if before is not None and event.sequence <= before.version:
        return Outcome.STALE
    if await uow.get(PERSON, data.person_id) is None:
        uow.put(Person(data.person_id))
    enrolment = Enrolment(
        enrolment_id=data.enrolment_id,
        version=event.sequence,
        programme_id=data.programme_id,
        person_id=data.person_id,
        role=Role(data.role),
        status=EnrolmentStatus(data.status),
        choices=data.choices,
        avoid=data.avoid,
        preferences=data.preferences,
        paused=data.paused,
    )
    uow.put(enrolment)
    if enrolment.active:
        await _begin_anew(enrolment, uow)
    if not enrolment.open or enrolment.avoid:
        await pass_gate(uow)
    if enrolment.active and enrolment.avoid:
        await part(uow, enrolment)
    await review(uow, data.person_id)
    return None


async def _begin_anew(enrolment: Enrolment, uow: Uow) -> None:
    """Who had reached the goal and enrols again looks for a mentor again."""
    if enrolment.role is Role.MENTEE:
        mentee = await uow.get(MENTEE, enrolment.programme_id, enrolment.person_id)
        if mentee is not None and mentee.place is Place.DONE:
            uow.put(mentee.moved(Place.FREE, uow.now.date()))


def _session_needs(event: Event[sessions.SessionChanged]) -> Iterator[Want]:
    if event.data.status is sessions.SessionStatus.COMPLETED:
        yield want(RELATIONSHIP, event.data.relationship_id)
        yield want(HEARD_SESSION, event.data.session_id)


@handlers.on(sessions.SessionChanged, needs=_session_needs)
async def session_changed(event: Event[sessions.SessionChanged], uow: Uow) -> Outcome | None:
    """A completed session counts once for its pair, whatever is heard of it before and after."""
    data = event.data
    if data.status is not sessions.SessionStatus.COMPLETED:
        return None
    relationship = await uow.get(RELATIONSHIP, data.relationship_id)
    if relationship is None:  # relationships begin here, so nobody can know one before this service
        raise Invalid("relationship_unknown", "There is no such relationship.")
    if await uow.get(HEARD_SESSION, data.session_id) is not None:
        return Outcome.STALE
    uow.put(HeardSession(data.session_id, data.relationship_id))
    uow.put(relationship.met(data.completed_at or data.starts_at))
    return None


@handlers.timer(ROUND)
async def round_due(timer: Timer, uow: Uow) -> None:
    """A programme's pool has changed some time ago: compute, under a key that nobody else sets."""
    hand_over(uow, MATCHING, timer.key, timer.due.isoformat())


@handlers.timer(MATCHING, batch=1)
async def matching_due(timer: Timer, uow: Uow) -> None:
    """Compute one round and propose what it finds."""
    await run_round(uow, programme_of(timer.key))


@handlers.timer(ARRIVAL)
async def somebody_came(timer: Timer, uow: Uow) -> None:
    """Somebody came or changed who need not wait for a round."""
    hand_over(uow, NEWCOMERS, timer.key, timer.due.isoformat())


@handlers.timer(NEWCOMERS, batch=1)
async def newcomers_due(timer: Timer, uow: Uow) -> None:
    """Propose at once to those who have come since the last round."""
    await match_newcomers(uow, programme_of(timer.key), mentor_of(timer.key))


@handlers.timer(AGE, batch=1)
async def run_is_old(timer: Timer, uow: Uow) -> None:
    """A run's inputs and pairs, or the rest of it, have outlived their use."""
    await run_aged(uow, timer.key)


@handlers.timer(EXPIRY)
async def proposal_expires(timer: Timer, uow: Uow) -> None:
    """Nobody, or only one of the two, has answered in time."""
    await pass_gate(uow)
    proposal = await uow.get(PROPOSAL, timer.key)
    if proposal is None or proposal.status is not ProposalStatus.OPEN:
        return
    if uow.now < proposal.expires_at:
        uow.set_timer(EXPIRY, proposal.proposal_id, proposal.expires_at)
        return
    await close_proposal(uow, proposal.closed(ProposalStatus.EXPIRED, uow.now))


_STATUS: Final = {told: PersonStatus(told) for told in people.PersonStatus}
_taken_over = itemgetter(*Person.__struct_fields__[3:])


def _person(data: people.PersonChanged, version: int) -> Person:
    """All but the first three fields have the same name and meaning in the event."""
    return Person(data.person_id, version, _STATUS[data.status], *_taken_over(vars(data)))
