"""What every published event's data has in common.

An event class is a Pydantic model with three class variables: its CloudEvents ``type``, the topic
that carries it and the field that holds the aggregate's id. Readers ignore fields they do not know,
so adding an optional field is compatible; anything else needs a new ``.vN`` beside the old one.
"""

from hashlib import sha1
from typing import Annotated, ClassVar
from uuid import NAMESPACE_URL, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:mentoring-platform").bytes


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain a NUL character")
    return value


Key = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]*$")
]
"""An opaque identifier: never a name, never an e-mail address. Safe in keys, paths and logs."""

Label = Annotated[str, StringConstraints(max_length=200), AfterValidator(_no_nul)]
"""A short human word (department, skill, title). At most 200 characters."""

Prose = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_no_nul)]
"""A person's own words. At most 4,000 characters."""

Instant = AwareDatetime
"""A moment, with its UTC offset."""


class EventData(BaseModel):
    """Base of the data of every event."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", str_strip_whitespace=True, use_attribute_docstrings=True
    )

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    SUBJECT: ClassVar[str]

    @property
    def subject(self) -> str:
        """The id of the aggregate that the event speaks of; also the Kafka message key."""
        return str(getattr(self, self.SUBJECT))


def derived_id(kind: str, *parts: str) -> str:
    """The one id that *parts* give for *kind*: the same words give the same id, everywhere, always.

    Natural keys made into ids are what makes a repeated command, a redelivered event and a rerun of a
    timer meet the same row instead of making a second one.
    """
    digest = bytearray(
        sha1(_NAMESPACE + "\x1f".join((kind, *parts)).encode(), usedforsecurity=False).digest()
    )
    digest[6] = digest[6] & 0x0F | 0x50  # the bits that make it a UUID of version 5 (RFC 9562)
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def person_id(tenant: str, employee_id: str) -> str:
    """The platform's id of the person whom HR calls *employee_id* in *tenant*."""
    return derived_id("person", tenant, employee_id)


__all__ = [
    "EventData",
    "Instant",
    "Key",
    "Label",
    "Prose",
    "derived_id",
    "person_id",
]
