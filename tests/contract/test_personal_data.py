"""Personal data has few homes: outside them events hold ids, states, moments and numbers."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.contracts import EVENTS, TOPIC, TOPICS, Topic
from shared.contracts.base import EventData
from shared.contracts.topics import DAY_MS
from tests.contract.golden import schema

PERSONAL_TOPICS = {
    "hr-intake", "person", "enrolment", "dlt.profiles", "dlt.matching", "dlt.feedback", "dlt.notifications",
}  # fmt: skip

WORDS_THAT_NAME_NOBODY = {
    "mentoring.programme.changed.v1": {"name"},
    "mentoring.proposal.changed.v1": {"reasons"},
    "mentoring.notification.changed.v1": {"template", "reason"},
    "mentoring.erasure.confirmed.v1": {"counts"},
}
"""Free text on topics without personal data, each with a reason: a programme's name is an organisation's
own word; reasons are general sentences of the engine; a template is a name in our code; the reason of a
failure is a code; what is counted has a name in our code."""

PERSONAL_NAMES = {
    "given_name", "family_name", "email", "department", "team", "office", "time_zone", "languages",
    "job_title", "job_level", "hired_on", "skills_offered", "skills_wanted", "interests", "goals",
    "working_style", "employee_id", "manager_employee_id", "phone", "address", "birth", "gender",
    "comment", "notes", "text",
}  # fmt: skip

ELSEWHERE = [event for event in EVENTS.values() if not TOPIC[event.TOPIC].personal]
KEY_PATTERN = schema("envelope")["properties"]["tenant"]["pattern"]


def leaves(part: dict[str, Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plain values that *part* can be made of, names of maps among them."""
    if "$ref" in part:
        yield from leaves(root["$defs"][part["$ref"].rpartition("/")[2]], root)
    elif "anyOf" in part:
        for branch in part["anyOf"]:
            yield from leaves(branch, root)
    elif part["type"] == "array":
        yield from leaves(part["items"], root)
    elif "properties" in part:
        for field in part["properties"].values():
            yield from leaves(field, root)
    elif part["type"] == "object":
        yield {"type": "string", **part.get("propertyNames", {})}
        yield from leaves(part["additionalProperties"], root)
    else:
        yield part


def says_nothing_personal(leaf: dict[str, Any]) -> bool:
    return (
        leaf["type"] in ("integer", "number", "boolean", "null")
        or "enum" in leaf
        or leaf.get("format") in ("date", "date-time")
        or leaf.get("pattern") == KEY_PATTERN
    )


def test_the_personal_topics_are_the_known_ones() -> None:
    assert {topic.name for topic in TOPICS if topic.personal} == PERSONAL_TOPICS


@pytest.mark.parametrize("event", ELSEWHERE, ids=lambda event: event.TYPE)
def test_other_events_hold_no_words_of_a_person(event: type[EventData]) -> None:
    document = schema(event.TYPE)
    wordy = {
        name
        for name, part in document["properties"].items()
        if not all(says_nothing_personal(leaf) for leaf in leaves(part, document))
    }
    assert wordy == WORDS_THAT_NAME_NOBODY.get(event.TYPE, set())


@pytest.mark.parametrize("event", ELSEWHERE, ids=lambda event: event.TYPE)
def test_other_events_have_no_personal_field(event: type[EventData]) -> None:
    assert not PERSONAL_NAMES & event.model_fields.keys()


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.TYPE)
def test_the_key_is_an_opaque_id(event: type[EventData]) -> None:
    assert schema(event.TYPE)["properties"][event.SUBJECT]["pattern"] == KEY_PATTERN
    assert event.SUBJECT in schema(event.TYPE)["required"]


def test_personal_topics_forget() -> None:
    for topic in TOPICS:
        if topic.personal:
            assert topic.compacted or (topic.retention_days or 99) <= 7
        else:
            assert not topic.compacted


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_no_record_outstays_the_days_that_are_promised(topic: Topic) -> None:
    """Kafka deletes whole segments: the first record of one waits for the last to be old enough."""
    words = {
        event.TYPE
        for event in topic.events
        if topic.personal or "reasons" in WORDS_THAT_NAME_NOBODY.get(event.TYPE, set())
    }
    if topic.compacted:
        assert int(topic.config["max.compaction.lag.ms"]) <= DAY_MS
    elif words or topic.personal:
        longest = int(topic.config["retention.ms"]) + int(topic.config["segment.ms"])
        assert longest < 7 * DAY_MS == (topic.retention_days or 0) * DAY_MS
