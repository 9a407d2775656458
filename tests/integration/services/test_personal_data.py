"""Where personal data is, and where it is not: bytes searched in every table, topic, log line and span.

A whole story is told over the real broker, then everything that any part has kept is looked through.
"""

import io
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from deploy.local.mail import MailSink
from shared.contracts import TOPIC, TOPICS
from shared.contracts.topics import SERVICES
from shared.messaging.kafka import make_reader
from tests.integration.services.story import (
    LEVELS,
    PROGRAMME,
    RECORDED,
    SURNAME,
    TERMINATED,
    Story,
    record,
)
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform
from tests.support.records import hr_event
from tests.support.waiting import eventually

PERSONAL: Final = ("Given-", SURNAME, "@story.example")
"""Every given name, family name and address of the story holds one of these."""

NEEDLESS: Final = {
    "salary": 739173.25,
    "birth_date": "1971-07-03",
    "gender": "marker-gender",
    "marital_status": ["marker-status"],
    "appraisal": {"rating": "marker-rating", "by": {"name": "marker-boss"}},
}
"""What HR sends beyond the contract."""
MARKERS: Final = (
    "739173", "1971-07-03", "marker-gender", "marker-status", "marker-rating", "marker-boss",
)  # fmt: skip


WISH: Final = "marker-wish"
"""What a mentee tells matching in confidence."""


@dataclass(frozen=True)
class Findings:
    """All that was kept, as bytes by where it was."""

    platform: Platform
    story: Story
    tables: dict[tuple[str, str], bytes]
    """By service and table."""
    values: dict[str, bytes]
    """By topic."""
    headers_and_keys: dict[str, bytes]
    logs: bytes
    log_lines: int
    spans: bytes
    metrics: bytes
    mails: bytes
    dropped: list[dict[str, Any]]
    """What is told of the fields that nobody needs."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def findings(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Findings]:
    folder = tmp_path_factory.mktemp("personal")
    heard, sink = Libraries(), MailSink.start(folder / "mail")
    sink.behave("reject", times=2)
    logging.getLogger().addHandler(heard)
    topics = [topic.name for topic in TOPICS]
    try:
        with capture_logs() as lines:
            async with Platform.open(databases, folder, topics=topics) as platform:
                for service in SERVICES:
                    platform.replica(
                        service, "r0", traces=f"file:{folder / service}.jsonl", smtp_host=sink.host,
                        smtp_port=sink.port, smtp_tls="none",
                    )  # fmt: skip
                story = Story(platform, new_tenant(), needless=NEEDLESS)
                await platform.run()
                await story.until_they_meet()
                await things_go_wrong(platform, story)
                await a_wish(platform, story)
                metrics = [(await platform[s].call(None, "GET", "/metrics")).content for s in SERVICES]
                tables = await all_tables(databases)
                values, around = await all_records(platform)
                operator = story.system("operator")
                dropped = await platform["profiles"].ask(operator, "GET", "/hr/dropped-fields")
            # After closing, so that the last spans and log lines are there as well.
            yield Findings(
                platform=platform,
                story=story,
                tables=tables,
                values=values,
                headers_and_keys=around,
                logs=repr(lines).encode() + heard.text.encode(),
                log_lines=len(lines),
                spans=b"".join((folder / f"{service}.jsonl").read_bytes() for service in SERVICES),
                metrics=b"".join(metrics),
                mails=b"".join(mail.message.as_bytes() for mail in sink.messages()),
                dropped=dropped,
            )
    finally:
        logging.getLogger().removeHandler(heard)
        sink.stop()


class Libraries(logging.Handler):
    """What libraries log, with their tracebacks."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += logging.Formatter().format(record) + "\n"


async def things_go_wrong(platform: Platform, story: Story) -> None:
    """Personal data in places where it does not belong, and what is refused with it inside."""
    unknown_tenant = hr_event(f"{story.tenant}.unknown", RECORDED, record("mentor-a", **NEEDLESS))
    no_address = record("mentor-a", email=f"Given-mentor-a {SURNAME}", **NEEDLESS)
    in_a_key = record(f"Given-{SURNAME}@story.example", **NEEDLESS)
    await platform.hear_hr(
        unknown_tenant,
        hr_event(story.tenant, RECORDED, no_address, sequence=7, source="urn:hr:Given-x@story.example"),
        hr_event(story.tenant, RECORDED, in_a_key),
    )
    profiles = platform["profiles"]
    for body in ({"surname": SURNAME}, {"goals": ["Given-x@story.example"]}):
        path = f"/people/{story.id('mentor-a')}/profile"
        answer = await profiles.call(story.who("mentor-a"), "PUT", path, json=body)
        assert answer.status_code == 422
        assert not found(PERSONAL, answer.content)
    answer = await profiles.call(story.system("hr"), "GET", "/people/Given-x@story.example")
    assert answer.status_code == 422
    await profiles.ask(story.system("privacy"), "POST", f"/people/{story.id('stranger')}/erasure")
    await platform.hear_hr(
        hr_event(story.tenant, TERMINATED, {"employee_id": "mentor-a", "effective_on": "2020-01-31"})
    )
    assert sorted(reason for reason, _ in await profiles.dead(story.tenant)) == [
        "invalid_data", "invalid_data", "unknown_version",
    ]  # fmt: skip

    async def all_mail_is_settled() -> bool:
        rows = await platform["notifications"].rows(
            story.tenant, "SELECT state FROM notification WHERE tenant = :tenant"
        )
        return {row.state for row in rows} <= {"sent", "failed", "suppressed"}

    await eventually(all_mail_is_settled, what="all mail settled")


