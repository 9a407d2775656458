"""Every kind of change of a schema, and whether it breaks somebody."""

from typing import Any

import pytest
from pydantic import BaseModel

from shared.contracts.compatibility import incompatibilities
from shared.contracts.published.schemas import golden_schemas

Schema = dict[str, Any]


def record(required: tuple[str, ...] = (), /, **properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT = {"type": "string", "minLength": 1, "maxLength": 10}
WORDS = {"type": "array", "items": TEXT, "maxItems": 5}
STATES = {"type": "string", "enum": ["open", "closed"]}
WEIGHTS = {
    "type": "object",
    "propertyNames": {"maxLength": 20},
    "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 5},
}

BREAKS_EVERYBODY = {
    "a property removed": (record(a=TEXT), record(), "a: removed"),
    "a new required property": (record(), record(("a",), a=TEXT), "a: new and required"),
    "an optional property required": (record(a=TEXT), record(("a",), a=TEXT), "a: required now"),
    "an unknown property required": (record(), record(("a",)), "a: required now"),
    "another type": (record(a=TEXT), record(a={"type": "integer"}), "a: type changed from string to integer"),
    "a narrower type": (record(a={"type": "number"}), record(a={"type": "integer"}), "a: type changed"),
    "a type where there was none": (record(a={}), record(a=TEXT), "a: type changed from anything to string"),
    "null no longer": (record(a=nullable(TEXT)), record(a=TEXT), "a: null is no longer allowed"),
    "null no longer, in a list of types": (
        record(a={"type": ["string", "null"]}),
        record(a={"type": "string"}),
        "a: null is no longer allowed",
    ),
    "an alternative removed": (
        record(a={"anyOf": [TEXT, {"type": "integer"}]}),
        record(a=TEXT),
        "a: type changed from integer to string",
    ),
    "nothing allowed": (record(a=TEXT), record(a=False), "a: type changed from string to nothing"),
    "an enum value removed": (
        record(a=STATES),
        record(a={"type": "string", "enum": ["open"]}),
        "a: value 'closed' removed",
    ),
    "a constant changed": (
        record(a={"const": "1.0"}),
        record(a={"const": "2.0"}),
        "a: value '1.0' removed",
    ),
    "an enum where there was none": (record(a={"type": "string"}), record(a=STATES), "a: only some values"),
    "maxLength lowered": (
        record(a=TEXT),
        record(a={**TEXT, "maxLength": 9}),
        "a: maxLength tightened (10 to 9)",
    ),
    "maxLength added": (record(a={"type": "string"}), record(a=TEXT), "a: maxLength tightened (none to 10)"),
    "minLength raised": (record(a=TEXT), record(a={**TEXT, "minLength": 2}), "a: minLength tightened"),
    "minimum raised": (
        record(a={"type": "integer", "minimum": 0}),
        record(a={"type": "integer", "minimum": 1}),
        "a: minimum tightened (0 to 1)",
    ),
    "maximum lowered": (
        record(a={"type": "integer", "maximum": 5}),
        record(a={"type": "integer", "maximum": 4}),
        "a: maximum tightened",
    ),
    "exclusiveMinimum added": (
        record(a={"type": "integer"}),
        record(a={"type": "integer", "exclusiveMinimum": 0}),
        "a: exclusiveMinimum tightened",
    ),
    "maxItems lowered": (record(a=WORDS), record(a={**WORDS, "maxItems": 1}), "a: maxItems tightened"),
    "maxProperties added": (
        record(a=WEIGHTS),
        record(a={**WEIGHTS, "maxProperties": 3}),
        "a: maxProperties tightened",
    ),
    "pattern added": (record(a=TEXT), record(a={**TEXT, "pattern": "^x"}), "a: pattern added"),
    "pattern changed": (
        record(a={**TEXT, "pattern": "^x"}),
        record(a={**TEXT, "pattern": "^y"}),
        "a: pattern changed",
    ),
    "format changed": (
        record(a={"type": "string", "format": "date"}),
        record(a={"type": "string", "format": "date-time"}),
        "a: format changed",
    ),
    "unique items demanded": (
        record(a=WORDS),
        record(a={**WORDS, "uniqueItems": True}),
        "a: uniqueItems added",
    ),
    "a keyword unknown to us": (record(a=TEXT), record(a={**TEXT, "not": {"const": "x"}}), "a: not added"),
    "items tightened": (
        record(a=WORDS),
        record(a={**WORDS, "items": {**TEXT, "maxLength": 1}}),
        "a[]: maxLength tightened",
    ),
    "items of another type": (
        record(a=WORDS),
        record(a={**WORDS, "items": {"type": "integer"}}),
        "a[]: type changed",
    ),
    "values of a map tightened": (
        record(a=WEIGHTS),
        record(a={**WEIGHTS, "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 3}}),
        "a{}: maximum tightened (5 to 3)",
    ),
    "names of a map tightened": (
        record(a=WEIGHTS),
        record(a={**WEIGHTS, "propertyNames": {"maxLength": 5}}),
        "a{name}: maxLength tightened",
    ),
    "unknown fields refused": (
        record(a=TEXT),
        {**record(a=TEXT), "additionalProperties": False},
        "The event: unknown fields are refused now",
    ),
    "inside a nested object": (record(a=record(b=TEXT)), record(a=record()), "a.b: removed"),
    "a default changed": (
        record(a={"type": "integer", "default": 7}),
        record(a={"type": "integer", "default": 14}),
        "a: default changed from 7 to 14",
    ),
    "another topic": (
        {"x-topic": "session", **record()},
        {"x-topic": "meeting", **record()},
        "The event: x-topic changed from session to meeting",
    ),
    "another key": ({"x-key": "a", **record()}, {"x-key": "b", **record()}, "The event: x-key changed"),
}

BREAKS_READERS = {
    "an enum value added": (
        record(a=STATES),
        record(a={"type": "string", "enum": ["open", "closed", "paused"]}),
        "a: value 'paused' added",
    ),
    "an enum opened": (record(a=STATES), record(a={"type": "string"}), "a: any value is possible now"),
    "null added": (record(a=TEXT), record(a=nullable(TEXT)), "a: null is now possible"),
    "an alternative added": (
        record(a=TEXT),
        record(a={"anyOf": [TEXT, {"type": "integer"}]}),
        "a: integer is now possible",
    ),
    "a wider type": (
        record(a={"type": "integer"}),
        record(a={"type": "number"}),
        "a: type widened from integer to number",
    ),
    "any type": (record(a={"type": "integer"}), record(a={}), "a: type widened from integer to anything"),
    "a required property optional": (record(("a",), a=TEXT), record(a=TEXT), "a: optional now"),
    "maxLength raised": (record(a=TEXT), record(a={**TEXT, "maxLength": 99}), "a: maxLength loosened"),
    "minLength removed": (
        record(a=TEXT),
        record(a={"type": "string", "maxLength": 10}),
        "a: minLength loosened beyond what readers expect (1 to none)",
    ),
    "pattern removed": (record(a={**TEXT, "pattern": "^x"}), record(a=TEXT), "a: pattern removed"),
    "a field that old readers refuse": (
        {**record(), "additionalProperties": False},
        {**record(a=TEXT), "additionalProperties": False},
        "a: new, but readers of this version refuse unknown fields",
    ),
    "unknown fields allowed": (
        {**record(), "additionalProperties": False},
        record(),
        "The event: unknown fields are possible now",
    ),
}

HARMLESS = {
    "nothing": (record(("a",), a=TEXT), record(("a",), a=TEXT)),
    "an optional field added": (record(a=TEXT), record(a=TEXT, b=TEXT)),
    "an optional field with a default added": (record(), record(b={"type": "integer", "default": 7})),
    "words changed": (
        record(a={**TEXT, "description": "old", "title": "A"}),
        {**record(a={**TEXT, "description": "new", "examples": ["x"]}), "description": "Better."},
    ),
    "properties in another order": (record(a=TEXT, b=WORDS), record(b=WORDS, a=TEXT)),
    "enum values in another order": (
        record(a=STATES),
        record(a={"type": "string", "enum": ["closed", "open"]}),
    ),
    "alternatives in another order": (
        record(a=nullable(TEXT)),
        record(a={"anyOf": [{"type": "null"}, TEXT]}),
    ),
    "a list of types instead of alternatives": (
        record(a={"type": ["string", "null"]}),
        record(a=nullable({"type": "string"})),
    ),
    "a reference instead of the schema": (
        record(a=TEXT),
        {**record(a={"$ref": "#/$defs/Text"}), "$defs": {"Text": TEXT}},
    ),
    "a renamed definition": (
        {**record(a={"$ref": "#/$defs/Old", "default": "x"}), "$defs": {"Old": TEXT}},
        {**record(a={"$ref": "#/$defs/New", "default": "x"}), "$defs": {"New": TEXT}},
    ),
    "a constant as an enum": (record(a={"const": "x", "type": "string"}), record(a={"enum": ["x"]})),
    "true for the empty schema": (record(a=True), record(a={})),
}


@pytest.mark.parametrize(("old", "new", "why"), BREAKS_EVERYBODY.values(), ids=BREAKS_EVERYBODY)
@pytest.mark.parametrize("published", [True, False], ids=["published", "heard"])
def test_a_change_that_makes_valid_events_invalid(
    old: Schema, new: Schema, why: str, published: bool
) -> None:
    problems = incompatibilities(old, new, published=published)
    assert any(problem.startswith(why) for problem in problems), problems


@pytest.mark.parametrize(("old", "new", "why"), BREAKS_READERS.values(), ids=BREAKS_READERS)
def test_a_change_that_readers_are_not_ready_for(old: Schema, new: Schema, why: str) -> None:
    problems = incompatibilities(old, new)
    assert len(problems) == 1, problems
    assert problems[0].startswith(why)
    assert incompatibilities(old, new, published=False) == []


@pytest.mark.parametrize(("old", "new"), HARMLESS.values(), ids=HARMLESS)
@pytest.mark.parametrize("published", [True, False], ids=["published", "heard"])
def test_a_harmless_change(old: Schema, new: Schema, published: bool) -> None:
    assert incompatibilities(old, new, published=published) == []


class _OldNode(BaseModel):
    value: int
    next: "_OldNode | None" = None
    children: list["_OldNode"] = []


class _NewNode(BaseModel):
    value: str
    next: "_NewNode | None" = None
    children: list["_NewNode"] = []


def test_recursive_schemas_end() -> None:
    old, new = _OldNode.model_json_schema(), _NewNode.model_json_schema()
    assert incompatibilities(old, old) == []
    assert any(problem.startswith("value: type changed") for problem in incompatibilities(old, new))


def test_an_event_agrees_with_itself_and_with_no_other() -> None:
    schemas = golden_schemas()
    for name, one in schemas.items():
        assert incompatibilities(one, one) == []
        assert all(
            incompatibilities(one, other) for other_name, other in schemas.items() if other_name != name
        )
