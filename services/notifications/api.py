"""HTTP in: preferences, and what the platform has told the caller."""

from typing import Any

from services.notifications.commands import choose, preference_of
from services.notifications.domain.messages import State
from services.notifications.export import export
from services.notifications.forms import (
    After,
    Limit,
    NotificationPage,
    NotificationView,
    PreferencesForm,
    PreferencesView,
)
from services.notifications.post import status_of
from services.notifications.store import page_of
from shared.contracts.base import Key
from shared.http.api import Api, CurrentCall
from shared.http.rules import PRIVACY, any_person, self_is

api = Api()


@api.get("/people/{person_id}/preferences", allow=[self_is("person_id")])
async def read_preferences(call: CurrentCall, person_id: Key) -> PreferencesView:
    """What the caller wants to receive."""
    return PreferencesView.of(await preference_of(call.uow, person_id))


@api.put("/people/{person_id}/preferences", allow=[self_is("person_id")])
async def write_preferences(call: CurrentCall, person_id: Key, form: PreferencesForm) -> PreferencesView:
    """Choose what to receive; it also holds for what is in the queue."""
    preference = await choose(
        call.uow,
        person_id,
        email_enabled=form.email_enabled,
        session_reminders=form.session_reminders,
        feedback_reminders=form.feedback_reminders,
    )
    return PreferencesView.of(preference)


@api.get("/people/{person_id}/export", allow=[self_is("person_id"), PRIVACY])
async def person_export(call: CurrentCall, person_id: Key) -> dict[str, Any]:
    """Everything that this service holds about a person, by table."""
    return await export(call.uow, person_id)


@api.get("/me/notifications", allow=[any_person()])
async def read_notifications(call: CurrentCall, limit: Limit = 100, after: After = None) -> NotificationPage:
    """What the caller has been told, newest first."""
    rows = await page_of(call.uow, call.caller.subject, after=after, limit=limit)
    items = [
        NotificationView(
            notification_id=row.id,
            template=row.template,
            about_id=row.about_id,
            status=status_of(State(row.state)),
            reason=row.reason,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )
        for row in rows
    ]
    return NotificationPage(items=items, next=rows[-1].id if len(rows) == limit else None)
