"""Sessions: told when booked, moved and cancelled, and planned for their reminder."""

from typing import Any

from services.notifications.domain.messages import Occasion, Pair, Reason, Template, both
from services.notifications.domain.reminders import SessionPlan, SessionStatus
from services.notifications.handlers.registry import handlers
from services.notifications.handlers.reminders import programme_of, set_session_timer
from services.notifications.post import iso, tell, wants
from services.notifications.store import PROGRAMME, SESSION_PLAN
from shared.contracts.sessions import SessionChanged
from shared.messaging.event import Event
from shared.messaging.handlers import Outcome
from shared.persistence.uow import Uow, Want, want


def _session_news(event: Event[SessionChanged], before: SessionPlan | None = None) -> list[Occasion]:
    """What a version of a session tells: the first one that it is booked, later ones that it has moved.

    The version is the occurrence of a move, because a session may come back to a time that it had before.
    """
    data = event.data
    pair = Pair(data.programme_id, data.mentor_id, data.mentee_id)
    facts: dict[str, Any] = {"starts_at": iso(data.starts_at), "minutes": data.minutes}
    status = SessionStatus(data.status)
    if status is SessionStatus.CANCELLED:
        return both(Template.SESSION_CANCELLED, data.session_id, pair, facts)
    if status is SessionStatus.COMPLETED:
        return []
    if event.sequence == 1:
        return both(Template.SESSION_BOOKED, data.session_id, pair, facts)
    if before is not None and _plan(event).follows(before):
        if before.same_time(_plan(event)):
            return []
        facts["before"] = iso(before.starts_at)
    return both(Template.SESSION_MOVED, data.session_id, pair, facts, occurrence=str(event.sequence))


def _session_needs(event: Event[SessionChanged]) -> list[Want]:
    return [
        want(PROGRAMME, event.data.programme_id),
        want(SESSION_PLAN, event.data.session_id),
        *wants(_session_news(event)),
    ]


@handlers.on(SessionChanged, needs=_session_needs)
async def session_changed(event: Event[SessionChanged], uow: Uow) -> Outcome | None:
    data = event.data
    programme = await programme_of(uow, data.programme_id)
    before = await uow.get(SESSION_PLAN, data.session_id)
    stale = before is not None and event.sequence <= before.version
    for occasion in _session_news(event, before):
        await tell(uow, occasion.unless(Reason.OVERTAKEN if stale else None))
    if stale:
        return Outcome.STALE
    plan = _plan(event).after(before).timed(programme)
    uow.put(plan)
    set_session_timer(uow, before, plan)
    return None


def _plan(event: Event[SessionChanged]) -> SessionPlan:
    data = event.data
    return SessionPlan(
        session_id=data.session_id,
        version=event.sequence,
        programme_id=data.programme_id,
        mentor_id=data.mentor_id,
        mentee_id=data.mentee_id,
        status=SessionStatus(data.status),
        starts_at=data.starts_at,
        minutes=data.minutes,
        timed_at=event.time,
        reminder_at=None,
        reminded=False,
    )
