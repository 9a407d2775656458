"""The AsyncAPI document is whole: every reference resolves, every topic and event is there, examples fit.

The published JSON Schema of AsyncAPI 3.0 is not in a Python package, so these checks and FastStream's
models of the specification stand for it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from faststream.specification.asyncapi.v3_0_0.schema.schema import ApplicationSchema

from shared.contracts import EVENTS, SERVICES, TOPICS
from tests.contract.golden import DOCS, objections, sample

DOCUMENT: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text("utf-8"))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def resolve(reference: str) -> Any:
    assert reference.startswith("#/")
    node: Any = DOCUMENT
    for part in reference[2:].split("/"):
        node = node[part]
    return node


def test_faststream_can_read_it() -> None:
    document = {**DOCUMENT, "servers": {"kafka": {**DOCUMENT["servers"]["kafka"], "pathname": ""}}}
    parsed = ApplicationSchema.model_validate(document)
    assert parsed.asyncapi == "3.0.0"
    assert {channel.address for channel in parsed.channels.values()} == {topic.name for topic in TOPICS}


def test_every_reference_resolves() -> None:
    for reference in set(references(DOCUMENT)):
        assert resolve(reference), reference


def test_nothing_is_defined_for_nobody() -> None:
    used = set(references(DOCUMENT))
    for kind, members in DOCUMENT["components"].items():
        assert {f"#/components/{kind}/{name}" for name in members} <= used


def test_there_are_only_words_of_the_specification() -> None:
    assert DOCUMENT.keys() == {
        "asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components",
    }  # fmt: skip
    for channel in DOCUMENT["channels"].values():
        assert channel.keys() == {"address", "title", "description", "messages", "bindings"}
    for message in DOCUMENT["components"]["messages"].values():
        assert message.keys() <= {
            "name", "title", "summary", "description", "contentType", "correlationId", "headers", "payload",
            "bindings", "examples",
        }  # fmt: skip


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_channel_says_what_the_topic_is(topic: Any) -> None:
    [channel] = [one for one in DOCUMENT["channels"].values() if one["address"] == topic.name]
    binding = channel["bindings"]["kafka"]
    configuration = binding["topicConfiguration"]
    assert set(channel["messages"]) == ({event.TYPE for event in topic.events} or {"dead-letter"})
    assert binding["partitions"] == topic.partitions
    assert configuration["max.message.bytes"] == topic.max_bytes
    assert configuration["cleanup.policy"] == ["compact" if topic.compacted else "delete"]
    assert ("retention.ms" in configuration) is not topic.compacted


def test_only_writers_send_and_only_profiles_hears_hr() -> None:
    operations = DOCUMENT["operations"]
    for topic in TOPICS:
        action = "receive" if topic.intake else "send"
        for writer in topic.writers:
            operation = operations[f"{writer}.{action}.{topic.name.replace('.', '-')}"]
            assert operation["action"] == action
            channel = operation["channel"]["$ref"]
            assert resolve(channel)["address"] == topic.name
            assert all(
                message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"]
            )
    assert len(operations) == sum(len(topic.writers) for topic in TOPICS)
    assert {operation["tags"][0]["name"] for operation in operations.values()} == set(SERVICES)


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_fits_its_message(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    [example] = message["examples"]
    for part in ("payload", "headers"):
        if part in example:
            document = {**DOCUMENT, "$ref": f"#/components/messages/{name}/{part}"}
            assert objections(document, example[part]) == []


@pytest.mark.parametrize("name", EVENTS)
def test_a_message_refuses_the_events_of_others(name: str) -> None:
    document = {**DOCUMENT, "$ref": f"#/components/messages/{name}/payload"}
    others = [other for other in EVENTS if other != name]
    assert all(objections(document, sample(other)) for other in others)


def test_erasure_is_a_null_with_headers() -> None:
    message = DOCUMENT["components"]["messages"]["mentoring.person.erased.v1"]
    assert message["payload"] == {"type": "null"}
    assert "ce_id" in resolve(message["headers"]["$ref"])["required"]
