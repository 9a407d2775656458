"""The AsyncAPI document: topics as channels, event types as messages, with samples."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.contracts.base import EventData
from shared.contracts.envelope import CONTENT_TYPE, TOMBSTONE, Envelope
from shared.contracts.published.schemas import Schema, SchemaGenerator, description, golden_schemas, markdown
from shared.contracts.topics import EVENTS, TOPICS, Topic

_BINDING: Final = "0.5.0"


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
    documented = description(event)
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
        schema_generator=SchemaGenerator,
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
        **markdown(document["$defs"]),
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


def as_yaml(document: Schema) -> str:
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Generated by `python -m shared.contracts.publish`.\n" + body
