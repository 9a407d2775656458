"""Whatever a golden schema allows, the model takes, and says again in the same words."""

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.contracts import EVENTS
from shared.contracts.envelope import TOMBSTONE, validate_event
from shared.contracts.matching import contradictions
from tests.contract.golden import objections, sample, schema

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\x00")
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def texts(part: dict[str, Any]) -> st.SearchStrategy[str]:
    match part.get("format"):
        case "date":
            return st.dates().map(lambda day: day.isoformat())
        case "date-time":
            return st.datetimes(timezones=ZONES).map(lambda moment: moment.isoformat())
    most = part.get("maxLength", 50)
    if "pattern" in part:
        form = st.from_regex(part["pattern"].replace("$", r"\Z"), alphabet=CHARACTERS)
        return form.filter(lambda text: len(text) <= most)
    return st.text(CHARACTERS, min_size=part.get("minLength", 0), max_size=min(most, 50))


def values(part: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in part:
        return values(root["$defs"][part["$ref"].rpartition("/")[2]], root)
    if "anyOf" in part:
        return st.one_of([values(branch, root) for branch in part["anyOf"]])
    if "enum" in part:
        return st.sampled_from(part["enum"])
    match part["type"]:
        case "array":
            least, most = part.get("minItems", 0), min(part["maxItems"], 3)
            return st.lists(values(part["items"], root), min_size=least, max_size=most)
        case "object" if "properties" in part:
            return records(part, root)
        case "object":
            names = texts(part.get("propertyNames", {}))
            return st.dictionaries(names, values(part["additionalProperties"], root), max_size=3)
        case "integer":
            return st.integers(part.get("minimum"), part.get("maximum", 2**53))
        case "number":
            return st.floats(part["minimum"], part["maximum"])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return texts(part)


def records(part: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(value, root) for name, value in part["properties"].items()}
    if "time_zone" in fields:
        fields["time_zone"] = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Chatham"])
    required = {name: fields.pop(name) for name in part.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def possible(name: str, data: dict[str, Any]) -> bool:
    """Whether fields, each allowed by itself, agree with each other, which a schema cannot say."""
    matching = _without_none(data.get("matching", {}))
    decided = matching | {part: _without_none(matching.get(part, {})) for part in ("rules", "weights")}
    return name != "mentoring.programme.changed.v1" or not contradictions(
        data.get("minimum_level_gap", 1), decided
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("name", [name for name in EVENTS if name != TOMBSTONE])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(choice=st.data())
def test_schema_model_and_check_agree(name: str, choice: st.DataObject) -> None:
    document, event = schema(name), EVENTS[name]
    data = choice.draw(values(document, document))
    assert objections(document, data) == []
    assume(possible(name, data))
    model = event.model_validate_json(json.dumps(data), strict=True)
    said = json.loads(model.model_dump_json())
    assert objections(document, said) == []
    assert event.model_validate_json(json.dumps(said), strict=True) == model
    envelope = {**sample(name), "subject": model.subject, "data": data}
    assert validate_event(json.dumps(envelope).encode()) == []
