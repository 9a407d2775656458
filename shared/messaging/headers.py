"""The headers of a record: read, and compared with the event that they stand beside."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final, Protocol


class Reason(StrEnum):
    """Why a record went to the dead letters before any handler saw it."""

    NOT_UTF8 = "not_utf8"
    BAD_JSON = "bad_json"
    TOO_DEEP = "too_deep"
    NULL_VALUE = "null_value"
    WRONG_TYPE = "wrong_type"
    HEADERS_UNDECODABLE = "headers_undecodable"
    HEADERS_CONTRADICT = "headers_contradict"
    UNKNOWN_VERSION = "unknown_version"
    INVALID_DATA = "invalid_data"
    SUBJECT_CONTRADICTS = "subject_contradicts"
    ID_REUSED = "id_reused"
    UNEXPECTED = "unexpected"


class Dead(Exception):
    """Raised while decoding: the record is no event, and why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


Headers = Sequence[tuple[str, Any]]

STRUCTURED: Final = "application/cloudevents+json"
_STRUCTURED_UTF8: Final = f"{STRUCTURED}; charset=utf-8".encode()
_COMPARED: Final = tuple(
    (f"ce_{name}", name) for name in ("id", "source", "type", "subject", "tenant", "sequence")
)
_compared = itemgetter(*(header for header, _ in _COMPARED))
_OURS: Final = frozenset(
    (
        *(header for header, _ in _COMPARED),
        *("ce_specversion", "ce_time", "ce_correlationid", "ce_causationid", "traceparent", "content-type"),
    )
)


class Attributes(Protocol):
    """The part of an event that headers repeat."""

    id: str
    source: str
    type: str
    tenant: str
    subject: str | None
    sequence: str | int | None


def plain(headers: Headers) -> Mapping[str, bytes] | None:
    """Headers as our own services write them beside a structured event; None when anything about them is unusual,
    which is then for :func:`read` and :func:`compare` to judge. Nearly all records are plain: this is their way."""
    found: dict[str, bytes] = dict(headers)
    if (
        found.get("content-type") != _STRUCTURED_UTF8
        or len(found) != len(headers)
        or not _OURS.issuperset(found)
    ):
        return None
    try:
        return found if b"".join(found.values()).isascii() else None
    except TypeError:
        return None


def agree(found: Mapping[str, bytes], event: Attributes) -> bool:
    """Whether all that is compared stands in plain headers, and just as in the event."""
    try:
        beside = tuple([value.decode() for value in _compared(found)])
    except KeyError:
        return False
    return beside == (event.id, event.source, event.type, event.subject, event.tenant, event.sequence)


def read(headers: Headers) -> dict[str, str]:
    """Texts by lower-case name. Raises :class:`Dead`."""
    if not headers:
        return {}
    try:
        texts = [(name.lower(), value.decode()) for name, value in headers]
    except (UnicodeDecodeError, AttributeError):
        raise Dead(Reason.HEADERS_UNDECODABLE, "A header is null or not UTF-8.") from None
    found = dict(texts)
    if len(found) < len(texts) and any(found[name] != text for name, text in texts):
        raise Dead(Reason.HEADERS_CONTRADICT, "One header comes twice with two values.")
    return found


def compare(found: Mapping[str, str], event: Attributes) -> None:
    """Raises :class:`Dead` when a header contradicts the event. One that is missing contradicts nothing."""
    for header, name in _COMPARED:
        beside, said = found.get(header), getattr(event, name)
        if beside is not None and beside != said and beside != str(said):
            raise Dead(Reason.HEADERS_CONTRADICT, f"The header {header} contradicts the event.")
