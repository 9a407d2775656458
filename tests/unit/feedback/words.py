"""One pair in one programme, and short ways to let it do things."""

from datetime import datetime, timedelta
from typing import Any

from services.feedback.domain.feedback import Audience, Content
from services.feedback.handlers import handlers
from services.feedback.store import KINDS
from shared.contracts.base import EventData, derived_id
from shared.contracts.pairs import EndReason, RelationshipEnded, RelationshipStarted, Requeue
from shared.contracts.people import ProgrammeChanged
from shared.contracts.sessions import SessionChanged, SessionStatus
from shared.messaging.handlers import Outcome
from shared.persistence.timers import Timer
from tests.support.memory import NOW, MemoryStore, event

PROGRAMME, PAIR, MENTOR, MENTEE = "programme-1", "pair-1", "mentor-1", "mentee-1"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STARTED = NOW - 10 * DAY


def new_store() -> MemoryStore:
    return MemoryStore("feedback", KINDS)


def programme(*coordinators: str) -> ProgrammeChanged:
    return ProgrammeChanged(programme_id=PROGRAMME, name="Guides", coordinator_ids=list(coordinators))


def started(pair: str = PAIR, *, at: datetime = STARTED) -> RelationshipStarted:
    return RelationshipStarted(
        relationship_id=pair, programme_id=PROGRAMME, mentor_id=MENTOR, mentee_id=MENTEE, started_at=at
    )


def ended(pair: str = PAIR, *, at: datetime = NOW, reason: EndReason = EndReason.LEFT) -> RelationshipEnded:
    return RelationshipEnded(
        relationship_id=pair, programme_id=PROGRAMME, mentor_id=MENTOR, mentee_id=MENTEE, started_at=STARTED,
        ended_at=at, reason=reason, leaver_ids=[MENTOR] if reason is EndReason.LEFT else [],
        requeue=Requeue.QUEUED,
    )  # fmt: skip


def completed(session_id: str = "session-1", *, minutes: int = 60, at: datetime = NOW) -> SessionChanged:
    return SessionChanged(
        session_id=session_id, relationship_id=PAIR, programme_id=PROGRAMME, mentor_id=MENTOR,
        mentee_id=MENTEE, status=SessionStatus.COMPLETED, starts_at=at - HOUR, minutes=minutes,
        completed_at=at,
    )  # fmt: skip


def request_of(author: str, session_id: str = "session-1") -> str:
    return derived_id("feedback-request", session_id, author)


def content(suggestion: str = "Ask before you advise.", **other: Any) -> Content:
    values: dict[str, Any] = {
        "communication": 4, "empathy": 5, "leadership": None, "adaptability": None, "boundaries": 3,
        "behaviour": "You listened.", "impact": "I dared to ask.", "audience": Audience.PARTNER,
    }  # fmt: skip
    return Content(suggestion=suggestion, **(values | other))


async def hear(
    store: MemoryStore, data: EventData, *, sequence: int = 1, now: datetime = NOW, at: datetime | None = None
) -> Outcome | None:
    """Let the service hear *data* in a transaction of its own."""
    handling = handlers.events[data.TYPE]
    received = event(data, sequence=sequence, at=at or now)
    async with store.uow(now) as uow:
        if handling.needs is not None:
            await uow.prefetch(handling.needs(received))
        return await handling.handle(received, uow)


async def fire(store: MemoryStore, kind: str, key: str, *, now: datetime) -> None:
    """Let a timer that is due fire: it is gone with its effect."""
    change = store.timers.pop((kind, key))
    assert change.due is not None
    assert change.due <= now
    async with store.uow(now) as uow:
        await handlers.timers[kind].handle(Timer(kind, key, change.due), uow)


def totals(store: MemoryStore) -> dict[str, int]:
    """The sums over all months, without zeros."""
    sums: dict[str, int] = {}
    for row in store.rows["programme_metric"].values():
        sums[row.metric] = sums.get(row.metric, 0) + row.value
    return {metric: value for metric, value in sums.items() if value}
