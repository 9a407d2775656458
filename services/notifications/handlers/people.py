"""The copy of each person that mails need, and the end of it."""

from dataclasses import replace

from services.notifications.domain.messages import Reason, State
from services.notifications.domain.people import Contact, ContactState
from services.notifications.handlers.registry import handlers
from services.notifications.post import record, release_waiting
from services.notifications.store import CONTACT, NOTIFICATION, PREFERENCE, messages_to
from shared.contracts.people import PersonChanged, PersonErased, PersonStatus
from shared.messaging.event import Event
from shared.messaging.handlers import Outcome
from shared.persistence.receipts import RECEIPT, answered, confirm
from shared.persistence.uow import Uow, want, want_all


@handlers.on(PersonChanged, needs=lambda e: [want(CONTACT, e.data.person_id)])
async def person_changed(event: Event[PersonChanged], uow: Uow) -> Outcome | None:
    data = event.data
    before = await uow.get(CONTACT, data.person_id)
    if before is not None and event.sequence <= before.version:
        return Outcome.STALE
    contact = Contact(
        person_id=data.person_id,
        version=event.sequence,
        state=ContactState.ACTIVE if data.status is PersonStatus.ACTIVE else ContactState.LEFT,
        given_name=data.given_name,
        family_name=data.family_name,
        email=data.email,
        time_zone=data.time_zone,
        language=next(iter(data.languages), "en"),
    )
    uow.put(contact)
    if before is not None and before.state is ContactState.UNKNOWN:
        await release_waiting(uow, contact)
    return None


@handlers.on(
    PersonErased,
    needs=lambda e: [
        want(CONTACT, e.data.person_id),
        want(PREFERENCE, e.data.person_id),
        want_all(NOTIFICATION, recipient_id=e.data.person_id, state=State.WAITING),
        want_all(NOTIFICATION, recipient_id=e.data.person_id, state=State.QUEUED),
        want(RECEIPT, e.data.person_id),
    ],
)
async def person_erased(event: Event[PersonErased], uow: Uow) -> Outcome | None:
    """Forget name, address and preferences. The row stays, or messages would wait for the person for ever.

    A mail that is in a sender's hands at this moment may still arrive. Mails to others name the person no
    more, because names are read when a mail is sent; facts that quote the person's words go at once.
    """
    person_id = event.data.person_id
    if await answered(uow, person_id, event.sequence):
        return Outcome.STALE
    before = await uow.get(CONTACT, person_id)
    counts = {"facts": await _without_words(uow, person_id)}
    if before is None or event.sequence > before.version:
        counts["contacts"] = int(before is not None and before.known)
        uow.put(Contact.erased(person_id, event.sequence))
        preference = await uow.get(PREFERENCE, person_id)
        if preference is not None:
            uow.delete(preference)
            counts["preferences"] = 1
        under_way = [
            notification
            for state in (State.WAITING, State.QUEUED)
            for notification in await messages_to(uow, person_id, state)
        ]
        for notification in under_way:
            record(uow, notification, notification.suppressed(Reason.RECIPIENT_ERASED, uow.now))
        counts["messages-cancelled"] = len(under_way)
    await confirm(uow, person_id, event.sequence, counts)
    return None


async def _without_words(uow: Uow, person_id: str) -> int:
    """Take the reasons of proposals, which are made of people's own words, out of what partners still get."""
    emptied = 0
    for state in (State.WAITING, State.QUEUED):
        for notification in await uow.find(NOTIFICATION, partner_id=person_id, state=state):
            if notification.facts.get("reasons"):
                uow.put(replace(notification, facts={**notification.facts, "reasons": []}))
                emptied += 1
    return emptied
