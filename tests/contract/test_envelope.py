"""The publisher's check: one fault at a time, and the sentence that names it."""

import json
from typing import Any

import pytest

from shared.contracts.envelope import MAX_DEPTH, validate_event
from tests.contract.golden import objections, sample, schema

HR = "hr.person.recorded.v1"


def spoilt(name: str = HR, *, data: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    """The sample of *name* with attributes and fields replaced, or left out where the value is None."""
    event = sample(name)
    for target, changes in ((event, attributes), (event["data"], data or {})):
        for key, value in changes.items():
            target.pop(key, None)
            if value is not None:
                target[key] = value
    return json.dumps(event).encode()


UNREADABLE = {
    b"": "The body is empty",
    b" \n": "The body is empty",
    b"\xff\xfe": "The body is not UTF-8: byte 0",
    b'{"id": 1,}': "The body is not JSON: ",
    b"\xef\xbb\xbf{}": "The body is not JSON: ",
    b'{"id": NaN}': "The body is not JSON that can be accepted: NaN",
    b'{"id": "a", "id": "b"}': "The body is not JSON that can be accepted: a name occurs twice",
    b'{"id": ' + b"9" * 5000 + b"}": "The body is not JSON that can be accepted: a number",
    b"[" * 100_000: f"The body is nested deeper than {MAX_DEPTH}",
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1): f"The body is nested deeper than {MAX_DEPTH}",
    b"[]": "The event must be one JSON object",
    b"null": "The event must be one JSON object",
    b'{"id": "\\u0000"}': "A text holds a NUL character",
    b'{"id": "\\ud800"}': "A text holds half of a surrogate pair",
}


@pytest.mark.parametrize(("raw", "sentence"), UNREADABLE.items(), ids=range(len(UNREADABLE)))
def test_what_cannot_be_read(raw: bytes, sentence: str) -> None:
    [problem] = validate_event(raw)
    assert problem.startswith(sentence)


def test_depth_is_counted_from_the_outermost_object() -> None:
    deepest: Any = []
    for _ in range(MAX_DEPTH - 3):
        deepest = [deepest]
    assert validate_event(spoilt(data={"team": "x"}, extension=[deepest])) == []
    assert len(validate_event(spoilt(extension=[[deepest]]))) == 1


WRONG_ATTRIBUTE: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"tenant": None}, "tenant is missing."),
    "another version of CloudEvents": (
        {"specversion": "0.3"},
        "specversion is wrong: input should be '1.0'.",
    ),
    "a number as sequence": ({"sequence": 7}, "sequence is wrong: "),
    "a sequence beyond 64 bits": ({"sequence": "9" * 19}, "sequence is wrong: "),
    "a negative sequence": ({"sequence": "-1"}, "sequence is wrong: "),
    "a space in the id": ({"id": "a b"}, "id is wrong: "),
    "no zone": ({"time": "2026-02-02T03:10:00"}, "time is wrong: "),
    "seconds since 1970": ({"time": "1770000000"}, "time is wrong: write a moment as"),
    "no seconds": ({"time": "2026-02-02T03:10Z"}, "time is wrong: write a moment as"),
    "another media type": ({"datacontenttype": "text/xml"}, "datacontenttype is wrong: "),
    "a bad traceparent": ({"traceparent": "00-1-2-3"}, "traceparent is wrong: "),
    "data in base 64": ({"data_base64": "e30="}, "data_base64 is not accepted"),
    "an attribute in camel case": (
        {"correlationId": "x"},
        '"correlationId" cannot be an attribute: only lower-case letters and digits.'
        " Did you mean correlationid?",
    ),
    "an unknown version": (
        {"type": "hr.person.recorded.v2"},
        '"hr.person.recorded.v2" is a version that does not exist; there is hr.person.recorded.v1.',
    ),
    "an unknown type": (
        {"type": "hr.person.recordet.v1"},
        '"hr.person.recordet.v1" is not a known type: the event would be counted and passed over.'
        " Did you mean hr.person.recorded.v1?",
    ),
}


