"""An event as a handler sees it: envelope attributes and validated data."""

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from shared.contracts.base import EventData
from shared.persistence.uow import Cause

D = TypeVar("D", bound=EventData)


class Event(msgspec.Struct, Generic[D], frozen=True, gc=False):
    """One received event. ``sequence`` is the aggregate's version; ``subject`` the aggregate's id."""

    id: str
    source: str
    type: str
    tenant: str
    subject: str
    sequence: int
    time: datetime
    correlation_id: str
    traceparent: str | None
    data: D
    dropped_fields: tuple[str, ...] = ()
    """Names of top-level data fields that the contract does not have (they were not kept)."""

    def cause(self) -> Cause:
        """What is done because of this event carries its correlation and names it as the cause."""
        return Cause(self.correlation_id, self.id, self.traceparent)
