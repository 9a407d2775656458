"""The copy of each person that mails need, and the end of it."""

from services.notifications.domain.messages import Reason, State
from services.notifications.domain.people import Contact, ContactState
from services.notifications.handlers.registry import handlers
from services.notifications.post import record, release_waiting
from services.notifications.store import CONTACT, NOTIFICATION, PREFERENCE, messages_to
from shared.contracts.people import PersonChanged, PersonErased, PersonStatus
from shared.messaging.event import Event
from shared.messaging.handlers import Outcome
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
    ],
)
async def person_erased(event: Event[PersonErased], uow: Uow) -> Outcome | None:
    """Forget name, address and preferences. The row stays, or messages would wait for the person for ever."""
    person_id = event.data.person_id
    before = await uow.get(CONTACT, person_id)
    if before is not None and event.sequence <= before.version:
        return Outcome.STALE
    uow.put(Contact.erased(person_id, event.sequence))
    preference = await uow.get(PREFERENCE, person_id)
    if preference is not None:
        uow.delete(preference)
    for state in (State.WAITING, State.QUEUED):
        for notification in await messages_to(uow, person_id, state):
            record(uow, notification, notification.suppressed(Reason.RECIPIENT_ERASED, uow.now))
    return None
