"""CloudEvents: complete, in two encodings, and the same bytes whenever they say the same."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from deploy.local.hr.events import HrEvent, Mode, make_event
from deploy.local.hr.organisation import make_organisation
from shared.contracts.hr import PersonRecorded

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
MEMBER = make_organisation(1, 3).members[0]


def event(sequence: int = 1, at: datetime = AT, source: str = "urn:example:hris") -> HrEvent:
    return make_event(
        source=source,
        tenant="acme",
        type=PersonRecorded.TYPE,
        subject=MEMBER.employee_id,
        sequence=sequence,
        at=at,
        data=MEMBER.hr_data(),
    )


def test_structured_mode_has_the_whole_event_in_the_value() -> None:
    key, value, headers = event(7).encode()
    assert key == b"E000001"
    assert headers == (("content-type", b"application/cloudevents+json"),)
    body = json.loads(value or b"")
    assert body.pop("data") == MEMBER.hr_data()
    assert UUID(body.pop("id")).version == 5
    assert UUID(body.pop("correlationid")).version == 5
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", body.pop("traceparent"))
    assert body == {
        "specversion": "1.0",
        "source": "urn:example:hris",
        "type": "hr.person.recorded.v1",
        "subject": "E000001",
        "time": "2026-03-01T12:30:00Z",
        "datacontenttype": "application/json",
        "tenant": "acme",
        "sequence": "7",
    }


def test_binary_mode_says_the_same_in_headers() -> None:
    structured = json.loads(event().encode().value or b"")
    key, value, headers = event().encode(Mode.BINARY)
    assert json.loads(value or b"") == structured.pop("data")
    assert dict(headers).pop("content-type") == structured.pop("datacontenttype").encode()
    assert {name: text.decode() for name, text in headers if name != "content-type"} == {
        f"ce_{name}": text for name, text in structured.items()
    }
    assert key == b"E000001"


@pytest.mark.parametrize("mode", list(Mode))
def test_the_same_words_give_the_same_bytes(mode: Mode) -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert event().encode(mode) == event(at=elsewhere).encode(mode)


def test_ids_follow_from_source_employee_and_sequence_alone() -> None:
    assert event(at=AT + timedelta(days=1)).id == event().id
    assert len({event().id, event(2).id, event(source="urn:other").id}) == 3
    assert len({event(number).traceparent for number in range(100)}) == 100
    # This id is a promise to whoever has received it: it may not change with the program.
    assert event().id == "2cc8e84e-3180-525d-98ed-5718a51ddc70"


def test_a_given_correlation_is_kept() -> None:
    made = make_event(
        source="s", tenant="t", type="x", subject="E1", sequence=1, at=AT, data={}, correlation_id="c"
    )
    assert made.attributes()["correlationid"] == "c"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="UTC offset"):
        event(at=datetime(2026, 3, 1))  # noqa: DTZ001 - what is tested


def test_names_travel_as_they_are_written() -> None:
    value = replace(event(), data={"given_name": "Łukasz 李"}).encode().value
    assert "Łukasz 李".encode() in (value or b"")
