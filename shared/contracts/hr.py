"""What an HR system may tell us (topic ``hr-intake``). The field list *is* the allow-list.

Whatever else a feed sends (pay, ratings, age, marital status, ...) is dropped before any write and
counted by field name. ``sequence`` of the envelope orders the events of one employee.
"""

from datetime import date
from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from shared.contracts.base import EventData, Key, Label

_ZONES = available_timezones()


def _known_zone(value: str) -> str:
    if value not in _ZONES:
        raise ValueError("is not a time zone of the IANA database")
    return value


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]
"""An IANA time zone name, for instance ``Europe/Berlin``."""

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
"""A BCP 47 language tag, for instance ``en`` or ``pt-BR``."""

Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]


class PersonRecorded(EventData):
    """HR's present record of one employee: the whole allowed record, not a difference."""

    TYPE: ClassVar[str] = "hr.person.recorded.v1"
    TOPIC: ClassVar[str] = "hr-intake"
    SUBJECT: ClassVar[str] = "employee_id"

    employee_id: Key
    """HR's own number of the employee: stable, never given to somebody else, never an e-mail address."""
    given_name: Label
    """Given name, as mails address the person."""
    family_name: Label
    """Family name."""
    email: Email
    """Address for the platform's mails. It may change; it identifies nobody."""
    manager_employee_id: Key | None = None
    """``employee_id`` of the direct manager; absent at the top. Pairs across this line are refused."""
    department: Label
    """Department, in HR's words."""
    team: Label | None = None
    """Team within the department."""
    office: Label | None = None
    """Place of work."""
    time_zone: TimeZone = "UTC"
    """The person's own zone by its IANA name: reminders and last days are counted in it."""
    languages: Annotated[list[Language], Field(max_length=20)] = ["en"]
    """Languages for mails and matching as BCP 47 tags, the preferred one first."""
    job_title: Label | None = None
    """Job title."""
    job_level: Annotated[int, Field(ge=1, le=20)] | None = None
    """Seniority as a number, 1 the most junior. Mentors are sought at a higher one."""
    hired_on: date | None = None
    """First day of the present employment."""


class PersonTerminated(EventData):
    """The employee leaves at the end of ``effective_on``, in the person's own time zone.

    A date in the past takes effect at once; a future one takes effect when it has passed, unless it is
    cancelled or replaced by a termination with a higher sequence.
    """

    TYPE: ClassVar[str] = "hr.person.terminated.v1"
    TOPIC: ClassVar[str] = "hr-intake"
    SUBJECT: ClassVar[str] = "employee_id"

    employee_id: Key
    """HR's own number of the employee."""
    effective_on: date
    """The last day of employment."""


class TerminationCancelled(EventData):
    """The employee stays after all; after the effective date it is a return with a new spell."""

    TYPE: ClassVar[str] = "hr.person.termination-cancelled.v1"
    TOPIC: ClassVar[str] = "hr-intake"
    SUBJECT: ClassVar[str] = "employee_id"

    employee_id: Key
    """HR's own number of the employee."""
