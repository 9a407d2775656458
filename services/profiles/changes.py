"""Writing an aggregate together with all that its change brings with it: event, timer, enrolments.

Everything follows from the difference between two states of a row, so that it does not matter which
event, timer or command has made it. Each published event raises the aggregate's version by one; a change
that nobody else can see publishes nothing.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Final

from services.profiles.domain.consent import Purpose, is_granted
from services.profiles.domain.people import PUBLIC, Person, PersonStatus, public_state
from services.profiles.domain.programmes import (
    Enrolment,
    EnrolmentStatus,
    Programme,
    Wishes,
    with_status,
    with_wishes,
    without_mention,
)
from services.profiles.store import CONSENT, ENROLMENT
from shared.contracts.people import EnrolmentChanged, PersonChanged, ProgrammeChanged
from shared.persistence.uow import Uow

TERMINATION: Final = "termination"
"""The timer of a pending termination, keyed by person id."""


async def save_person(
    uow: Uow, before: Person | None, after: Person, *, consent_changed: bool = False
) -> Person:
    """Write *after* in place of *before* (None: no row yet) and return it as written."""
    if after.recorded and (consent_changed or before is None or public_state(before) != public_state(after)):
        after = replace(after, version=after.version + 1)
        uow.say(await person_changed(uow, after), version=after.version)
    uow.put(after)
    _keep_timer(uow, before, after)
    if before is not None and before.recorded and _has_left(before, after):
        await withdraw_all(uow, after.person_id)
    return after


async def person_changed(uow: Uow, person: Person) -> PersonChanged:
    """The person's whole public state. Only for somebody who is recorded."""
    consent = await uow.get(CONSENT, person.person_id, Purpose.MATCHING)
    values = {name: getattr(person, name) for name in PUBLIC}
    return PersonChanged(person_id=person.person_id, matching_consent=is_granted(consent), **values)


def save_programme(uow: Uow, programme: Programme) -> Programme:
    """Write a programme that has changed and say so."""
    programme = replace(programme, version=programme.version + 1)
    uow.put(programme)
    uow.say(programme_changed(programme), version=programme.version)
    return programme


def programme_changed(programme: Programme) -> ProgrammeChanged:
    """The programme as it is published."""
    values = asdict(programme)
    del values["version"]
    return ProgrammeChanged(**values)


def save_enrolment(uow: Uow, enrolment: Enrolment) -> Enrolment:
    """Write an enrolment that has changed and say so."""
    enrolment = replace(enrolment, version=enrolment.version + 1)
    uow.put(enrolment)
    uow.say(enrolment_changed(enrolment), version=enrolment.version)
    return enrolment


def enrolment_changed(enrolment: Enrolment) -> EnrolmentChanged:
    """The enrolment as it is published."""
    values = asdict(enrolment)
    del values["version"]
    return EnrolmentChanged(**values)


def _keep_timer(uow: Uow, before: Person | None, after: Person) -> None:
    """A timer is there exactly while a termination of somebody recorded is pending, at its moment."""
    due = after.leaves_at
    if due == (before.leaves_at if before is not None else None):
        return
    if due is None:
        uow.cancel_timer(TERMINATION, after.person_id)
    else:
        uow.set_timer(TERMINATION, after.person_id, due)


def _has_left(before: Person, after: Person) -> bool:
    return before.status is not PersonStatus.LEFT and after.status is PersonStatus.LEFT


async def forget_wishes(uow: Uow, person_id: str, enrolment_ids: Iterable[str]) -> int:
    """Of these enrolments, the person's own lose their wishes, and others no longer name the person. Returns
    how many of the person's own had any."""
    forgotten = 0
    for identity in sorted(enrolment_ids):
        before = await uow.get(ENROLMENT, identity)
        if before is None:
            continue
        own = before.person_id == person_id
        after = with_wishes(before, Wishes()) if own else without_mention(before, person_id)
        if after != before:
            save_enrolment(uow, after)
            forgotten += own
    return forgotten


async def withdraw_all(uow: Uow, person_id: str) -> int:
    """Who is gone takes part in nothing; who comes back enrols anew. Returns how many enrolments ended."""
    active = [each for each in await uow.find(ENROLMENT, person_id=person_id) if each.active]
    for enrolment in active:
        save_enrolment(uow, with_status(enrolment, EnrolmentStatus.WITHDRAWN))
    return len(active)
