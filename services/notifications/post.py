"""From an occasion to a message in the queue: exactly one per occasion, whatever is heard first.

Invariant: whoever queues a message holds the recipient's contact row, and so does the handler of
:class:`PersonChanged`. A recipient who is not known yet gets a stub row for that purpose, so that of two
transactions at the same time the second sees what the first has left: the waiting message, or the person.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from services.notifications.domain.messages import Notification, Occasion, State, Trace
from services.notifications.domain.people import Contact
from services.notifications.store import CONTACT, NOTIFICATION, PREFERENCE, messages_to
from shared.contracts import derived_id
from shared.contracts.messages import NotificationChanged, NotificationStatus
from shared.persistence.uow import Cause, Uow, Want, want

_STATUS = {
    State.QUEUED: NotificationStatus.QUEUED,
    State.SENDING: NotificationStatus.QUEUED,
    State.SENT: NotificationStatus.SENT,
    State.FAILED: NotificationStatus.FAILED,
    State.SUPPRESSED: NotificationStatus.SUPPRESSED,
}


def status_of(state: State) -> NotificationStatus:
    """What others see of a state; a message that waits for its recipient is, to them, in the queue."""
    return _STATUS.get(state, NotificationStatus.QUEUED)


def notification_id(occasion: Occasion) -> str:
    return derived_id("notification", *occasion.key)


def iso(moment: datetime) -> str:
    """The one spelling of a moment in keys and facts."""
    return moment.astimezone(UTC).isoformat()


def wants(occasions: Iterable[Occasion]) -> list[Want]:
    """The rows that :func:`tell` asks for."""
    return [
        each
        for occasion in occasions
        for each in (
            want(CONTACT, occasion.recipient_id),
            want(PREFERENCE, occasion.recipient_id),
            want(NOTIFICATION, notification_id(occasion)),
        )
    ]


async def tell(uow: Uow, occasion: Occasion) -> None:
    """Queue the message of *occasion*, unless there is one already, in whatever state."""
    contact = await uow.get(CONTACT, occasion.recipient_id)
    if contact is None:
        contact = Contact.unknown(occasion.recipient_id)
        uow.put(contact)
    preference = await uow.get(PREFERENCE, occasion.recipient_id)
    identity = notification_id(occasion)
    if await uow.get(NOTIFICATION, identity) is not None:
        return
    cause = uow.cause
    trace = Trace(cause.correlation_id, cause.causation_id, cause.traceparent)
    new = Notification.of(occasion, identity, uow.now, trace)
    if occasion.verdict is not None:
        record(uow, new, new.suppressed(occasion.verdict, uow.now))
    else:
        record(uow, new, new.decided(contact, preference, uow.now))


async def release_waiting(uow: Uow, contact: Contact) -> None:
    """Decide about every message that has waited for this person. The contact row must be locked."""
    waiting = await messages_to(uow, contact.person_id, State.WAITING)
    if waiting:
        preference = await uow.get(PREFERENCE, contact.person_id)
        for notification in waiting:
            record(uow, notification, notification.decided(contact, preference, uow.now))


def record(uow: Uow, before: Notification, after: Notification) -> None:
    """Put a message's new state, and say it if others see a difference."""
    uow.put(after)
    if after.version == before.version:
        return
    cause = uow.cause
    # The message's own story goes on, whoever (a sender, the recipient's arrival) has moved it.
    uow.cause = Cause(after.correlation_id, after.causation_id, after.traceparent)
    uow.say(_event(after), version=after.version)
    uow.cause = cause


def _event(notification: Notification) -> NotificationChanged:
    if notification.queued_at is None:
        raise ValueError("a message that still waits for its recipient is nobody else's business")
    return NotificationChanged(
        notification_id=notification.id,
        recipient_id=notification.recipient_id,
        template=notification.template,
        about_id=notification.about_id,
        status=status_of(notification.state),
        queued_at=notification.queued_at,
        reason=notification.reason,
    )
