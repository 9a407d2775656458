"""What happens on each event and timer, a module per subject.

Two guards, never mixed up: a *projection* (contact, programme, session plan, open request) takes only
newer versions; a *message* is guarded by its own id alone, which is made from its occasion. So an event
that comes late is stale for the projection and still leaves its message, recorded as overtaken, not sent.
"""

from services.notifications.handlers import feedback, pairs, people, programmes, reminders, sessions
from services.notifications.handlers.registry import handlers

__all__ = ["feedback", "handlers", "pairs", "people", "programmes", "reminders", "sessions"]
