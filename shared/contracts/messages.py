"""What *notifications* says: that a message was queued, sent or given up. Never its words."""

from enum import StrEnum
from typing import ClassVar

from shared.contracts.base import EventData, Instant, Key, Label


class NotificationStatus(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    """Waits to be sent."""
    SENT = "sent"
    """The mail server took it."""
    FAILED = "failed"
    """Given up."""
    SUPPRESSED = "suppressed"
    """Not sent, by the person's own preferences or because it no longer applies."""


class NotificationChanged(EventData):
    """One message to one person about one occasion (``template`` and ``about_id``)."""

    TYPE: ClassVar[str] = "mentoring.notification.changed.v1"
    TOPIC: ClassVar[str] = "notification"
    SUBJECT: ClassVar[str] = "notification_id"

    notification_id: Key
    """Id of the message."""
    recipient_id: Key
    """Person id of the recipient."""
    template: Label
    """Which text: the name of its template."""
    about_id: Key
    """Id of what it is about, for instance a session."""
    status: NotificationStatus
    """Where the message stands."""
    queued_at: Instant
    """When it was first queued."""
    reason: Label | None = None
    """Why it failed or was suppressed, as a short code."""
