"""Erasure: a person is forgotten, and stays so, whatever HR repeats.

The row that is left holds the derived id, numbers and moments. It is three things at once: the request with
the receipts that have come, the version that the person's next event must exceed, and the suppression of
everything that HR says of the former employment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from services.profiles.domain.people import NEVER, Person

CONFIRMING: Final = timedelta(hours=25)
"""In seconds when all is well. An hour more than Kafka's compaction lag: see :func:`checked`."""
TOMBSTONES: Final = 3
"""So often the tombstone is said at least, so long apart: see :func:`checked`."""
HORIZON: Final = timedelta(days=7)
"""When nothing is left on any topic: the bound of every topic's retention."""


class ErasureStatus(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's last erasure. ``version`` is that of its own published state."""

    person_id: str
    version: int
    first_tombstone: int
    """The person's version with which this erasure began; a receipt must answer it or a later one."""
    person_version: int
    """The person's version of the last tombstone."""
    record_sequence: int
    employment_sequence: int
    """HR's highest sequences so far, in both facets: a replay is older than these, also after a return."""
    status: ErasureStatus
    requested_at: datetime
    requested_by: str
    """Subject of whoever asked for it."""
    confirm_by: datetime
    receipts: dict[str, Any] = field(default_factory=dict)
    """By service, when it has erased and how many rows of what."""
    lifted_at: datetime | None = None
    """When the person was hired again; until then nothing that HR says brings them back."""

    @property
    def holds(self) -> bool:
        """Whether the person is suppressed."""
        return self.lifted_at is None

    @property
    def gone_by(self) -> datetime:
        return self.requested_at + HORIZON

    def missing(self, services: tuple[str, ...]) -> list[str]:
        """The services that have not confirmed."""
        return [service for service in services if service not in self.receipts]


def begun(person: Person, before: Erasure | None, *, by: str, now: datetime) -> Erasure:
    """*person* is forgotten now. *before* is the erasure of an earlier employment."""
    tombstone = person.version + 1
    return Erasure(
        person_id=person.person_id,
        version=before.version if before else 0,
        first_tombstone=tombstone,
        person_version=tombstone,
        record_sequence=person.record_sequence,
        employment_sequence=person.employment_sequence,
        status=ErasureStatus.REQUESTED,
        requested_at=now,
        requested_by=by,
        confirm_by=now + CONFIRMING,
    )


def with_receipt(
    erasure: Erasure,
    service: str,
    *,
    person_version: int,
    erased_at: datetime,
    counts: Mapping[str, int],
    services: tuple[str, ...],
) -> Erasure:
    """With the receipt of one service, unless it answers an earlier erasure."""
    if person_version < erasure.first_tombstone:
        return erasure
    receipts = {**erasure.receipts, service: {"erased_at": erased_at.isoformat(), "counts": dict(counts)}}
    after = replace(erasure, receipts=receipts)
    return after if after.missing(services) else replace(after, status=ErasureStatus.CONFIRMED)


def asked_again(erasure: Erasure) -> Erasure:
    """With one more tombstone."""
    return replace(erasure, person_version=erasure.person_version + 1)


def checked(erasure: Erasure, now: datetime, services: tuple[str, ...]) -> Erasure:
    """After :data:`CONFIRMING`: one more tombstone, and *overdue* if a receipt is missing.

    Kafka never compacts a partition's last segment, and only an append begins a new one; in a quiet
    organisation none may come for weeks. So the second tombstone lets what came before the first be
    compacted away. A relay that was frozen may have sent an older state after the first: that is outdone by
    the second, but only once the third has closed the second's segment. Each also finds what was written
    about the person while the one before was on its way.
    """
    after = asked_again(erasure)
    if not after.missing(services):
        return after
    return replace(after, status=ErasureStatus.OVERDUE, confirm_by=now + CONFIRMING)


def unfinished(erasure: Erasure, services: tuple[str, ...]) -> bool:
    """Whether one more tombstone is to come."""
    said = erasure.person_version - erasure.first_tombstone + 1
    return said < TOMBSTONES or bool(erasure.missing(services))


def admits(erasure: Erasure, hired_on: date | None, sequence: int) -> bool:
    """Whether HR's record is of a new employment: hired after the day of the erasure, in a newer record."""
    is_new = hired_on is not None and hired_on > erasure.requested_at.date()
    return is_new and sequence > erasure.record_sequence


def returned(erasure: Erasure, employee_id: str, now: datetime) -> tuple[Erasure, Person]:
    """The erasure lifted, and a person of whom nothing is known but how far the versions have come."""
    person = Person(
        erasure.person_id,
        employee_id,
        version=erasure.person_version,
        record_sequence=erasure.record_sequence,
        employment_sequence=erasure.employment_sequence,
    )
    return replace(erasure, lifted_at=now), person


def heard(erasure: Erasure, *, record: int = NEVER, employment: int = NEVER) -> Erasure:
    """After HR has spoken of somebody who is forgotten: only the sequence is kept."""
    return replace(
        erasure,
        record_sequence=max(erasure.record_sequence, record),
        employment_sequence=max(erasure.employment_sequence, employment),
    )
