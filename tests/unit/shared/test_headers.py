"""Headers: the quick way for those that our services write judges as the slow one does."""

from dataclasses import dataclass

import pytest

from shared.messaging.headers import Dead, Headers, Plain, Reason, compare, read, said


@dataclass
class Said:
    id: str = "e-1"
    source: str = "urn:mentoring:profiles"
    type: str = "mentoring.person.changed.v1"
    tenant: str = "acme"
    subject: str | None = "p-1"
    sequence: str | int | None = "7"


OURS: list[tuple[str, bytes | None]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"urn:mentoring:profiles"),
    ("ce_type", b"mentoring.person.changed.v1"),
    ("ce_subject", b"p-1"),
    ("ce_sequence", b"7"),
    ("ce_tenant", b"acme"),
    ("traceparent", b"00-1-1-01"),
    ("content-type", b"application/cloudevents+json; charset=utf-8"),
]


def changed(name: str, value: bytes | None) -> Headers:
    return [(known, value if known == name else was) for known, was in OURS]


def test_ours_are_plain_and_agree_in_any_order() -> None:
    plain = Plain()
    assert plain.compared(OURS) == said(Said())
    assert plain.compared(OURS[::-1]) == said(Said())
    assert plain.compared(OURS) == said(Said())
    compare(read(OURS), Said())


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_tenant", "ce_sequence"])
def test_a_contradiction_is_seen_both_ways(name: str) -> None:
    other = changed(name, b"other")
    found = Plain().compared(other)
    assert found is not None and found != said(Said())
    with pytest.raises(Dead) as dead:
        compare(read(other), Said())
    assert dead.value.reason is Reason.HEADERS_CONTRADICT


UNUSUAL: dict[str, Headers] = {
    "none": [],
    "twice": [*OURS, ("ce_id", b"e-1")],
    "twice with two values": [*OURS, ("ce_id", b"other")],
    "in capitals": [*OURS[1:], ("CE_ID", b"other")],
    "one more": [*OURS, ("x-other", b"")],
    "one less": OURS[2:],
    "null": changed("traceparent", None),
    "null where the content type is": changed("content-type", None),
    "not UTF-8": changed("traceparent", b"\xff"),
    "not ASCII": changed("ce_id", "é".encode()),
    "binary mode": changed("content-type", b"application/json"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual_is_left_to_the_slow_way(name: str) -> None:
    plain = Plain()
    assert plain.compared(UNUSUAL[name]) is None
    assert plain.compared(OURS) == said(Said())  # and what was remembered
    assert plain.compared(UNUSUAL[name]) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("null", Reason.HEADERS_UNDECODABLE),
        ("not UTF-8", Reason.HEADERS_UNDECODABLE),
        ("twice with two values", Reason.HEADERS_CONTRADICT),
    ],
)
def test_the_slow_way_says_why(name: str, reason: Reason) -> None:
    with pytest.raises(Dead) as dead:
        read(UNUSUAL[name])
    assert dead.value.reason is reason