async def a_wish(platform: Platform, story: Story) -> None:
    """Told, kept, and shown to its person."""
    path = f"/programmes/{PROGRAMME}/enrolments/mentee/{story.id('mentee-b')}/wishes"
    body = {"preferences": [WISH], "avoid": [story.id("outsider")]}
    told = await platform["profiles"].ask(story.who("mentee-b"), "PUT", path, json=body)
    assert told["preferences"] == [WISH]

    async def heard() -> bool:
        rows = await platform["matching"].rows(
            story.tenant, f"SELECT 1 FROM enrolment WHERE tenant = :tenant AND preferences = '[\"{WISH}\"]'"
        )
        return bool(rows)

    await eventually(heard, what="the wish known to matching")


async def all_tables(databases: Databases) -> dict[tuple[str, str], bytes]:
    """Every table as the bytes that it holds (binary copies, so that nothing hides in another spelling)."""
    tables: dict[tuple[str, str], bytes] = {}
    for service in SERVICES:
        async with databases.login(service, "admin") as admin:
            for (name,) in await admin.fetch(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'm')"
                " AND relnamespace = 'public'::regnamespace"
            ):
                content = io.BytesIO()
                await admin.copy_from_table(name, output=content, format="binary")
                tables[service, name] = content.getvalue()
    return tables


async def all_records(platform: Platform) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Values by topic, and keys and headers by topic."""
    values, around = defaultdict[str, bytes](bytes), defaultdict[str, bytes](bytes)
    names = [platform.prefix + topic.name for topic in TOPICS]
    reader = make_reader(platform.settings("profiles"), *names, client_id="test")
    await reader.start()
    try:
        ends = await reader.end_offsets(reader.assignment())
        while any([await reader.position(partition) < end for partition, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                for each in records:
                    topic = each.topic.removeprefix(platform.prefix)
                    values[topic] += (each.value or b"") + b"\n"
                    around[topic] += each.key + repr(each.headers).encode() + b"\n"
    finally:
        await reader.stop()
    return dict(values), dict(around)


def found(needles: Iterable[str], *haystacks: bytes) -> set[str]:
    """Which of the needles are in there, as they are or as hexadecimal digits would spell them."""
    return {
        needle
        for needle in needles
        for haystack in haystacks
        if needle.encode() in haystack or needle.encode().hex().encode() in haystack
    }


# what HR sends beyond the contract


def test_needless_fields_are_in_no_table(findings: Findings) -> None:
    assert {place for place, content in findings.tables.items() if found(MARKERS, content)} == set()


def test_needless_fields_stay_on_the_topic_that_hr_writes_and_in_what_was_refused(findings: Findings) -> None:
    topics = {topic for topic, content in findings.values.items() if found(MARKERS, content)}
    assert topics == {"hr-intake", "dlt.profiles"}
    assert all(TOPIC[topic].retention_days == 7 for topic in topics)
    assert not found(MARKERS, *findings.headers_and_keys.values())


def test_needless_fields_are_in_no_log_span_metric_or_mail(findings: Findings) -> None:
    assert not found(MARKERS, findings.logs, findings.spans, findings.metrics, findings.mails)


async def test_needless_fields_are_counted_by_name(findings: Findings) -> None:
    counted = findings.dropped
    assert counted == [
        {"source": "urn:hr:test", "name": name, "count": len(LEVELS)} for name in sorted(NEEDLESS)
    ]


# what somebody tells matching in confidence


def test_wishes_are_where_enrolments_are_and_nowhere_else(findings: Findings) -> None:
    tables = {place for place, content in findings.tables.items() if found([WISH], content)}
    assert tables == {("profiles", "enrolment"), ("matching", "enrolment")}
    assert {topic for topic, content in findings.values.items() if found([WISH], content)} == {"enrolment"}
    assert not found([WISH], *findings.headers_and_keys.values())
    assert not found([WISH], findings.logs, findings.spans, findings.metrics, findings.mails)


# names and addresses


def test_names_and_addresses_are_in_two_tables_only(findings: Findings) -> None:
    places = {place for place, content in findings.tables.items() if found(PERSONAL, content)}
    assert places == {("profiles", "person"), ("notifications", "contact")}
    for place in places:
        assert found(PERSONAL, findings.tables[place]) == set(PERSONAL)


def test_names_and_addresses_are_on_the_topics_that_are_declared_for_it(findings: Findings) -> None:
    topics = {topic for topic, content in findings.values.items() if found(PERSONAL, content)}
    assert topics == {"hr-intake", "person", "dlt.profiles"}
    assert all(TOPIC[topic].personal for topic in topics)
    said = {topic.name for topic in TOPICS if topic.events}
    assert said <= set(findings.values), "a topic on which nothing was said proves nothing"


def test_names_and_addresses_are_in_no_key_and_no_header_of_ours(findings: Findings) -> None:
    """HR chooses the keys and headers of its own records; they come back, encoded, in dead letters."""
    ours = {t: content for t, content in findings.headers_and_keys.items() if t not in ("hr-intake",)}
    assert not found(PERSONAL, *ours.values())


def test_names_and_addresses_are_in_no_log_line(findings: Findings) -> None:
    assert findings.log_lines > 100
    assert not found(PERSONAL, findings.logs)


def test_names_and_addresses_are_in_no_span_and_no_metric(findings: Findings) -> None:
    assert findings.spans.count(b"trace_id") > 50
    assert not found(PERSONAL, findings.spans, findings.metrics)


def test_mail_was_sent_and_refused_and_names_people(findings: Findings) -> None:
    """Else the log lines of mails would prove nothing."""
    assert found(PERSONAL, findings.mails) == set(PERSONAL)
    assert b"smtp-550" in findings.tables["notifications", "notification"]
    assert findings.story.id("mentee-a").encode() in findings.tables["notifications", "notification"]
