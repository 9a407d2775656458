"""``mentoring events`` and ``dlq show`` on real topics, with what a real service wrote to them."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from shared.cli import kafka
from tests.integration.cli.conftest import Command, environment
from tests.support.publishing import Publisher, programme_event
from tests.support.toy import Toy
from tests.support.waiting import eventually

MARK = "zaphod.beeblebrox"
HR: dict[str, Any] = {
    "specversion": "1.0",
    "id": "wd-1",
    "source": "urn:acme:workday",
    "type": "hr.person.terminated.v1",
    "subject": "E7",
    "time": "2026-03-02T09:00:00Z",
    "sequence": "5",
    "tenant": "acme",
    "data": {"employee_id": "E7", "effective_on": "2026-03-31"},
}
NOW = ("--from-start", "--no-follow")


async def test_what_is_published_is_tailed(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(HR))
    assert (await command("events", "validate", str(file))).exit_code == 0
    published = json.loads((await command("events", "publish", str(file), "--json")).stdout)
    assert published[0]["topic"] == "hr-intake"

    shown = await command("events", "tail", *NOW)
    assert shown.exit_code == 0
    [line] = [line for line in shown.stdout.splitlines() if "wd-1" in line]
    assert line.split()[1:] == ["hr.person.terminated.v1", "E7", "#5", "acme", "wd-1"]

    [event] = json.loads((await command("events", "tail", "hr-intake", *NOW, "--json")).stdout)
    assert (event["id"], event["partition"], event["offset"]) == (
        "wd-1",
        published[0]["partition"],
        published[0]["offset"],
    )
    assert "data" not in event


async def test_personal_data_are_shown_on_two_words_only(command: Command) -> None:
    await command("events", "publish", "-", stdin=json.dumps(HR))
    arguments = ("events", "tail", "hr-intake", *NOW, "--show-data")
    assert "2026-03-31" not in (await command(*arguments)).stdout
    assert "2026-03-31" not in (await command(*arguments, "--json")).stdout
    assert "2026-03-31" in (await command(*arguments, "--personal")).stdout


async def test_tail_chooses(command: Command, publisher: Publisher, toy: Toy) -> None:
    for number in range(4):
        await publisher.send(
            programme_event(f"e{number}", f"p{number}", correlationid=f"c{number % 2}"), partition=number
        )
    await publisher.send(programme_event("g", "p", tenant="globex", correlationid="c0"))
    prefix = toy.settings.kafka_topic_prefix

    async def ids(*arguments: str) -> list[str]:
        result = await command("events", "tail", f"{prefix}programme", *arguments, "--json")
        return [event["id"] for event in json.loads(result.stdout)]

    assert await ids(*NOW) == ["e0", "e1", "e2", "e3", "g"]
    assert await ids(*NOW, "--correlation", "c1") == ["e1", "e3"]
    assert await ids(*NOW, "--correlation", "c0", "--tenant", "globex") == ["g"]
    assert await ids("--from-start", "--limit", "2") == ["e0", "e1"]
    assert await ids("--since", "1h", "--no-follow", "--limit", "1") == ["e0"]
    shown = await command("events", "tail", "programme", *NOW, "--show-data")
    assert '{"programme_id": "p0", "name": "Plain"}' in shown.stdout


async def test_tail_follows_until_it_is_interrupted(publisher: Publisher, toy: Toy) -> None:
    await publisher.send(programme_event("old", "p"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.cli.main", "events", "tail", "programme", "--json"),
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(filter(None, sys.path)),
            **environment(toy.settings),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background ignores Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        ready = await asyncio.wait_for(process.stderr.readline(), 60)
        assert ready == b"Waiting for events; Ctrl-C ends it.\n"
        await publisher.send(programme_event("new", "p"))
        first = await asyncio.wait_for(process.stdout.readline(), 30)
        process.send_signal(signal.SIGINT)
        rest, errors = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    assert (process.returncode, errors) == (0, b"")
    assert [event["id"] for event in json.loads(first + rest)] == ["new"]


async def test_a_story_is_a_tree_with_its_dead_letters(
    command: Command, publisher: Publisher, toy: Toy
) -> None:
    await publisher.send(programme_event("good", "a", correlationid="story"))
    await publisher.send(programme_event("bad", "b", name="refuse", correlationid="story"))
    await publisher.send(programme_event("other", "c"))
    await toy.broker.start()
    relay = asyncio.create_task(toy.relay.run())
    await eventually(lambda: _all_sent(toy, inbox=3), what="everything handled and sent")

    result = await command("events", "trace", "story")
    assert result.exit_code == 0
    lines = [line.partition("Z  ")[2] for line in result.stdout.splitlines()]
    assert lines[0] == "urn:test: mentoring.programme.changed.v1  a #1"
    assert lines[1] == "feedback: mentoring.enrolment.changed.v1  a #1"
    assert lines[2] == "urn:test: mentoring.programme.changed.v1  b #1"
    assert lines[3].startswith("feedback: dead letter ")
    assert lines[3].endswith("(refused)")
    assert result.stderr.endswith("4 records of feedback, urn:test.\n")

    good, bad = json.loads((await command("events", "trace", "story", "--json")).stdout)
    assert [effect["type"] for effect in good["effects"]] == ["mentoring.enrolment.changed.v1"]
    assert bad["effects"][0]["dead_letter"]["reason"] == "refused"
    toy.relay.stop()
    await relay


async def test_a_story_that_nobody_knows(command: Command) -> None:
    result = await command("events", "trace", "nobody", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])
    assert "No event with the correlation id nobody" in result.stderr


async def test_a_dead_letter_is_shown_without_its_content(
    command: Command, publisher: Publisher, toy: Toy
) -> None:
    raw = b'{"id": "' + MARK.encode()
    headers = [("content-type", b"application/cloudevents+json"), ("x-name", MARK.encode())]
    offset = await publisher.send(raw, key=f"{MARK}@x.example", headers=headers)
    await toy.broker.start()
    relay = asyncio.create_task(toy.relay.run())
    await eventually(lambda: _all_sent(toy, inbox=1), what="a dead letter on its topic")
    [(identity,)] = await toy.plumbing("SELECT id FROM dead_letter")

    document = json.loads((await command("dlq", "show", str(identity), "--json")).stdout)
    assert (document["service"], document["reason"]) == ("feedback", "bad_json")
    assert document["from"] | {"kafka_time": None} == {
        "topic": "programme",
        "partition": 0,
        "offset": offset,
        "kafka_time": None,
    }
    assert document["headers"] == {
        "content-type": "application/cloudevents+json",
        "x-name": f"({len(MARK)} characters)",
    }
    assert document["bytes"] == len(raw)
    assert MARK not in json.dumps(document)
    text = await command("dlq", "show", str(identity), "--service", "feedback")
    assert MARK not in text.output

    full = json.loads((await command("dlq", "show", str(identity), "--personal", "--json")).stdout)
    assert (full["content"], full["key"], full["headers"]["x-name"]) == (
        raw.decode(),
        f"{MARK}@x.example",
        MARK,
    )
    assert (await command("dlq", "show", "nobody")).exit_code == 1
    toy.relay.stop()
    await relay


async def test_lag_is_what_a_group_has_not_committed(publisher: Publisher, toy: Toy) -> None:
    assert await kafka.lags(toy.settings, ["feedback"]) == {"feedback": {}}
    for number in range(3):
        await publisher.send(programme_event(f"e{number}", "a", sequence=number))
    await toy.broker.start()

    async def none() -> bool:
        return (await kafka.lags(toy.settings, ["feedback"]))["feedback"].get("programme") == 0

    await eventually(none, what="everything committed")
    await toy.broker.stop()
    for number in range(5):
        await publisher.send(programme_event(f"late{number}", "a"), partition=number)
    behind = await kafka.lags(toy.settings, ["feedback", "matching"])
    assert behind == {"feedback": {"programme": 5}, "matching": {}}


async def _all_sent(toy: Toy, *, inbox: int) -> bool:
    [(handled, left)] = await toy.plumbing(
        "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM outbox)"
    )
    return handled == inbox and left == 0
