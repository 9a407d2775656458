"""The two kinds of reminder: when their timers are set, and what happens when one is due."""

from services.notifications.domain.messages import Occasion, Reason, Template, both
from services.notifications.domain.reminders import OpenRequest, Programme, SessionPlan
from services.notifications.handlers.registry import handlers
from services.notifications.post import iso, tell, wants
from services.notifications.store import OPEN_REQUEST, PROGRAMME, SESSION_PLAN
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow

SESSION_REMINDER = "session-reminder"
FEEDBACK_REMINDER = "feedback-reminder"


async def programme_of(uow: Uow, programme_id: str) -> Programme:
    """The programme, or a stub in its place: the row at which the two halves of a reminder meet."""
    programme = await uow.get(PROGRAMME, programme_id)
    if programme is None:
        programme = Programme.unknown(programme_id)
        uow.put(programme)
    return programme


def set_session_timer(uow: Uow, before: SessionPlan | None, after: SessionPlan) -> None:
    if after.reminder_at is not None:
        uow.set_timer(SESSION_REMINDER, after.session_id, after.reminder_at)
    elif before is not None and before.reminder_at is not None:
        uow.cancel_timer(SESSION_REMINDER, after.session_id)


@handlers.timer(SESSION_REMINDER)
async def session_reminder_due(timer: Timer, uow: Uow) -> None:
    plan = await uow.get(SESSION_PLAN, timer.key)
    if plan is None or plan.reminder_at is None or plan.reminder_at > uow.now:
        return  # cancelled, completed or moved while this timer was on its way
    facts = {"starts_at": iso(plan.starts_at), "minutes": plan.minutes}
    # After a move it is another reminder, so the time belongs to the occasion.
    occasions = both(
        Template.SESSION_REMINDER, plan.session_id, plan.pair, facts, occurrence=iso(plan.starts_at)
    )
    await uow.prefetch(wants(occasions))
    verdict = Reason.TOO_LATE if plan.starts_at <= uow.now else None
    for occasion in occasions:
        await tell(uow, occasion.unless(verdict))
    uow.put(plan.done())


def set_feedback_timer(uow: Uow, before: OpenRequest | None, after: OpenRequest) -> None:
    if after.reminder_at is not None:
        uow.set_timer(FEEDBACK_REMINDER, after.feedback_request_id, after.reminder_at)
    elif before is not None and before.reminder_at is not None:
        uow.cancel_timer(FEEDBACK_REMINDER, after.feedback_request_id)


@handlers.timer(FEEDBACK_REMINDER)
async def feedback_reminder_due(timer: Timer, uow: Uow) -> None:
    request = await uow.get(OPEN_REQUEST, timer.key)
    if request is None or request.reminder_at is None or request.reminder_at > uow.now:
        return  # answered, or timed anew, while this timer was on its way
    await tell(
        uow,
        Occasion(
            recipient_id=request.author_id,
            template=Template.FEEDBACK_REMINDER,
            about_id=request.feedback_request_id,
            programme_id=request.programme_id,
            role=None,
            partner_id=None,
            facts={"session_id": request.session_id},
        ),
    )
    uow.put(request.done())
