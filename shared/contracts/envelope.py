"""The CloudEvents 1.0 envelope around every event, and a check that helps those who publish.

Services do not validate with this model on their hot path; it is what the schemas, the documents and
``mentoring`` show and check. A problem is one English sentence that names attributes and fields, never
the values of ``data``.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from shared.contracts.base import EventData, Instant, Key
from shared.contracts.people import PersonErased
from shared.contracts.topics import EVENTS, TOPIC

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
"""The ``content-type`` header of a record that holds a whole event."""

MAX_DEPTH: Final = 32
"""How deep arrays and objects of one event may be nested."""

TOMBSTONE: Final = PersonErased.TYPE
"""The one event that is a record without a value; its headers are the envelope."""

HEADER_ROOM: Final = 4096
"""Bytes of a topic's record limit that are kept for key, headers and Kafka's own framing."""

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
"""Visible ASCII without spaces."""

EventType = Annotated[
    str, StringConstraints(max_length=128, pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*\.v[1-9][0-9]*$")
]


class _TimeFormat(NamedTuple):
    form: re.Pattern[str]
    example: str


_TIME_FORMATS: Final = {
    "date": _TimeFormat(re.compile(r"\d{4}-\d\d-\d\d", re.ASCII), "a date as 2026-03-31"),
    "date-time": _TimeFormat(
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII),
        "a moment as 2026-03-31T17:00:00Z (RFC 3339)",
    ),
}
"""Stricter than pydantic, which also takes seconds since 1970 as text and moments without seconds."""


class Envelope(BaseModel):
    """One event as CloudEvents 1.0 in structured JSON. Unknown extension attributes are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    specversion: Literal["1.0"]
    """The version of CloudEvents."""
    id: Identifier
    """Unique within ``source``. The same event sent again has the same id and the same body."""
    source: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
    """Who says it, as a URI: ``urn:mentoring:<service>``, or a name of your own for HR's systems."""
    type: EventType
    """What happened, with the version of its data at the end."""
    subject: Key
    """Id of the aggregate that it happened to. Also the record's key: it keeps the order."""
    time: Instant
    """When it happened (RFC 3339, with a zone)."""
    datacontenttype: Literal["application/json"] = "application/json"
    """The media type of ``data``."""
    sequence: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
    """A number as a string of digits. It grows with every event of one subject: the higher one is newer."""
    tenant: Key
    """The organisation that it belongs to."""
    correlationid: Identifier | None = None
    """Common to all events of one story. When it is absent, the event's own id begins one."""
    causationid: Identifier | None = None
    """Id of the event that caused this one."""
    traceparent: (
        Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
        | None
    ) = None
    """W3C trace context."""
    data: dict[str, Any]
    """The event itself, as its type says."""


def validate_event(raw: bytes) -> list[str]:
    """Everything that keeps *raw*, the value of a record, from being a good event; empty when it is one."""
    document, problem = _parse(raw)
    if problem:
        return [problem]
    if not isinstance(document, dict):
        return ["The event must be one JSON object; send the events of a batch as records of their own."]
    if strange := list(_strange_text(document)):
        return strange
    return [
        *_envelope_problems(raw, document),
        *_type_problems(document.get("type")),
        *_data_problems(raw, document),
    ]


def _parse(raw: bytes) -> tuple[Any, str]:
    if not raw.strip():
        return None, "The body is empty; only a compacted topic takes a record without a value."
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        return None, f"The body is not UTF-8: byte {error.start} does not belong there."
    except json.JSONDecodeError as error:
        return None, f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    except RecursionError:
        return None, f"The body is nested deeper than {MAX_DEPTH} levels."
    except _NotAccepted as error:
        return None, f"The body is not JSON that can be accepted: {error}."
    except ValueError:
        return None, "The body is not JSON that can be accepted: a number has too many digits."
    if _depth(document) > MAX_DEPTH:
        return None, f"The body is nested deeper than {MAX_DEPTH} levels."
    return document, ""


