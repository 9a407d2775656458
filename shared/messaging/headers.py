"""The headers of a record: read, and compared with the event that they stand beside."""

from collections.abc import Callable, Mapping, Sequence
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
_NEEDED: Final = {"content-type", *(header for header, _ in _COMPARED)}
_OURS: Final = _NEEDED | {"ce_specversion", "ce_time", "ce_correlationid", "ce_causationid", "traceparent"}


class Attributes(Protocol):
    """The part of an event that headers repeat."""

    id: str
    source: str
    type: str
    tenant: str
    subject: str | None
    sequence: str | int | None


class Plain:
    """Recognises headers as our own services write them beside a structured event, and nearly all are. Everything
    unusual is left to :func:`read` and :func:`compare`. Remembers how the headers of one producer are laid out."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._content_type = 0
        self._compared: Callable[[Sequence[Any]], tuple[bytes, ...]] = tuple

    def compared(self, headers: Headers) -> tuple[str, ...] | None:
        """What :func:`said` must be equal to; None when the headers are unusual."""
        if not headers:
            return None
        names, values = zip(*headers, strict=True)
        if names != self._names and not self._learn(names):
            return None
        try:
            if values[self._content_type] != _STRUCTURED_UTF8 or not b"".join(values).isascii():
                return None
        except TypeError:  # a header is null
            return None
        return tuple(map(bytes.decode, self._compared(values)))

    def _learn(self, names: tuple[str, ...]) -> bool:
        if len(set(names)) < len(names) or not _NEEDED <= set(names) <= _OURS:
            return False
        self._names = names
        self._content_type = names.index("content-type")
        self._compared = itemgetter(*(names.index(header) for header, _ in _COMPARED))
        return True


def said(event: Attributes) -> tuple[object, ...]:
    """What headers repeat of an event."""
    return event.id, event.source, event.type, event.subject, event.tenant, event.sequence


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
