"""Mentees and their way to a mentor: who waits, since when, and why not."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from services.matching.domain.people import Person, PersonStatus


class Standing(StrEnum):
    """Whether a mentee may be matched, and if not, why. A function of person and enrolments alone."""

    UNKNOWN = "unknown"
    ELIGIBLE = "eligible"
    LEFT = "left"
    NOT_ENROLLED = "not-enrolled"
    NO_CONSENT = "no-consent"


class Place(StrEnum):
    """Where a mentee is on the way to a mentor."""

    FREE = "free"
    """Has nobody; waits if eligible."""
    PROPOSED = "proposed"
    """Has an open proposal."""
    PAIRED = "paired"
    """Has a mentor."""
    DONE = "done"
    """Has reached the goal; waits again only after enrolling anew."""


class Found(StrEnum):
    """What the last round found for a mentee who waits."""

    NOT_TRIED = "not-tried-yet"
    NO_CANDIDATE = "no-candidate"
    ALL_FULL = "all-full"


@dataclass(frozen=True, slots=True)
class Mentee:
    """One mentee in one programme. In the pool exactly while ``standing`` is eligible and ``place`` free."""

    programme_id: str
    person_id: str
    enrolment_id: str
    standing: Standing = Standing.UNKNOWN
    place: Place = Place.FREE
    since: date | None = None
    """Waiting since; kept while a proposal is open, empty for whoever does not wait."""
    found: Found = Found.NOT_TRIED
    priority: int = 0
    """1 for whoever has lost a mentor: served before the others."""

    @property
    def waits(self) -> bool:
        return self.standing is Standing.ELIGIBLE and self.place is Place.FREE

    def judged(self, standing: Standing, today: date) -> "Mentee":
        """The same mentee with *standing*."""
        return replace(self, standing=standing)._dated(today)

    def moved(self, place: Place, today: date, *, priority: int | None = None) -> "Mentee":
        """The same mentee at another place; whatever the last round found no longer counts."""
        kept = self.priority if priority is None else priority
        return replace(self, place=place, found=Found.NOT_TRIED, priority=kept)._dated(today)

    def _dated(self, today: date) -> "Mentee":
        hopes = self.standing is Standing.ELIGIBLE and self.place in (Place.FREE, Place.PROPOSED)
        if hopes == (self.since is not None):
            return self
        return replace(self, since=today if hopes else None, found=Found.NOT_TRIED)


def standing_of(person: Person, *, enrolled: bool) -> Standing:
    """A mentee's standing. Leaving outweighs all else, so that the two events of a leaving, which come by
    two topics in any order, end in the same standing."""
    if person.status in (PersonStatus.LEFT, PersonStatus.ERASED):
        return Standing.LEFT
    if not enrolled:
        return Standing.NOT_ENROLLED
    if person.status is PersonStatus.UNKNOWN:
        return Standing.UNKNOWN
    return Standing.ELIGIBLE if person.matching_consent else Standing.NO_CONSENT
