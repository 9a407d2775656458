"""Consent: what a person agrees to, when it was decided and by whom."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Purpose(StrEnum):
    """What somebody can agree to."""

    MATCHING = "matching"
    """To be proposed as a partner, with the attributes that this needs."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The present decision. A repeated one keeps the time of the first."""

    person_id: str
    purpose: Purpose
    granted: bool
    decided_at: datetime
    decided_by: str
    """Subject of whoever decided: the person, or the coordinator who enrolled them with their consent."""


def is_granted(consent: Consent | None) -> bool:
    """No decision is no consent."""
    return consent is not None and consent.granted


def only_person_can_grant(consent: Consent | None, *, person_id: str, decided_by: str) -> bool:
    """Somebody who has said no is not overruled: only the same person can say yes again."""
    return consent is not None and not consent.granted and decided_by != person_id
