"""Events, rows and a small world for the tests of *notifications*."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from services.notifications.domain.messages import Notification
from services.notifications.handlers import handlers
from services.notifications.store import KINDS, NOTIFICATION
from shared.contracts.base import EventData
from shared.contracts.pairs import (
    EndReason,
    ProposalChanged,
    ProposalStatus,
    RelationshipEnded,
    RelationshipStarted,
    Requeue,
)
from shared.contracts.people import PersonChanged, PersonErased, PersonStatus, ProgrammeChanged
from shared.contracts.sessions import FeedbackRequestChanged, FeedbackStatus, SessionChanged, SessionStatus
from shared.messaging.event import Event
from shared.messaging.handlers import Outcome
from shared.persistence.timers import Timer
from tests.support.memory import NOW, MemoryStore, event

MENTOR, MENTEE, PROGRAMME_ID = "person-a", "person-b", "programme-1"
PAIR: dict[str, Any] = {"programme_id": PROGRAMME_ID, "mentor_id": MENTOR, "mentee_id": MENTEE}
DAY = timedelta(days=1)


def world() -> MemoryStore:
    return MemoryStore("notifications", KINDS)


async def hear(
    store: MemoryStore, data: EventData, sequence: int = 1, *, at: datetime = NOW, now: datetime | None = None
) -> Outcome | None:
    """Handle one event as the consumer would."""
    return await apply(store, event(data, sequence=sequence, at=at), now=now or at)


async def apply(store: MemoryStore, heard: Event[Any], *, now: datetime = NOW) -> Outcome | None:
    handling = handlers.events[heard.type]
    async with store.uow(now) as uow:
        uow.cause = heard.cause()
        if handling.needs is not None:
            await uow.prefetch(handling.needs(heard))
        return await handling.handle(heard, uow)


async def fire_due(store: MemoryStore, now: datetime) -> int:
    """Fire every timer that is due, as the timer worker would."""
    due = sorted(name for name, change in store.timers.items() if change.due and change.due <= now)
    for kind, key in due:
        change = store.timers.pop((kind, key))
        assert change.due is not None
        async with store.uow(now) as uow:
            uow.cause = change.cause
            await handlers.timers[kind].handle(Timer(kind, key, change.due), uow)
    return len(due)


def messages(store: MemoryStore, template: str | None = None) -> list[Notification]:
    found: Iterable[Notification] = store.all(NOTIFICATION)
    return [n for n in found if template is None or n.template == template]


def told(store: MemoryStore, template: str) -> dict[str, str]:
    """Recipient to state, or to state and reason."""
    return {
        n.recipient_id: f"{n.state}: {n.reason}" if n.reason else str(n.state)
        for n in messages(store, template)
    }


def person(person_id: str, **more: Any) -> PersonChanged:
    values: dict[str, Any] = {
        "person_id": person_id,
        "status": PersonStatus.ACTIVE,
        "given_name": "Ada",
        "family_name": person_id,
        "email": f"{person_id}@example.org",
        "department": "Research",
        "time_zone": "Europe/Berlin",
    }
    return PersonChanged(**values | more)


def erased(person_id: str) -> PersonErased:
    return PersonErased(person_id=person_id)


def programme(**more: Any) -> ProgrammeChanged:
    return ProgrammeChanged(programme_id=PROGRAMME_ID, **{"name": "Leadership"} | more)


def proposal(status: ProposalStatus = ProposalStatus.OPEN, **more: Any) -> ProposalChanged:
    values = {"proposal_id": "proposal-1", "status": status, "expires_at": NOW + 7 * DAY, **PAIR}
    return ProposalChanged(**values | more)


def started() -> RelationshipStarted:
    return RelationshipStarted(relationship_id="pair-1", started_at=NOW, **PAIR)


def ended(reason: EndReason = EndReason.LEFT, **more: Any) -> RelationshipEnded:
    values: dict[str, Any] = {
        "relationship_id": "pair-1",
        "started_at": NOW,
        "ended_at": NOW,
        "reason": reason,
        "requeue": Requeue.QUEUED,
        **PAIR,
    }
    return RelationshipEnded(**values | more)


def session(
    starts_at: datetime = NOW + 3 * DAY, status: SessionStatus = SessionStatus.BOOKED, minutes: int = 60
) -> SessionChanged:
    return SessionChanged(
        session_id="session-1",
        relationship_id="pair-1",
        status=status,
        starts_at=starts_at,
        minutes=minutes,
        **PAIR,
    )


def request(
    status: FeedbackStatus = FeedbackStatus.REQUESTED, author: str = MENTEE
) -> FeedbackRequestChanged:
    return FeedbackRequestChanged(
        feedback_request_id="request-1",
        session_id="session-1",
        relationship_id="pair-1",
        programme_id=PROGRAMME_ID,
        author_id=author,
        status=status,
        requested_at=NOW,
    )


async def with_people() -> MemoryStore:
    """A world in which both people and the programme are known."""
    store = world()
    for data in (person(MENTOR), person(MENTEE), programme()):
        await hear(store, data)
    return store
