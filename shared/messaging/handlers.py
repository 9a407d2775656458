"""Which function of a service answers which event or timer.

A handler is ``async def (event, uow) -> Outcome | None``. It asks the unit of work for rows, decides by
calling the domain, puts rows, says events and sets timers. It never commits, retries or catches:
raising :class:`shared.errors.ServiceError` sends the event to the dead letters with that reason, and
anything else is a defect that the circuit counts.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from shared.contracts.base import EventData
from shared.messaging.event import Event
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow, Want

D = TypeVar("D", bound=EventData)


class Outcome(StrEnum):
    """What became of one record; the word the inbox keeps."""

    APPLIED = "applied"
    STALE = "stale"
    """Older than what is known: nothing to do."""
    UNKNOWN = "unknown"
    """A type this service has no handler for: passed and counted."""
    DEAD = "dead"


EventHandler = Callable[[Event[D], Uow], Awaitable[Outcome | None]]
Needs = Callable[[Event[D]], Iterable[Want]]
Prepare = Callable[[Sequence[Event[D]], Uow], Awaitable[None]]
TimerHandler = Callable[[Timer, Uow], Awaitable[None]]
TimerNeeds = Callable[[Timer], Iterable[Want]]


@dataclass(frozen=True, slots=True)
class Handling:
    """One event type's handler and what it will ask for."""

    event: type[EventData]
    handle: EventHandler[Any]
    needs: Needs[Any] | None
    prepare: Prepare[Any] | None = None


@dataclass(frozen=True, slots=True)
class TimerHandling:
    """One timer kind's handler; ``batch`` timers of it are fired in one transaction."""

    kind: str
    handle: TimerHandler
    batch: int
    needs: TimerNeeds | None = None


class Handlers:
    """The handlers of one service, filled by its ``handlers`` module."""

    def __init__(self) -> None:
        self._events: dict[str, Handling] = {}
        self._timers: dict[str, TimerHandling] = {}

    def on(
        self, event: type[D], *, needs: Needs[D] | None = None, prepare: Prepare[D] | None = None
    ) -> Callable[[EventHandler[D]], EventHandler[D]]:
        """Register the handler of *event*.

        *needs* names the rows that it will ask for, so that a batch can load and lock them all at once;
        leaving a row out costs a round trip, not correctness. *prepare* is called after that with all events
        of the type in a batch, to load in sets what only those rows tell of.
        """

        def register(handle: EventHandler[D]) -> EventHandler[D]:
            if event.TYPE in self._events:
                raise ValueError(f"two handlers for {event.TYPE}")
            self._events[event.TYPE] = Handling(event, handle, needs, prepare)
            return handle

        return register

    def timer(
        self, kind: str, *, batch: int = 100, needs: TimerNeeds | None = None
    ) -> Callable[[TimerHandler], TimerHandler]:
        """Register what happens when a timer of *kind* is due. The timer is gone with its commit."""

        def register(handle: TimerHandler) -> TimerHandler:
            if kind in self._timers:
                raise ValueError(f"two handlers for timer {kind}")
            self._timers[kind] = TimerHandling(kind, handle, batch, needs)
            return handle

        return register

    @property
    def events(self) -> Mapping[str, Handling]:
        return self._events

    @property
    def timers(self) -> Mapping[str, TimerHandling]:
        return self._timers

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that this service has to hear, by logical name."""
        return tuple(dict.fromkeys(handling.event.TOPIC for handling in self._events.values()))
