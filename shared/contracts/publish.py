"""Write the published form of the contracts: golden JSON Schemas, AsyncAPI and the event catalogue.

``python -m shared.contracts.publish`` writes them, ``--check`` only says whether they are current. A
golden schema that would break somebody who speaks the existing version is not overwritten: give the
event a new ``.vN`` instead, or insist with ``--allow-incompatible`` while nobody depends on it yet.

A command for a checkout with the ``dev`` extra; no service imports it. The output depends on the models
and the samples alone, so that a difference is always a change of the contract.
"""

import argparse
import ast
import difflib
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.contracts.base import EventData
from shared.contracts.compatibility import incompatibilities
from shared.contracts.envelope import CONTENT_TYPE, TOMBSTONE, Envelope
from shared.contracts.topics import DAY_MS, EVENTS, MIB, TOPIC, TOPICS, Topic

Schema = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parents[2]
_SCHEMAS: Final = Path("shared/contracts/schemas")
_SAMPLES: Final = Path("shared/contracts/samples")
_ASYNCAPI: Final = Path("docs/contracts/asyncapi.yaml")
_README: Final = Path("docs/contracts/README.md")
_EXAMPLES: Final = {
    "publish-example": Path("docs/contracts/publish_hr_event.py"),
    "read-example": Path("docs/contracts/read_events.py"),
}
_BINDING: Final = "0.5.0"


class _SchemaGenerator(GenerateJsonSchema):
    """JSON Schema without a title on every field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _markdown(schema: Any) -> Any:
    """*schema* with the descriptions' reStructuredText literals written as Markdown."""
    if isinstance(schema, str):
        return schema.replace("``", "`")
    if isinstance(schema, dict):
        return {name: _markdown(value) for name, value in schema.items()}
    return [_markdown(item) for item in schema] if isinstance(schema, list) else schema


def golden_schemas() -> dict[str, Schema]:
    """The JSON Schema of every event's data by type, and of the envelope (``envelope``)."""
    schemas = {"envelope": _golden("envelope", Envelope, {})}
    for name, event in EVENTS.items():
        schemas[name] = _golden(name, event, {"x-topic": event.TOPIC, "x-key": event.SUBJECT})
    return schemas


def _golden(name: str, model: type[BaseModel], routing: Schema) -> Schema:
    schema: Schema = _markdown(model.model_json_schema(schema_generator=_SchemaGenerator))
    head = ("title", "description")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:mentoring:schema:{name}",
        **{key: schema[key] for key in head if key in schema},
        **routing,
        **{key: value for key, value in schema.items() if key not in head},
    }


# ------------------------------------------------------------------------------------------- AsyncAPI


