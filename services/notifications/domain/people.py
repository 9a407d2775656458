"""Whom we write to: the copy of a person that mails need, and what the person wants to receive."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self


class ContactState(StrEnum):
    """What is known of a person."""

    UNKNOWN = "unknown"
    """Somebody spoke of the person before *profiles* did: a stub, so that messages can wait at it."""
    ACTIVE = "active"
    LEFT = "left"
    ERASED = "erased"
    """Forgotten: nothing personal is left, and nothing is sent any more."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A copy of one person, version by version. Names and address are there when active or left only."""

    person_id: str
    version: int
    state: ContactState
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    time_zone: str | None = None
    language: str | None = None

    @classmethod
    def unknown(cls, person_id: str) -> Self:
        return cls(person_id, 0, ContactState.UNKNOWN)

    @classmethod
    def erased(cls, person_id: str, version: int) -> Self:
        return cls(person_id, version, ContactState.ERASED)

    @property
    def known(self) -> bool:
        """Whether names and address are there."""
        return self.state in (ContactState.ACTIVE, ContactState.LEFT)

    @property
    def full_name(self) -> str:
        return f"{self.given_name or ''} {self.family_name or ''}".strip()


@dataclass(frozen=True, slots=True)
class Preference:
    """What a person wants to receive. Everything, unless the person has said otherwise."""

    person_id: str
    email_enabled: bool = True
    session_reminders: bool = True
    feedback_reminders: bool = True

    def chosen(self, *, email_enabled: bool, session_reminders: bool, feedback_reminders: bool) -> Self:
        """The same person's choice, made anew."""
        return replace(
            self,
            email_enabled=email_enabled,
            session_reminders=session_reminders,
            feedback_reminders=feedback_reminders,
        )
