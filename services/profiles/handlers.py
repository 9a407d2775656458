"""What *profiles* does when HR says something, and when a last day has ended.

An event travels: tenant known? (else refused, and redriven once an administrator has set it up) ->
needless fields counted -> its facet's sequence newer? (else stale) -> domain decides -> changes written.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from services.profiles.changes import TERMINATION, save_person
from services.profiles.domain import erasure as erasure_rules
from services.profiles.domain.consent import Purpose
from services.profiles.domain.intake import OTHER, DroppedField, Vocabulary, Word, admit, clean_source, tally
from services.profiles.domain.people import (
    HrRecord,
    Person,
    hear_cancellation,
    hear_record,
    hear_termination,
    leave_when_due,
)
from services.profiles.erasures import CHECK, admitted, check, record_receipt
from services.profiles.store import (
    CONSENT,
    DROPPED_FIELD,
    ENROLMENT,
    ERASURE,
    ORGANISATION,
    PERSON,
    VOCABULARY,
)
from shared.contracts import person_id
from shared.contracts.erasure import ErasureConfirmed
from shared.contracts.hr import PersonRecorded, PersonTerminated, TerminationCancelled
from shared.errors import Invalid
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers, Outcome
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow, Want, want, want_all

handlers = Handlers()


def _needs(event: Event[Any]) -> Iterator[Want]:
    """The rows that every HR event touches."""
    yield want(ORGANISATION, event.tenant)
    if event.dropped_fields:
        source = clean_source(event.source)
        yield want(VOCABULARY, Word.SOURCE)
        yield want(VOCABULARY, Word.FIELD)
        yield want(DROPPED_FIELD, OTHER, OTHER)
        for name in {OTHER, *tally(event.dropped_fields)}:
            yield want(DROPPED_FIELD, source, name)
    person = person_id(event.tenant, event.subject)
    yield want(PERSON, person)
    yield want(CONSENT, person, Purpose.MATCHING)
    yield want(ERASURE, person)


def _leaver_needs(event: Event[Any]) -> Iterator[Want]:
    yield from _needs(event)
    yield want_all(ENROLMENT, person_id=person_id(event.tenant, event.subject))


@handlers.on(PersonRecorded, needs=_needs)
async def person_recorded(event: Event[PersonRecorded], uow: Uow) -> Outcome | None:
    """HR's record becomes the person's; whoever left meanwhile appears as having left.

    Who is forgotten stays so, unless the record is of a new employment.
    """
    await _take_in(event, uow)
    before, person = await _person(event, uow)
    erasure = await uow.get(ERASURE, person.person_id)
    if erasure is not None and erasure.holds:
        if not erasure_rules.admits(erasure, event.data.hired_on, event.sequence):
            uow.put(erasure_rules.heard(erasure, record=event.sequence))
            return Outcome.STALE
        person = await admitted(uow, erasure, person.employee_id)
    if event.sequence <= person.record_sequence:
        return Outcome.STALE
    record = _record(event.data, event.tenant)
    await save_person(uow, before, hear_record(person, record, event.sequence, uow.now))
    return None


@handlers.on(PersonTerminated, needs=_leaver_needs)
async def person_terminated(event: Event[PersonTerminated], uow: Uow) -> Outcome | None:
    """The last day is past: left at once. It is to come: a timer, and nobody hears of it."""
    await _take_in(event, uow)
    before, person = await _person(event, uow)
    if await _is_forgotten(event, uow) or event.sequence <= person.employment_sequence:
        return Outcome.STALE
    after = hear_termination(person, event.data.effective_on, event.sequence, uow.now)
    await save_person(uow, before, after)
    return None


@handlers.on(TerminationCancelled, needs=_needs)
async def termination_cancelled(event: Event[TerminationCancelled], uow: Uow) -> Outcome | None:
    """The person stays, or is back."""
    await _take_in(event, uow)
    before, person = await _person(event, uow)
    if await _is_forgotten(event, uow) or event.sequence <= person.employment_sequence:
        return Outcome.STALE
    await save_person(uow, before, hear_cancellation(person, event.sequence))
    return None


@handlers.timer(TERMINATION)
async def last_day_ended(timer: Timer, uow: Uow) -> None:
    """The person leaves now, unless HR has changed its mind since the timer was set."""
    person = await uow.get(PERSON, timer.key)
    if person is None:
        return
    after = leave_when_due(person, uow.now)
    if after is not person:
        await save_person(uow, person, after)
    elif person.leaves_at is not None:  # moved by somebody else between this timer's claim and our lock
        uow.set_timer(TERMINATION, timer.key, person.leaves_at)


@handlers.on(ErasureConfirmed, needs=lambda event: [want(ERASURE, event.data.person_id)])
async def erasure_confirmed(event: Event[ErasureConfirmed], uow: Uow) -> Outcome | None:
    """A service has forgotten somebody."""
    return None if await record_receipt(uow, event.data) else Outcome.STALE


@handlers.timer(CHECK)
async def erasure_check(timer: Timer, uow: Uow) -> None:
    """Has every service forgotten the person?"""
    await check(uow, timer.key)


async def _is_forgotten(event: Event[Any], uow: Uow) -> bool:
    """Whether HR speaks of somebody's former employment; then only the sequence is kept."""
    erasure = await uow.get(ERASURE, person_id(event.tenant, event.subject))
    if erasure is None or not erasure.holds:
        return False
    uow.put(erasure_rules.heard(erasure, employment=event.sequence))
    return True


async def _take_in(event: Event[Any], uow: Uow) -> None:
    """Refuse a tenant that nobody has set up, and count the fields that HR should not send.

    The vocabularies are locked before the counts, so that the bounds hold whoever counts at once.
    """
    if await uow.get(ORGANISATION, event.tenant) is None:
        raise Invalid("tenant_unknown", "This tenant has not been set up; set it up and redrive the event.")
    if not event.dropped_fields:
        return
    source = await _admitted(uow, Word.SOURCE, clean_source(event.source))
    for name, times in tally(event.dropped_fields).items():
        counted = await _admitted(uow, Word.FIELD, name) if source != OTHER else OTHER
        row = await uow.get(DROPPED_FIELD, source, counted) or DroppedField(source, counted)
        uow.put(replace(row, count=row.count + times))


async def _admitted(uow: Uow, what: Word, word: str) -> str:
    before = await uow.get(VOCABULARY, what)
    after, word = admit(before or Vocabulary(what), word)
    if after is not before:
        uow.put(after)
    return word


async def _person(event: Event[Any], uow: Uow) -> tuple[Person | None, Person]:
    """The row, if there is one, and the person to go on with: the row, or a stub."""
    identity = person_id(event.tenant, event.subject)
    row = await uow.get(PERSON, identity)
    return row, row or Person(identity, event.subject)


def _record(data: PersonRecorded, tenant: str) -> HrRecord:
    return HrRecord(
        given_name=data.given_name,
        family_name=data.family_name,
        email=data.email,
        manager_id=person_id(tenant, data.manager_employee_id) if data.manager_employee_id else None,
        department=data.department,
        team=data.team,
        office=data.office,
        time_zone=data.time_zone,
        hr_languages=data.languages,
        job_title=data.job_title,
        job_level=data.job_level,
        hired_on=data.hired_on,
    )