def asyncapi(samples: Mapping[str, Schema]) -> Schema:
    """The AsyncAPI 3.0 document. Operations are those of the topics' owners; anybody may read."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mentoring Platform",
            "version": "1.0.0",
            "description": (
                "The events that the services of the Mentoring Platform hear and say over Kafka.\n"
                "Addresses are logical: a deployment puts a prefix before them (by default `mentoring.`).\n"
                "Each event type carries its own version; README.md beside this file holds the rules."
            ),
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "kafka": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "Every deployment names its own brokers.",
            }
        },
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "messages": {
                **{name: _message(event, samples[name]) for name, event in EVENTS.items()},
                "dead-letter": _dead_letter_message(),
            },
            "schemas": _component_schemas(),
        },
    }


def _channel_id(topic: Topic) -> str:
    return topic.name.replace(".", "-")


def _message_ids(topic: Topic) -> list[str]:
    return [event.TYPE for event in topic.events] or ["dead-letter"]


def _channel(topic: Topic) -> Schema:
    configuration: Schema = {
        name: int(value) if value.isdigit() else value for name, value in topic.config.items()
    }
    configuration["cleanup.policy"] = [configuration["cleanup.policy"]]
    return {
        "address": topic.name,
        "title": topic.name,
        "description": topic.about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_ids(topic)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations() -> Iterator[tuple[str, Schema]]:
    for topic in TOPICS:
        action = "receive" if topic.intake else "send"
        channel = f"#/channels/{_channel_id(topic)}"
        for service in topic.writers:
            yield (
                f"{service}.{action}.{_channel_id(topic)}",
                {
                    "action": action,
                    "channel": {"$ref": channel},
                    "summary": topic.about,
                    "tags": [{"name": service}],
                    "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _message_ids(topic)],
                },
            )


def _message(event: type[EventData], sample: Schema) -> Schema:
    erased = event.TYPE == TOMBSTONE
    documented = _description(event)
    summary = documented.split("\n\n")[0].replace("\n", " ")
    payload: Schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Envelope"},
            {
                "type": "object",
                "properties": {
                    "type": {"const": event.TYPE},
                    "data": {"$ref": f"#/components/schemas/{event.__name__}"},
                },
            },
        ]
    }
    headers = {
        name: value for name, value in _headers(sample).items() if name != "content-type" or not erased
    }
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": summary,
        **({"description": documented} if documented != summary else {}),
        **({} if erased else {"contentType": "application/cloudevents+json"}),
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": {"$ref": f"#/components/schemas/{'TombstoneHeaders' if erased else 'Headers'}"},
        "payload": {"type": "null"} if erased else payload,
        "bindings": {"kafka": {"key": _key_schema(event), "bindingVersion": _BINDING}},
        "examples": [{"name": "sample", **({"headers": headers} if erased else {"payload": sample})}],
    }


def _description(model: type[BaseModel] | type[StrEnum]) -> str:
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def _key_schema(event: type[EventData]) -> Schema:
    field: Schema = golden_schemas()[event.TYPE]["properties"][event.SUBJECT]
    return {**field, "description": f"`{event.SUBJECT}`: the event's `subject`, in UTF-8."}


def _dead_letter_message() -> Schema:
    return {
        "name": "dead-letter",
        "title": "DeadLetter",
        "summary": "A record that a service could not accept.",
        "description": (
            "The original bytes, whatever they are. Headers say where the record came from, which consumer\n"
            "group refused it, why, and after how many attempts."
        ),
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {"description": "Any bytes, or null."},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The dead letter's id, the same as `dl_id`."},
                "bindingVersion": _BINDING,
            }
        },
    }


_DEAD_LETTER_HEADERS: Final = {
    "dl_id": "Id of the dead letter: the same for the same record, however often it dies.",
    "dl_tenant": "The tenant, or `-` where the record does not say.",
    "dl_topic": "The topic that it came from, without prefix.",
    "dl_partition": "The partition.",
    "dl_offset": "The offset.",
    "dl_timestamp": "The record's own timestamp, in milliseconds since 1970.",
    "dl_group": "The consumer group that refused it.",
    "dl_reason": "Why: a code.",
    "dl_detail": "Why: a sentence without personal data.",
    "dl_attempts": "How often it was tried.",
    "dl_key": "The record's own key, in base 64.",
    "dl_headers": "The record's own headers as JSON, values in base 64; `null` when there were too many.",
}


def _dead_letter_headers() -> Schema:
    return {
        "type": "object",
        "description": "In UTF-8.",
        "required": list(_DEAD_LETTER_HEADERS),
        "properties": {
            name: {"type": "string", "description": text} for name, text in _DEAD_LETTER_HEADERS.items()
        },
    }


def _component_schemas() -> Schema:
    models: list[type[BaseModel]] = [Envelope]
    models += (event for name, event in EVENTS.items() if name != TOMBSTONE)
    _, document = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=_SchemaGenerator,
    )
    headers = _headers_schema()
    tombstone = {
        "type": "object",
        "description": "Of a record without a value: the headers are the envelope, and the key is the data.",
        "required": [
            f"ce_{name}" for name in _HEADER_ATTRIBUTES if Envelope.model_fields[name].is_required()
        ],
        "properties": {
            name: value for name, value in headers["properties"].items() if name != "content-type"
        },
    }
    schemas = {
        **_markdown(document["$defs"]),
        "DeadLetterHeaders": _dead_letter_headers(),
        "Headers": headers,
        "TombstoneHeaders": tombstone,
    }
    return {name: schemas[name] for name in sorted(schemas)}


_HEADER_ATTRIBUTES: Final = tuple(
    name for name in Envelope.model_fields if name not in ("datacontenttype", "traceparent", "data")
)


def _headers_schema() -> Schema:
    properties: Schema = {
        "content-type": {
            "type": "string",
            "pattern": "^application/cloudevents\\+json(; ?charset=utf-8)?$",
            "description": "Says that the value is a whole CloudEvent.",
        }
    }
    for name in _HEADER_ATTRIBUTES:
        properties[f"ce_{name}"] = {"type": "string", "description": f"The same as `{name}` of the value."}
    properties["traceparent"] = {"type": "string", "description": "W3C trace context."}
    return {
        "type": "object",
        "description": "In UTF-8. What a header repeats must agree with the value.",
        "required": ["content-type"],
        "properties": properties,
    }


def _headers(sample: Schema) -> dict[str, str]:
    headers = {"content-type": CONTENT_TYPE}
    headers |= {f"ce_{name}": str(sample[name]) for name in _HEADER_ATTRIBUTES if name in sample}
    return headers | ({"traceparent": sample["traceparent"]} if "traceparent" in sample else {})


class _Dumper(yaml.SafeDumper):
    """YAML for people: long texts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.text)


