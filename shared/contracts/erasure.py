"""What is said when a person is forgotten: where the erasure stands, and each service's receipt. Ids only."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import EventData, Instant, Key, Label


class Service(StrEnum):
    """Who confirms."""

    PROFILES = "profiles"
    MATCHING = "matching"
    FEEDBACK = "feedback"
    NOTIFICATIONS = "notifications"


class ErasureStatus(StrEnum):
    """Where an erasure stands."""

    REQUESTED = "requested"
    """Not every service has confirmed yet."""
    CONFIRMED = "confirmed"
    """Every service has."""
    OVERDUE = "overdue"
    """A receipt is missing that should be there: an operator has to look."""


class ErasureChanged(EventData):
    """The erasure of one person: begun, confirmed by every service, or overdue."""

    TYPE: ClassVar[str] = "mentoring.erasure.changed.v1"
    TOPIC: ClassVar[str] = "erasure"
    SUBJECT: ClassVar[str] = "person_id"

    person_id: Key
    """Who is forgotten."""
    status: ErasureStatus
    """Where it stands."""
    requested_at: Instant
    """When it was asked for."""
    confirm_by: Instant
    """When every service should have confirmed."""
    gone_by: Instant
    """When nothing is left in topics either: their retention has passed."""
    confirmed_by: Annotated[list[Service], Field(max_length=len(Service))] = []
    """Who has confirmed so far."""


class ErasureConfirmed(EventData):
    """One service's receipt: it has deleted what it had of the person, and takes nothing older any more."""

    TYPE: ClassVar[str] = "mentoring.erasure.confirmed.v1"
    TOPIC: ClassVar[str] = "erasure-receipt"
    SUBJECT: ClassVar[str] = "receipt_id"

    receipt_id: Key
    """Id of the receipt: one for each service and person."""
    person_id: Key
    """Who is forgotten."""
    service: Service
    """Who confirms."""
    person_version: Annotated[int, Field(ge=1)]
    """Sequence of the tombstone on ``person`` that this answers."""
    erased_at: Instant
    """When it was done."""
    counts: Annotated[dict[Label, Annotated[int, Field(ge=0)]], Field(max_length=20)] = {}
    """How many rows of what (a name in the service's code) were deleted, emptied or ended."""
