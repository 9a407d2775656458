"""Forgetting a person: the command, the receipts that come back, and the look at what is missing.

The tombstone on ``person`` is what everybody acts on, *profiles* included; ``erasure`` tells where it stands.
"""

from dataclasses import replace
from typing import Final

import structlog

from services.profiles import store
from services.profiles.changes import TERMINATION, forget_wishes, withdraw_all
from services.profiles.domain import erasure as rules
from services.profiles.domain.erasure import Erasure, ErasureStatus
from services.profiles.domain.people import Person
from services.profiles.store import CONSENT, ENROLMENT, ERASURE, PERSON
from shared.contracts import SERVICES
from shared.contracts import erasure as words
from shared.contracts.people import PersonErased
from shared.errors import NotFound
from shared.persistence.receipts import RECEIPT, confirm
from shared.persistence.uow import Uow, want, want_all

log = structlog.get_logger()

CHECK: Final = "erasure-check"
"""The timer that looks whether every service has confirmed, keyed by person id."""


async def erase(uow: Uow, person_id: str, by: str) -> Erasure:
    """Forget the person now; the other services follow. Repeating it asks again only what is overdue."""
    person = await uow.get(PERSON, person_id)  # from here on nobody can name the person or enrol them
    enrolments = await store.enrolments_about(uow, person_id) if person is not None else []
    await uow.prefetch(
        [
            want(ERASURE, person_id),
            want_all(CONSENT, person_id=person_id),
            *(want(ENROLMENT, each) for each in enrolments),
            want(RECEIPT, person_id),
        ]
    )
    known = await uow.get(ERASURE, person_id)
    if known is not None and known.holds:
        if known.status is not ErasureStatus.OVERDUE:
            return known
        return await _entomb(uow, known, rules.asked_again(known), {})
    if person is None:
        raise NotFound("person_unknown", "There is no such person.")
    forgotten = await forget_wishes(uow, person_id, enrolments)
    withdrawn = await withdraw_all(uow, person_id)
    consents = await uow.find(CONSENT, person_id=person_id)
    for consent in consents:
        uow.delete(consent)
    uow.delete(person)
    uow.cancel_timer(TERMINATION, person_id)
    begun = rules.begun(person, known, by=by, now=uow.now)
    counts = {
        "people": 1,
        "consents": len(consents),
        "enrolments-withdrawn": withdrawn,
        "wishes-deleted": forgotten,
    }
    return await _entomb(uow, None, begun, counts)


async def record_receipt(uow: Uow, receipt: words.ErasureConfirmed) -> bool:
    """Note what a service has confirmed; False when it answers nothing that was asked."""
    known = await uow.get(ERASURE, receipt.person_id)
    if known is None:
        return False
    after = rules.with_receipt(
        known,
        receipt.service.value,
        person_version=receipt.person_version,
        erased_at=receipt.erased_at,
        counts=receipt.counts,
        services=SERVICES,
    )
    _save(uow, known, after)
    return after != known


async def check(uow: Uow, person_id: str) -> None:
    """One more tombstone, and word of what is missing; again every 25 hours until nothing is."""
    known = await uow.get(ERASURE, person_id)
    if known is None or not known.holds:
        return
    after = rules.checked(known, uow.now, SERVICES)
    if missing := after.missing(SERVICES):
        log.warning("erasure overdue", person_id=person_id, missing=missing)
    await _entomb(uow, known, after, {})


async def admitted(uow: Uow, erasure: Erasure, employee_id: str) -> Person:
    """The person who was forgotten is hired anew."""
    lifted, person = rules.returned(erasure, employee_id, uow.now)
    uow.put(lifted)
    uow.cancel_timer(CHECK, erasure.person_id)
    return person


async def _entomb(uow: Uow, before: Erasure | None, after: Erasure, counts: dict[str, int]) -> Erasure:
    """Say the tombstone that *after* has counted, with our own receipt."""
    uow.say(PersonErased(person_id=after.person_id), version=after.person_version)
    await confirm(uow, after.person_id, after.person_version, counts)
    if rules.unfinished(after, SERVICES):
        uow.set_timer(CHECK, after.person_id, uow.now + rules.CONFIRMING)
    return _save(uow, before, after)


def _save(uow: Uow, before: Erasure | None, after: Erasure) -> Erasure:
    """Write it, and publish what others see if that has changed."""
    if before is None or _public(before) != _public(after):
        after = replace(after, version=after.version + 1)
        uow.say(erasure_changed(after), version=after.version)
    uow.put(after)
    return after


def _public(erasure: Erasure) -> tuple[object, ...]:
    return erasure.status, erasure.confirm_by, sorted(erasure.receipts)


def erasure_changed(erasure: Erasure) -> words.ErasureChanged:
    """The erasure as it is published."""
    return words.ErasureChanged(
        person_id=erasure.person_id,
        status=words.ErasureStatus(erasure.status),
        requested_at=erasure.requested_at,
        confirm_by=erasure.confirm_by,
        gone_by=erasure.gone_by,
        confirmed_by=[words.Service(service) for service in sorted(erasure.receipts)],
    )