def _yaml(document: Schema) -> str:
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Generated by `python -m shared.contracts.publish`.\n" + body


# ------------------------------------------------------------------------------------------ Catalogue


def catalogue(text: str, samples: Mapping[str, Schema], root: Path = ROOT) -> str:
    """*text*, the catalogue, with its generated parts (between HTML comments) made anew."""
    sections = {
        "topics": _topic_table(),
        "envelope": _field_table(Envelope),
        "events": "\n\n".join(_event_section(topic) for topic in TOPICS if topic.events),
        "sample": _fenced("json", _json(samples["mentoring.relationship.started.v1"])),
        **{name: _fenced("python", (root / path).read_text("utf-8")) for name, path in _EXAMPLES.items()},
    }
    for name, body in sections.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"{_README} lacks {begin} … {end}.")
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
            _description(event),
            _field_table(event),
        )
    return "\n\n".join(parts)


def _field_table(model: type[BaseModel]) -> str:
    return _table(("Field", "Type", "Required", "Meaning"), _field_rows(model, ""))


def _field_rows(model: type[BaseModel], above: str) -> Iterator[tuple[str, str, str, str]]:
    """One row for each field; the fields of an object follow it, under its name."""
    schema = _golden("", model, {})
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


# -------------------------------------------------------------------------------------------- Command


def _json(document: Schema) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_samples(root: Path = ROOT) -> dict[str, Schema]:
    """The hand-written sample of every event type. Raises ``SystemExit`` naming those that are missing."""
    missing = [name for name in EVENTS if not (root / _SAMPLES / f"{name}.json").is_file()]
    if missing:
        raise SystemExit(f"Write a sample first: {', '.join(f'{_SAMPLES}/{name}.json' for name in missing)}")
    return {name: json.loads((root / _SAMPLES / f"{name}.json").read_text("utf-8")) for name in EVENTS}


def render(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file, relative to *root*, as it should be."""
    samples = read_samples(root)
    files = {_SCHEMAS / f"{name}.json": _json(schema) for name, schema in golden_schemas().items()}
    files[_ASYNCAPI] = _yaml(asyncapi(samples))
    files[_README] = catalogue((root / _README).read_text("utf-8"), samples, root)
    return files


def broken_promises(root: Path = ROOT) -> list[str]:
    """What in the models breaks the golden schemas under *root*; each sentence begins with the type."""
    current = golden_schemas()
    problems = []
    for path in sorted((root / _SCHEMAS).glob("*.json")):
        if path.stem not in current:
            problems.append(f"{path.stem}: the event is gone, but others still speak of it.")
            continue
        event = EVENTS.get(path.stem)
        published = event is None or not TOPIC[event.TOPIC].intake
        found = incompatibilities(
            json.loads(path.read_text("utf-8")), current[path.stem], published=published
        )
        problems += [f"{path.stem}: {problem}" for problem in found]
    return problems


def _drift(root: Path, files: Mapping[Path, str]) -> Iterator[str]:
    for path, text in files.items():
        present = (root / path).read_text("utf-8") if (root / path).is_file() else ""
        yield from difflib.unified_diff(
            present.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"{path} (file)",
            f"{path} (models)",
        )
    for stray in sorted((root / _SCHEMAS).glob("*.json")):
        if stray.relative_to(root) not in files:
            yield f"{stray.relative_to(root)} belongs to no event.\n"


def _write(root: Path, files: Mapping[Path, str]) -> int:
    written = 0
    for stray in sorted((root / _SCHEMAS).glob("*.json")):
        if stray.relative_to(root) not in files:
            stray.unlink()
            written += 1
    for path, text in files.items():
        target = root / path
        if not target.is_file() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
            written += 1
    return written


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command: 0 when all is well, 1 on drift or on a refusal."""
    parser = argparse.ArgumentParser(prog="python -m shared.contracts.publish", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with a diff on drift")
    parser.add_argument(
        "--allow-incompatible",
        action="store_true",
        help="overwrite golden schemas although readers may break",
    )
    options = parser.parse_args(arguments)
    broken = broken_promises(root)
    files = render(root)
    if options.check:
        drift = "".join(_drift(root, files))
        sys.stdout.write(drift)
        for problem in broken:
            print("Incompatible:", problem)
        if drift:
            print("The published contracts are not current: run `python -m shared.contracts.publish`.")
        return 1 if drift or broken else 0
    if broken and not options.allow_incompatible:
        for problem in broken:
            print("Incompatible:", problem)
        print("Nothing was written. Give the event a new version, or insist with --allow-incompatible.")
        return 1
    print(f"{_write(root, files)} of {len(files)} files written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
