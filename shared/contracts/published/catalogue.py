"""The event catalogue: tables of topics, events and fields in words."""

import ast
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.contracts.envelope import Envelope
from shared.contracts.published.schemas import Schema, as_json, description, golden
from shared.contracts.topics import DAY_MS, MIB, TOPICS, Topic

_EXAMPLES: Final = {
    "publish-example": Path("docs/contracts/publish_hr_event.py"),
    "read-example": Path("docs/contracts/read_events.py"),
}


def catalogue(text: str, samples: Mapping[str, Schema], root: Path) -> str:
    """*text*, the catalogue, with its generated parts (between HTML comments) made anew."""
    sections = {
        "topics": _topic_table(),
        "envelope": _field_table(Envelope),
        "events": "\n\n".join(_event_section(topic) for topic in TOPICS if topic.events),
        "sample": _fenced("json", as_json(samples["mentoring.relationship.started.v1"])),
        **{name: _fenced("python", (root / path).read_text("utf-8")) for name, path in _EXAMPLES.items()},
    }
    for name, body in sections.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"The catalogue lacks {begin} … {end}.")
        text = f"{before}{begin}\n{body}\n{end}{after}"
    return text


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join([_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)])


def _topic_table() -> str:
    head = ("Topic", "Owner", "What it holds", "Key", "Partitions", "Kept", "Largest record", "Personal data")
    return _table(head, (_topic_row(topic) for topic in TOPICS))


def _topic_row(topic: Topic) -> Iterator[str]:
    yield f"`{topic.name}`"
    yield topic.owner
    yield topic.about
    yield topic.key
    yield str(topic.partitions)
    if topic.retention_days is None:
        config = topic.config
        lag, tombstones = int(config["max.compaction.lag.ms"]), int(config["delete.retention.ms"])
        yield f"newest per key (within {lag // DAY_MS} day), tombstones {tombstones // DAY_MS} days more"
    else:
        yield f"{topic.retention_days} days"
    yield f"{topic.max_bytes // MIB} MiB"
    yield "**yes**" if topic.personal else "no"


def _event_section(topic: Topic) -> str:
    parts: list[str] = []
    for event in topic.events:
        parts += (
            f"### `{event.TYPE}`",
            f"On `{topic.name}`; key and `subject` are `{event.SUBJECT}`.",
            description(event),
            _field_table(event),
        )
    return "\n\n".join(parts)


def _field_table(model: type[BaseModel]) -> str:
    return _table(("Field", "Type", "Required", "Meaning"), _field_rows(model, ""))


def _field_rows(model: type[BaseModel], above: str) -> Iterator[tuple[str, str, str, str]]:
    """One row for each field; the fields of an object follow it, under its name."""
    schema = golden("", model, {})
    required = schema.get("required", [])
    for name, field in model.model_fields.items():
        part = schema["properties"][name]
        default = json.dumps(part.get("default"), ensure_ascii=False)
        yield (
            f"`{above}{name}`",
            _type_words(part, schema.get("$defs", {})),
            "yes" if name in required else "no" if default == "null" else f"no: `{default}`",
            _meaning(field),
        )
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _field_rows(field.annotation, f"{above}{name}.")


def _meaning(field: FieldInfo) -> str:
    text = (field.description or "").replace("``", "`").replace("\n", " ")
    if not (isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum)):
        return text
    meanings = _member_docs(field.annotation)
    known = [f"`{member}`: {meanings[member.name]}" for member in field.annotation if member.name in meanings]
    return " ".join((text, *known))


def _member_docs(enum: type[StrEnum]) -> dict[str, str]:
    """The string under each member, which Python itself does not keep."""
    found = {}
    definition = ast.parse(inspect.getsource(enum)).body[0]
    for member, text in pairwise(definition.body if isinstance(definition, ast.ClassDef) else ()):
        match member, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = inspect.cleandoc(words).replace("``", "`").replace("\n", " ")
    return found


_KEY_PATTERN: Final[str] = Envelope.model_json_schema()["properties"]["tenant"]["pattern"]
_FORMATS: Final = {"date": "date", "date-time": "moment"}


def _type_words(part: Schema, definitions: Schema) -> str:
    if "$ref" in part:
        return _type_words(definitions[part["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in part:
        return " or ".join(_type_words(branch, definitions) for branch in part["anyOf"])
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return "one of " + ", ".join(f"`{value}`" for value in part["enum"])
    match part.get("type"):
        case "array":
            return f"list of {_type_words(part['items'], definitions)}{_at_most(part, 'maxItems')}"
        case "object" if isinstance(part.get("additionalProperties"), dict):
            names = _type_words({"type": "string", **part.get("propertyNames", {})}, definitions)
            values = _type_words(part["additionalProperties"], definitions)
            return f"map of {names} to {values}{_at_most(part, 'maxProperties')}"
        case "integer" | "number" as kind:
            return f"{kind}{_range(part)}"
        case "string":
            return _string_words(part)
        case other:
            return str(other)


def _string_words(part: Schema) -> str:
    if part.get("pattern") == _KEY_PATTERN:
        return "id"
    if "format" in part:
        return _FORMATS[part["format"]]
    return f"text ≤ {part['maxLength']}" if "maxLength" in part else "text"


def _at_most(part: Schema, keyword: str) -> str:
    return f", at most {part[keyword]}" if keyword in part else ""


def _range(part: Schema) -> str:
    if "maximum" in part:
        return f" {part['minimum']} to {part['maximum']}"
    return f" from {part['minimum']}" if "minimum" in part else ""
