"""The check is written apart from the services. Where it repeats what they say of themselves, the two agree."""

import importlib
from datetime import UTC, date, datetime

import pytest

from services.feedback.domain import feedback
from services.feedback.handlers import request_id
from services.matching.domain import runs
from services.matching.pairs import relationship_id_of
from services.notifications.domain.messages import Pair, Template, both
from services.notifications.post import iso, notification_id
from services.profiles.domain import people
from shared.check.early import end_of_day
from shared.check.events import Facts, Seen, plain
from shared.check.rules import CLOSING_DAYS, COPIES, HEARS, REACTIONS, RUN_DAYS, RUN_RESULT_DAYS, moment
from shared.contracts import EVENTS, SERVICES, TOPIC
from shared.messaging.codec import safe
from shared.runtime.service import Service

EVENT = Seen("t", "s", "i", "x", "subject", 2, None, b"")


@pytest.mark.parametrize("name", SERVICES)
def test_who_hears_what(name: str) -> None:
    service = importlib.import_module(f"services.{name}.main").SERVICE
    assert isinstance(service, Service)
    assert set(HEARS[name]) == set(service.handlers.topics)


def test_rules_speak_of_topics_that_there_are_and_of_those_who_hear_them() -> None:
    for rule in (*COPIES, *REACTIONS):
        owner = TOPIC[rule.topic].owner
        assert rule.service == owner or rule.topic in HEARS[rule.service]


def test_facts_are_fields_of_the_contracts() -> None:
    known = {name for event in EVENTS.values() for name in event.model_fields}
    assert set(Facts.__struct_fields__) <= known


def test_how_long_a_request_is_open() -> None:
    assert CLOSING_DAYS == feedback.CLOSING_DAYS


def test_how_long_a_run_is_kept() -> None:
    assert (runs.KEEP_RESULT.days, runs.KEEP_RUN.days) == (RUN_RESULT_DAYS, RUN_DAYS)


def test_when_a_last_day_has_ended() -> None:
    for day in (date(2026, 3, 28), date(2026, 10, 25), date(9999, 12, 31)):
        for zone in ("Europe/Berlin", "America/Havana", "Asia/Beirut", "Pacific/Apia", "UTC"):
            assert end_of_day(day, zone) == people.end_of_day(day, zone)


@pytest.mark.parametrize("text", ["e1", "a@b.example", "with space", "", "x" * 300, "\ud800", "urn:a/b"])
def test_what_others_call_their_events(text: str) -> None:
    assert plain(text) == safe(text)


def effects(name: str, facts: Facts, event: Seen = EVENT) -> set[str]:
    (rule,) = [rule for rule in REACTIONS if rule.name == name]
    allowed = rule.allows(event, facts) if rule.allows is not None else ()
    return {*rule.demands(event, facts), *allowed}


def messages(template: Template, about: str, *, occurrence: str = "") -> set[str]:
    occasions = both(template, about, Pair("p", "mentor", "mentee"), {}, occurrence=occurrence)
    return {notification_id(each) for each in occasions}


def test_the_natural_keys_of_effects() -> None:
    starts = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert moment(starts) == iso(starts)
    pair = {"mentor_id": "mentor", "mentee_id": "mentee"}
    assert effects("a proposal: both are told", Facts(status="open", proposal_id="x", **pair)) == messages(  # type: ignore[arg-type]
        Template.PROPOSAL, "x"
    )
    booked = Facts(status="booked", session_id="s", starts_at=starts, mentor_id="mentor", mentee_id="mentee")
    assert effects("a session is booked, moved, cancelled: both are told", booked) == (
        messages(Template.SESSION_MOVED, "s", occurrence="2")
        | messages(Template.SESSION_REMINDER, "s", occurrence=iso(starts))
    )
    assert effects("both said yes: a pair", Facts(status="accepted", proposal_id="x")) == {
        relationship_id_of("x")
    }


def test_the_key_of_a_request_for_feedback_is_its_session_and_author() -> None:
    assert request_id("s", "a") != request_id("s", "b")
    done = Facts(status="completed", session_id="s", mentor_id="a", mentee_id="b")
    assert effects("a session took place: both are asked for feedback", done) == {"s a", "s b"}
