"""What people do here: choose what they want to receive."""

from services.notifications.domain.people import ContactState, Preference
from services.notifications.store import CONTACT, PREFERENCE
from shared.errors import Conflict
from shared.persistence.uow import Uow


async def preference_of(uow: Uow, person_id: str) -> Preference:
    """The person's choice, or what holds as long as there is none."""
    return await uow.get(PREFERENCE, person_id) or Preference(person_id)


async def choose(
    uow: Uow, person_id: str, *, email_enabled: bool, session_reminders: bool, feedback_reminders: bool
) -> Preference:
    """Keep the choice. It holds for everything not yet handed to the mail server."""
    contact = await uow.get(CONTACT, person_id)
    if contact is not None and contact.state is ContactState.ERASED:
        raise Conflict("person_erased", "The person was erased.")
    before = await preference_of(uow, person_id)
    preference = before.chosen(
        email_enabled=email_enabled,
        session_reminders=session_reminders,
        feedback_reminders=feedback_reminders,
    )
    uow.put(preference)
    return preference
