"""The result does not depend on the order of arrival."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifications.domain.messages import Notification
from shared.contracts.base import EventData
from shared.contracts.pairs import EndReason, ProposalStatus
from shared.contracts.sessions import FeedbackStatus, SessionStatus
from shared.messaging.event import Event
from tests.support.memory import NOW, MemoryStore, event
from tests.unit.notifications.support import (
    DAY,
    MENTEE,
    MENTOR,
    apply,
    ended,
    messages,
    person,
    programme,
    proposal,
    request,
    session,
    started,
    world,
)

Heard = Event[Any]


def _versions(*states: EventData) -> list[Heard]:
    return [event(data, sequence=n, at=NOW + timedelta(hours=n)) for n, data in enumerate(states, 1)]


@st.composite
def session_stories(draw: st.DrawFn) -> list[Heard]:
    """Booked, moved a few times (never to where it is), perhaps cancelled or completed."""
    days = [draw(st.integers(1, 4))]
    for _ in range(draw(st.integers(0, 3))):
        days.append(draw(st.integers(1, 4).filter(lambda day: day != days[-1])))
    states = [session(NOW + day * DAY) for day in days]
    end = draw(st.sampled_from([None, SessionStatus.CANCELLED, SessionStatus.COMPLETED]))
    if end is not None:
        states.append(session(NOW + days[-1] * DAY, end))
    return _versions(*states)


@st.composite
def stories(draw: st.DrawFn) -> list[list[Heard]]:
    """What happened, one list per aggregate, each in order."""
    answered = draw(st.sampled_from([(), (FeedbackStatus.SUBMITTED,), (FeedbackStatus.CLOSED,)]))
    return [
        _versions(*(person(MENTOR, email=f"m{n}@example.org") for n in range(draw(st.integers(1, 2))))),
        _versions(person(MENTEE)),
        _versions(
            *(programme(session_reminder_hours=h) for h in draw(st.lists(st.integers(12, 60), max_size=3)))
        ),
        _versions(proposal(), proposal(ProposalStatus.ACCEPTED)),
        _versions(started(), ended(EndReason.NO_FAULT)),
        _versions(request(), *(request(status) for status in answered)),
        draw(session_stories()),
    ]


def _play(heard: Sequence[Heard]) -> MemoryStore:
    store = world()

    async def play() -> None:
        for one in heard:
            await apply(store, one)

    asyncio.run(play())
    return store


def _timeless(notification: Notification) -> Notification:
    """Without the facts that depend on what was known when it was queued."""
    facts = {name: value for name, value in notification.facts.items() if name != "before"}
    return replace(notification, facts=facts)


def _interleaved(draw: st.DrawFn, queues: list[list[Heard]]) -> Iterator[Heard]:
    left = [list(queue) for queue in queues if queue]
    while left:
        queue = draw(st.sampled_from(left))
        yield queue.pop(0)
        left = [each for each in left if each]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_topics_may_interleave_in_any_way(data: st.DataObject) -> None:
    told = data.draw(stories())
    plain = _play([one for queue in told for one in queue])
    other = _play(list(_interleaved(data.draw, told)))  # type: ignore[arg-type]
    for kind in plain.rows:
        rows = (plain.rows[kind], other.rows[kind])
        if kind == "notification":
            rows = tuple({key: _timeless(n) for key, n in each.items()} for each in rows)  # type: ignore[assignment]
        assert rows[0] == rows[1], kind
    assert {key: change.due for key, change in plain.timers.items()} == {
        key: change.due for key, change in other.timers.items()
    }
    assert sorted(map(repr, plain.said)) == sorted(map(repr, other.said))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_and_any_repetition_make_the_same_messages(data: st.DataObject) -> None:
    in_order = [one for queue in data.draw(stories()) for one in queue]
    shuffled = data.draw(st.permutations(in_order))
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(in_order), max_size=6))]
    plain, other = _play(in_order), _play(repeated)
    assert {n.id for n in messages(plain)} == {n.id for n in messages(other)}
    assert {key: change.due for key, change in plain.timers.items()} == {
        key: change.due for key, change in other.timers.items()
    }
    assert len(other.said) == len(messages(other)), "each message is said once"
