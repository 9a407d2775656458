"""What requests and answers look like."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from services.notifications.domain.people import Preference
from shared.contracts.base import Key
from shared.contracts.messages import NotificationStatus


class PreferencesForm(BaseModel):
    """The whole choice: what is left out is on. Proposals and the end of a pair are always told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email_enabled: bool = True
    session_reminders: bool = True
    feedback_reminders: bool = True


class PreferencesView(BaseModel):
    """What a person wants to receive."""

    person_id: str
    email_enabled: bool
    session_reminders: bool
    feedback_reminders: bool

    @classmethod
    def of(cls, preference: Preference) -> Self:
        return cls(
            person_id=preference.person_id,
            email_enabled=preference.email_enabled,
            session_reminders=preference.session_reminders,
            feedback_reminders=preference.feedback_reminders,
        )


class NotificationView(BaseModel):
    """One message to the caller: which, about what, and what became of it."""

    notification_id: str
    template: str
    about_id: str
    status: NotificationStatus
    reason: str | None
    created_at: datetime
    settled_at: datetime | None


class NotificationPage(BaseModel):
    """The caller's messages, newest first. ``next`` is what to send as ``after``; absent at the end."""

    items: list[NotificationView]
    next: str | None = None


Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[Key | None, Query(description="the notification_id after which to go on")]
