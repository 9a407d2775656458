"""Requests for feedback: told to their author, and planned for their reminder."""

from services.notifications.domain.messages import Occasion, Reason, Template
from services.notifications.domain.reminders import OpenRequest
from services.notifications.handlers.registry import handlers
from services.notifications.handlers.reminders import programme_of, set_feedback_timer
from services.notifications.post import tell, wants
from services.notifications.store import OPEN_REQUEST, PROGRAMME
from shared.contracts.sessions import FeedbackRequestChanged, FeedbackStatus
from shared.messaging.event import Event
from shared.messaging.handlers import Outcome
from shared.persistence.uow import Uow, Want, want


def _asked(data: FeedbackRequestChanged) -> Occasion:
    return Occasion(
        recipient_id=data.author_id,
        template=Template.FEEDBACK_REQUEST,
        about_id=data.feedback_request_id,
        programme_id=data.programme_id,
        role=None,
        partner_id=None,
        facts={"session_id": data.session_id},
    )


def _feedback_needs(event: Event[FeedbackRequestChanged]) -> list[Want]:
    data = event.data
    rows = [want(PROGRAMME, data.programme_id), want(OPEN_REQUEST, data.feedback_request_id)]
    return rows + (wants([_asked(data)]) if data.status is FeedbackStatus.REQUESTED else [])


@handlers.on(FeedbackRequestChanged, needs=_feedback_needs)
async def feedback_request_changed(event: Event[FeedbackRequestChanged], uow: Uow) -> Outcome | None:
    data = event.data
    programme = await programme_of(uow, data.programme_id)
    before = await uow.get(OPEN_REQUEST, data.feedback_request_id)
    stale = before is not None and event.sequence <= before.version
    if data.status is FeedbackStatus.REQUESTED:
        await tell(uow, _asked(data).unless(Reason.OVERTAKEN if stale else None))
    if stale:
        return Outcome.STALE
    request = (
        OpenRequest(
            feedback_request_id=data.feedback_request_id,
            version=event.sequence,
            programme_id=data.programme_id,
            author_id=data.author_id,
            session_id=data.session_id,
            requested_at=data.requested_at,
            open=data.status is FeedbackStatus.REQUESTED,
            reminder_at=None,
            reminded=False,
        )
        .after(before)
        .timed(programme)
    )
    uow.put(request)
    set_feedback_timer(uow, before, request)
    return None