@pytest.mark.parametrize(("attributes", "sentence"), WRONG_ATTRIBUTE.values(), ids=WRONG_ATTRIBUTE)
def test_a_wrong_attribute(attributes: dict[str, Any], sentence: str) -> None:
    [problem] = validate_event(spoilt(**attributes))
    assert problem.startswith(sentence)


WRONG_DATA: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"department": None}, "data.department is missing."),
    "too long": ({"given_name": "x" * 201}, "data.given_name is wrong: "),
    "not an address": ({"email": "amina"}, "data.email is wrong: "),
    "an unknown zone": ({"time_zone": "Mars/Olympus"}, "data.time_zone is not a time zone"),
    "one bad item": ({"languages": ["en", "E"]}, "data.languages[1] is wrong: "),
    "a number as text": ({"job_level": "2"}, "data.job_level is wrong: "),
    "a number out of range": ({"job_level": 21}, "data.job_level is wrong: "),
    "a date as number": ({"hired_on": 20240819}, "data.hired_on is wrong: "),
    "a date as seconds": ({"hired_on": "1724025600"}, "data.hired_on is wrong: write a date as 2026-03-31."),
    "a day that is not": ({"hired_on": "2025-02-29"}, "data.hired_on is wrong: "),
    "another subject": ({"employee_id": "E1"}, "subject and data.employee_id differ"),
    "a misspelt field": (
        {"job_levle": 3},
        'data has no field "job_levle" in hr.person.recorded.v1: it would be dropped.'
        " Did you mean job_level?",
    ),
    "a field that is not allowed": (
        {"salary": 1},
        'data has no field "salary" in hr.person.recorded.v1: it would be dropped.',
    ),
}


@pytest.mark.parametrize(("data", "sentence"), WRONG_DATA.values(), ids=WRONG_DATA)
def test_wrong_data(data: dict[str, Any], sentence: str) -> None:
    [problem] = validate_event(spoilt(data=data))
    assert problem.startswith(sentence)


def test_an_address_as_subject() -> None:
    address = "a@acme.example"
    problems = validate_event(spoilt(subject=address, data={"employee_id": address}))
    assert [problem.split(":")[0] for problem in problems] == [
        "subject is wrong",
        "data.employee_id is wrong",
    ]


def test_data_that_is_no_object() -> None:
    [problem] = validate_event(json.dumps({**sample(HR), "data": "x"}).encode())
    assert problem.startswith("data is wrong: ")


def test_all_problems_are_told_at_once() -> None:
    assert len(validate_event(spoilt(tenant=None, id="a b", data={"email": "x", "department": None}))) == 4


def test_an_event_larger_than_its_topic() -> None:
    name = "mentoring.person.changed.v1"
    [problem] = validate_event(spoilt(name, extension="x" * 1024 * 1024))
    assert "the topic person takes at most 1044480" in problem


def test_no_sentence_repeats_a_value_of_the_data() -> None:
    words = "pay grade 7"
    for data in ({"email": words}, {"time_zone": words}, {"languages": [words]}, {"employee_id": words}):
        assert words not in " ".join(validate_event(spoilt(data=data)))
    raw = spoilt("mentoring.person.changed.v1", data={"skills_wanted": {words: 9, words * 40: 1}})
    problems = validate_event(raw)
    assert len(problems) == 2
    assert words not in " ".join(problems)


def test_unknown_extensions_pass() -> None:
    assert validate_event(spoilt(partitionkey="E1042", dataschema="urn:x")) == []


@pytest.mark.parametrize("without", ["correlationid", "causationid", "traceparent", "datacontenttype"])
def test_what_an_hr_system_may_leave_out(without: str) -> None:
    event = {name: value for name, value in sample(HR).items() if name != without}
    assert validate_event(json.dumps(event).encode()) == []
    assert objections(schema("envelope"), event) == []
