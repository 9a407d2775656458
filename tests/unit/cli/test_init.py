"""``mentoring init``: three steps, each of which finds what is there already."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.cli import first_steps
from shared.cli.first_steps import Wish
from shared.contracts import person_id
from shared.contracts.envelope import validate_event
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import SERVICES, FakeServices, answer, problem

PERSON = person_id("acme", "E1")
PROGRAMME = "/programmes/leadership"
OPTIONS = ("init", "--name", "Acme", "--coordinator", "E1", "--programme", "leadership", "--wait", "1")


class Profiles:
    """What profiles knows; a person comes to be known a moment after the event."""

    def __init__(self, services: FakeServices) -> None:
        self.people: set[str] = set()
        self.programme: dict[str, Any] | None = None
        self.events: list[dict[str, Any]] = []
        self.deaf = False
        tenant = {"tenant": "acme", "name": "Acme", "time_zone": "UTC"}
        services.set("profiles", "PUT /tenant", answer(tenant))
        services.set("profiles", f"GET /people/{PERSON}", self._person)
        services.set("profiles", f"GET {PROGRAMME}", self._get)
        services.set("profiles", f"PUT {PROGRAMME}", self._put)

    def hear(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if not self.deaf:
            self.people.add(person_id(event["tenant"], event["subject"]))

    def _person(self, request: httpx.Request) -> httpx.Response:
        if PERSON in self.people:
            return httpx.Response(200, json={"person_id": PERSON})
        return problem(404, "person_unknown", "There is no such person.")(request)

    def _get(self, request: httpx.Request) -> httpx.Response:
        if self.programme is None:
            return problem(404, "programme_unknown", "There is no such programme.")(request)
        return httpx.Response(200, json=self.programme)

    def _put(self, request: httpx.Request) -> httpx.Response:
        form = json.loads(request.content)
        assert not {"programme_id", "version"} & set(form), "the form takes neither"
        self.programme = {"programme_id": "leadership", "version": 1, **form}
        return httpx.Response(200, json=self.programme)


@pytest.fixture
def profiles(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> Profiles:
    fake = Profiles(services)

    async def send(settings: Any, records: Any, headers: Any) -> AsyncIterator[tuple[int, int]]:
        for topic, key, value in records:
            event = json.loads(value)
            assert (topic, key) == ("hr-intake", event["subject"])
            fake.hear(event)
            yield 0, 0

    async def lags(*_: Any) -> dict[str, dict[str, int]]:
        return {name: {"programme": 0} for name in SERVICES}

    monkeypatch.setattr(first_steps, "send", send)
    monkeypatch.setattr(first_steps, "lags", lags)
    return fake


def test_everything_is_made(run: Run, services: FakeServices, profiles: Profiles) -> None:
    result = run(*OPTIONS, "--time-zone", "Europe/Berlin")
    assert result.exit_code == 0, result.stderr
    assert services.bodies("PUT")[0] == {"name": "Acme", "time_zone": "Europe/Berlin"}
    assert profiles.programme is not None
    assert profiles.programme["coordinator_ids"] == [PERSON]
    assert f"Coordinator E1 is recorded (person id {PERSON})." in result.stdout
    assert "Programme leadership is made." in result.stdout
    assert "profiles, matching, feedback, notifications have heard of it." in result.stdout


def test_repeating_it_changes_nothing(run: Run, services: FakeServices, profiles: Profiles) -> None:
    run(*OPTIONS)
    before = dict(profiles.programme or {})
    document = json.loads(run(*OPTIONS, "--json").stdout)
    assert document["coordinator"]["state"] == "known already"
    assert document["programme"]["state"] == "there already"
    assert profiles.programme == before
    assert len(profiles.events) == 1


def test_a_programme_keeps_its_configuration_and_gets_the_coordinator(
    run: Run, services: FakeServices, profiles: Profiles
) -> None:
    profiles.programme = {
        "programme_id": "leadership",
        "version": 4,
        "name": "Leadership 2026",
        "proposal_days": 14,
        "coordinator_ids": ["somebody"],
    }
    assert "given its coordinator" in run(*OPTIONS).stdout
    assert profiles.programme["name"] == "Leadership 2026"
    assert profiles.programme["proposal_days"] == 14
    assert profiles.programme["coordinator_ids"] == ["somebody", PERSON]


def test_a_coordinator_who_does_not_arrive_is_said(
    run: Run, services: FakeServices, profiles: Profiles
) -> None:
    profiles.deaf = True
    result = run(*OPTIONS)
    assert result.exit_code == 1
    assert "profiles has not recorded the coordinator" in result.stderr


def test_a_refusal_is_a_sentence(run: Run, services: FakeServices, profiles: Profiles) -> None:
    services.set("profiles", "PUT /tenant", problem(403, "forbidden", "no"))
    result = run(*OPTIONS)
    assert (result.exit_code, result.stderr) == (1, "profiles: this token's roles do not allow it.\n")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--coordinator", "e one", "subject"),
        ("--time-zone", "Mars/Base", "time_zone"),
        ("--programme", "two words", "The programme needs an id"),
        ("--email", "nobody", "email"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_asked(
    run: Run, services: FakeServices, option: str, value: str, said: str
) -> None:
    result = run(*OPTIONS, option, value)
    assert result.exit_code == 2
    assert said in result.stderr
    assert services.asked == []


def wish(**changes: Any) -> Wish:
    values: dict[str, Any] = {
        "tenant": "acme",
        "name": "Acme",
        "time_zone": "UTC",
        "coordinator": "E1",
        "given_name": "A",
        "family_name": "B",
        "email": None,
        "programme": "p",
        "programme_name": "P",
    }
    return Wish(**values | changes)


def test_the_event_is_the_same_every_time_and_older_than_everything() -> None:
    assert validate_event(wish().event()) == []
    assert wish().event() == wish().event()
    event = json.loads(wish().event())
    assert event["sequence"] == "0"
    assert event["data"]["email"] == "E1@acme.invalid"


def test_another_body_has_another_id() -> None:
    first, second = (json.loads(wish(given_name=name).event()) for name in ("A", "C"))
    assert first["id"] != second["id"]