class _NotAccepted(ValueError):
    """JSON that Python would read, and others would not, or not alike."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _NotAccepted("a name occurs twice in one object")
    return result


def _no_constant(name: str) -> None:
    raise _NotAccepted(f"{name} is not a JSON number")


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while nested := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _texts(document: Any) -> Iterable[str]:
    todo = [document]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo.extend((*item.keys(), *item.values()))
        elif isinstance(item, list):
            todo.extend(item)


def _strange_text(document: dict[str, Any]) -> Iterable[str]:
    if any("\x00" in text for text in _texts(document)):
        yield "A text holds a NUL character, which cannot be stored."
    if any("\ud800" <= character <= "\udfff" for text in _texts(document) for character in text):
        yield "A text holds half of a surrogate pair, which is not a character."


def _envelope_problems(raw: bytes, document: Mapping[str, Any]) -> Iterable[str]:
    for name in document:
        if name == "data_base64":
            yield "data_base64 is not accepted: data must be JSON."
        elif not re.fullmatch(r"[a-z0-9]+", name):
            plain = re.sub(r"[^a-z0-9]", "", name.lower())
            hint = _did_you_mean(plain, Envelope.model_fields)
            yield f"{_quoted(name)} cannot be an attribute: only lower-case letters and digits.{hint}"
    yield from _model_problems(Envelope, raw, document, "")


def _type_problems(name: Any) -> Iterable[str]:
    if not isinstance(name, str) or name in EVENTS:
        return
    stem, _, _ = name.rpartition(".v")
    versions = [known for known in EVENTS if known.rpartition(".v")[0] == stem]
    if versions:
        yield (
            f"{_quoted(name)} is a version that does not exist; there is {', '.join(versions)}."
            " It would become a dead letter."
        )
        return
    hint = _did_you_mean(name, EVENTS) or f" Known are {', '.join(EVENTS)}."
    yield f"{_quoted(name)} is not a known type: the event would be counted and passed over.{hint}"


def _data_problems(raw: bytes, document: Mapping[str, Any]) -> Iterable[str]:
    name, data = document.get("type"), document.get("data")
    event = EVENTS.get(name) if isinstance(name, str) else None
    if event is None:
        return
    if name == TOMBSTONE:
        yield f"{name} is a record without a value: its attributes go into headers, and there is no body."
    limit = TOPIC[event.TOPIC].max_bytes - HEADER_ROOM
    if len(raw) > limit:
        yield f"The event has {len(raw)} bytes; the topic {event.TOPIC} takes at most {limit}."
    if not isinstance(data, dict):
        return
    yield from _model_problems(event, json.dumps(data).encode(), data, "data.")
    subject, identity = document.get("subject"), data.get(event.SUBJECT)
    if isinstance(subject, str) and isinstance(identity, str) and subject != identity:
        yield f"subject and data.{event.SUBJECT} differ; both and the record's key are the aggregate's id."
    yield from _unknown_fields(event, data)


def _unknown_fields(event: type[EventData], data: Mapping[str, Any]) -> Iterable[str]:
    for name in data:
        if name not in event.model_fields:
            hint = _did_you_mean(name, event.model_fields)
            yield f"data has no field {_quoted(name)} in {event.TYPE}: it would be dropped.{hint}"


def _model_problems(
    model: type[BaseModel], raw: bytes, document: Mapping[str, Any], prefix: str
) -> Iterable[str]:
    wrong: set[str] = set()
    try:
        model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            location = problem["loc"]
            wrong.add(str(location[0]) if location else "")
            yield f"{prefix}{_place(location)} {_wording(problem['type'], problem['msg'])}"
    for name, time_format in _time_fields(model):
        value = document.get(name)
        if name not in wrong and isinstance(value, str) and not time_format.form.fullmatch(value):
            yield f"{prefix}{name} is wrong: write {time_format.example}."


def _place(location: tuple[int | str, ...]) -> str:
    """``languages[2]``; the keys of a map stay unsaid, because they are somebody's words."""
    if not location:
        return "the object"
    first, *rest = location
    return str(first) + "".join(f"[{part}]" if isinstance(part, int) else "[…]" for part in rest)


def _wording(kind: str, message: str) -> str:
    if kind == "missing":
        return "is missing."
    if kind == "value_error":
        return message.removeprefix("Value error, ") + "."
    return "is wrong: " + message[:1].lower() + message[1:] + "."


@cache
def _time_fields(model: type[BaseModel]) -> Sequence[tuple[str, _TimeFormat]]:
    return [
        (name, _TIME_FORMATS[part["format"]])
        for name, schema in model.model_json_schema()["properties"].items()
        for part in (schema, *schema.get("anyOf", ()))
        if part.get("format") in _TIME_FORMATS
    ]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _quoted(name: str) -> str:
    return json.dumps(name if len(name) <= 80 else name[:80] + "…")


__all__ = ["CONTENT_TYPE", "HEADER_ROOM", "MAX_DEPTH", "TOMBSTONE", "Envelope", "validate_event"]
