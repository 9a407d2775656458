"""Programmes: their configuration times the reminders that are still to come."""

from dataclasses import replace

from services.notifications.handlers.registry import handlers
from services.notifications.handlers.reminders import programme_of, set_feedback_timer, set_session_timer
from services.notifications.store import PROGRAMME, booked_sessions, open_requests
from shared.contracts.matching import Form
from shared.contracts.people import ProgrammeChanged
from shared.messaging.event import Event
from shared.messaging.handlers import Outcome
from shared.persistence.uow import Uow, want


@handlers.on(ProgrammeChanged, needs=lambda e: [want(PROGRAMME, e.data.programme_id)])
async def programme_changed(event: Event[ProgrammeChanged], uow: Uow) -> Outcome | None:
    data = event.data
    before = await programme_of(uow, data.programme_id)
    if event.sequence <= before.version:
        return Outcome.STALE
    programme = replace(
        before,
        version=event.sequence,
        name=data.name,
        session_reminder_hours=data.session_reminder_hours,
        feedback_reminder_days=data.feedback_reminder_days,
        of_peers=data.matching.form is Form.PEER,
    )
    uow.put(programme)
    if programme.session_reminder_hours != before.session_reminder_hours:
        for plan in await booked_sessions(uow, data.programme_id):
            timed = plan.timed(programme)
            uow.put(timed)
            set_session_timer(uow, plan, timed)
    if programme.feedback_reminder_days != before.feedback_reminder_days:
        for request in await open_requests(uow, data.programme_id):
            later = request.timed(programme)
            uow.put(later)
            set_feedback_timer(uow, request, later)
    return None
