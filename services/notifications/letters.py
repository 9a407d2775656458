"""One letter: a message with everything that its text needs, as it is at the moment of sending."""

from dataclasses import dataclass
from datetime import datetime

from services.notifications.domain.messages import Notification, Reason, Role, Template, not_wanted
from services.notifications.domain.people import Contact, Preference
from services.notifications.domain.reminders import Programme, SessionPlan
from services.notifications.store import CONTACT, NOTIFICATION, PREFERENCE, PROGRAMME, SESSION_PLAN
from shared.persistence.uow import Uow, want

_ABOUT_A_SESSION = frozenset({Template.FEEDBACK_REQUEST, Template.FEEDBACK_REMINDER})
_SAYS_WHO_THEY_ARE = frozenset({Template.PROPOSAL, Template.PAIR_STARTED, Template.PAIR_ENDED})
"""The event behind these tells whether the two are peers."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sent now. ``role`` and ``partner`` may be unknown; the text then speaks in general."""

    tenant: str
    now: datetime
    """Business time at which it was taken from the queue."""
    notification: Notification
    recipient: Contact
    preference: Preference | None
    role: Role | None
    partner: Contact | None
    programme: Programme | None
    session: SessionPlan | None

    @property
    def refusal(self) -> Reason | None:
        """Why it is not to be sent after all: much may have changed since it was queued."""
        return not_wanted(self.notification.template, self.recipient, self.preference)


async def collect(uow: Uow, ids: list[str]) -> list[Letter]:
    """The letters with these ids, oldest first. Meant for a read-only transaction: it locks nothing there."""
    await uow.prefetch([want(NOTIFICATION, each) for each in ids])
    notifications = [found for each in ids if (found := await uow.get(NOTIFICATION, each)) is not None]
    notifications.sort(key=lambda n: (n.queued_at or n.created_at, n.id))
    sessions = {n.id: str(n.facts["session_id"]) for n in notifications if n.template in _ABOUT_A_SESSION}
    await uow.prefetch(
        [
            *(want(PROGRAMME, n.programme_id) for n in notifications),
            *(want(SESSION_PLAN, session_id) for session_id in sessions.values()),
            *(want(CONTACT, n.recipient_id) for n in notifications),
            *(want(CONTACT, n.partner_id) for n in notifications if n.partner_id),
            *(want(PREFERENCE, n.recipient_id) for n in notifications),
        ]
    )
    return [await _letter(uow, n, sessions.get(n.id)) for n in notifications]


async def _letter(uow: Uow, notification: Notification, session_id: str | None) -> Letter:
    session = None
    if session_id:
        session = await uow.get(SESSION_PLAN, session_id)
    role, partner_id = notification.role, notification.partner_id
    programme = await uow.get(PROGRAMME, notification.programme_id)
    if session is not None and role is None:  # a request for feedback names its author and session only
        role = Role.MENTOR if session.mentor_id == notification.recipient_id else Role.MENTEE
        partner_id = session.mentee_id if role is Role.MENTOR else session.mentor_id
    if role is not Role.PEER and notification.template not in _SAYS_WHO_THEY_ARE:
        # A session is told of by the sides that the two stand on; only the programme says whether these mean anything.
        role = None if programme is None or programme.version == 0 else role
        role = Role.PEER if programme is not None and programme.of_peers else role
    recipient = await uow.get(CONTACT, notification.recipient_id)
    partner = None
    if partner_id:
        partner = await uow.get(CONTACT, partner_id)
    preference = await uow.get(PREFERENCE, notification.recipient_id)
    return Letter(
        tenant=uow.tenant,
        now=uow.now,
        notification=notification,
        recipient=recipient or Contact.unknown(notification.recipient_id),
        preference=preference,
        role=role,
        partner=partner,
        programme=programme,
        session=session,
    )
