"""Golden JSON Schemas: what others validate against."""

import inspect
import json
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.contracts.envelope import Envelope
from shared.contracts.topics import EVENTS

Schema = dict[str, Any]


class SchemaGenerator(GenerateJsonSchema):
    """JSON Schema without a title on every field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def markdown(schema: Any) -> Any:
    """*schema* with the descriptions' reStructuredText literals written as Markdown."""
    if isinstance(schema, str):
        return schema.replace("``", "`")
    if isinstance(schema, dict):
        return {name: markdown(value) for name, value in schema.items()}
    return [markdown(item) for item in schema] if isinstance(schema, list) else schema


def golden_schemas() -> dict[str, Schema]:
    """The JSON Schema of every event's data by type, and of the envelope (``envelope``)."""
    schemas = {"envelope": golden("envelope", Envelope, {})}
    for name, event in EVENTS.items():
        schemas[name] = golden(name, event, {"x-topic": event.TOPIC, "x-key": event.SUBJECT})
    return schemas


def golden(name: str, model: type[BaseModel], routing: Schema) -> Schema:
    """One model's JSON Schema; *routing* stands after its title and description."""
    schema: Schema = markdown(model.model_json_schema(schema_generator=SchemaGenerator))
    head = ("title", "description")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:mentoring:schema:{name}",
        **{key: schema[key] for key in head if key in schema},
        **routing,
        **{key: value for key, value in schema.items() if key not in head},
    }


def description(model: type[BaseModel] | type[StrEnum]) -> str:
    """A docstring as Markdown."""
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def as_json(document: Schema) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
