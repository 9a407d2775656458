"""Topics that take no records for now, each with a time of its own until the next try."""

import time
from typing import Final

from shared.runtime.backoff import backoff

_LONGEST_SECONDS: Final = 5.0


class HeldTopics:
    """Which topics a relay passes over, so that one that is missing or refuses holds up no other.

    A topic is held as a whole and not by key or partition: its rows stay in order, and reading around it is one
    condition.
    """

    def __init__(self, first_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._held: dict[str, tuple[int, float]] = {}

    def __bool__(self) -> bool:
        """Whether any topic has failed and not been found well since."""
        return bool(self._held)

    def hold(self, topic: str) -> None:
        """Pass *topic* over for a while, longer with each failure in a row."""
        failures = self._held.get(topic, (0, 0.0))[0] + 1
        wait = backoff(failures, first=self._first_seconds, longest=_LONGEST_SECONDS)
        self._held[topic] = failures, time.monotonic() + wait

    def release(self, topic: str) -> None:
        """It has taken records."""
        self._held.pop(topic, None)

    def waiting(self) -> list[str]:
        """The topics whose time has not come yet."""
        now = time.monotonic()
        return [topic for topic, (_, until) in self._held.items() if until > now]
