"""Each sample is a good event for the model, for the golden schemas and for the publisher's check."""

import json

import pytest

from shared.contracts import EVENTS, TOPIC
from shared.contracts.envelope import TOMBSTONE, Envelope, validate_event
from tests.contract.golden import SAMPLES, objections, sample, schema

BODY = f"{TOMBSTONE} is a record without a value: its attributes go into headers, and there is no body."


@pytest.mark.parametrize("name", EVENTS)
def test_the_models_accept_it(name: str) -> None:
    envelope = Envelope.model_validate_json((SAMPLES / f"{name}.json").read_bytes(), strict=True)
    data = EVENTS[name].model_validate_json(json.dumps(envelope.data), strict=True)
    assert envelope.type == name
    assert envelope.subject == data.subject


@pytest.mark.parametrize("name", EVENTS)
def test_the_golden_schemas_accept_it(name: str) -> None:
    assert objections(schema("envelope"), sample(name)) == []
    assert objections(schema(name), sample(name)["data"]) == []


@pytest.mark.parametrize("name", EVENTS)
def test_the_check_finds_nothing_but_a_tombstone_with_a_body(name: str) -> None:
    problems = validate_event((SAMPLES / f"{name}.json").read_bytes())
    assert problems == ([BODY] if name == TOMBSTONE else [])


@pytest.mark.parametrize("name", EVENTS)
def test_it_shows_every_field(name: str) -> None:
    optional = {"manager_id", "team", "office", "job_title", "job_level", "hired_on", "reason"}
    assert set(schema(name)["properties"]) - set(sample(name)["data"]) <= optional


@pytest.mark.parametrize("name", EVENTS)
def test_it_comes_from_the_topics_owner(name: str) -> None:
    topic = TOPIC[EVENTS[name].TOPIC]
    source = sample(name)["source"]
    if topic.name == "hr-intake":
        assert not source.startswith("urn:mentoring:")
    else:
        assert source in {f"urn:mentoring:{writer}" for writer in topic.writers}
