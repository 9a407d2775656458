"""The check goes red: each way of breaking the platform, one at a time, shows in the invariant that it breaks."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.check import Report
from tests.integration.check.conftest import Check, damaged
from tests.integration.services.story import Story


@dataclass(frozen=True)
class Damage:
    """A statement of somebody who may do everything, and where it must show. ``$1`` is the tenant."""

    service: str
    statement: str
    shows: tuple[tuple[str, str], ...]
    """(invariant, part of the sentence) of every violation that there must be."""


SESSION_0 = "session_id = 's-0'"
ANY = "ctid = (SELECT ctid FROM {table} WHERE tenant = $1 AND {where} LIMIT 1)"


def one(table: str, where: str = "true") -> str:
    """Exactly one row of the tenant."""
    return ANY.format(table=table, where=where)


DAMAGES = {
    "a pair of a run is deleted": Damage(
        "matching",
        f"DELETE FROM matching_run_pair WHERE {one('matching_run_pair')}",
        (("I8", "pairs that are not as many"),),
    ),
    "a pair of a run that was not published is dropped": Damage(
        "matching",
        f"UPDATE matching_run_pair SET dropped = 'mentor-full' WHERE {one('matching_run_pair')}",
        (("I8", "neither proposed nor dropped"),),
    ),
    "a run that is kept for ever": Damage(
        "matching",
        f"DELETE FROM timer WHERE {one('timer', 'kind = ' + chr(39) + 'run-age' + chr(39))}",
        (("I8", "waits for a timer run-age"),),
    ),
    "a run of another version": Damage(
        "matching",
        f"UPDATE matching_run SET version = version + 1 WHERE {one('matching_run')}",
        (("I4", "version"),),
    ),
    "somebody who was erased and is in a run": Damage(
        "matching",
        "UPDATE person SET status = 'erased', manager_id = NULL, department = '', team = NULL, languages = '[]',"
        " job_level = NULL, skills_offered = '{}', skills_wanted = '{}', interests = '[]', goals = '',"
        " working_style = NULL, matching_consent = false WHERE tenant = $1"
        " AND person_id = (SELECT mentee_id FROM matching_run_pair WHERE tenant = $1 LIMIT 1)",
        (("I3", "is in the result of a run"),),
    ),
    "an inbox row is deleted": Damage(
        "matching",
        f"DELETE FROM inbox WHERE {one('inbox', 'topic = ' + chr(39) + 'enrolment' + chr(39))}",
        (("I5", "a record without outcome"),),
    ),
    "an inbox row for a record that never was": Damage(
        "matching",
        f"UPDATE inbox SET record_offset = record_offset + 100 WHERE {one('inbox')}",
        (("I5", "a record that is not in the topic"), ("I5", "a record without outcome")),
    ),
    "an inbox row of another body": Damage(
        "matching",
        f"UPDATE inbox SET body_sha256 = sha256('x') WHERE {one('inbox')}",
        (("I5", "of another body"),),
    ),
    "an inbox row of another tenant": Damage(
        "feedback",
        f"UPDATE inbox SET tenant = 'other' WHERE {one('inbox')}",
        (("I10", "of another tenant than its record's"),),
    ),
    "stale, though nothing newer was there": Damage(
        "matching",
        f"UPDATE inbox SET outcome = 'stale' WHERE {one('inbox', 'topic = ' + chr(39) + 'enrolment' + chr(39))}",
        (("I5", "called stale"),),
    ),
    "buried without a dead letter": Damage(
        "matching",
        f"UPDATE inbox SET outcome = 'dead' WHERE {one('inbox', 'topic = ' + chr(39) + 'enrolment' + chr(39))}",
        (("I5", "dead without its dead letter"), ("I3", "a row of which no event speaks")),
    ),
    "a ledger row is deleted": Damage(
        "matching",
        f"DELETE FROM outbox_ledger WHERE {one('outbox_ledger')}",
        (("I2", "never said by its owner"),),
    ),
    "an event is said twice": Damage(
        "matching",
        f"INSERT INTO outbox_ledger SELECT * FROM outbox_ledger WHERE {one('outbox_ledger')}",
        (("I2", "said twice"),),
    ),
    "an event is said and lost": Damage(
        "profiles",
        "INSERT INTO outbox_ledger SELECT outbox_id + 1000000, tenant, topic, key, sequence + 1, 'lost', written_at"
        f" FROM outbox_ledger WHERE {one('outbox_ledger')}",
        (("I2", "lost"),),
    ),
    "a ledger row of another tenant": Damage(
        "feedback",
        f"UPDATE outbox_ledger SET tenant = 'other' WHERE {one('outbox_ledger')}",
        (("I2", "lost"), ("I2", "never said by its owner")),
    ),
    "the owner's state is ahead of what it said": Damage(
        "profiles",
        f"UPDATE programme SET version = version + 1 WHERE {one('programme')}",
        (("I4", "a row of another version"),),
    ),
    "a copy is behind": Damage(
        "notifications",
        f"UPDATE contact SET version = version + 1 WHERE {one('contact', 'version > 0')}",
        (("I3", "a row of another version"),),
    ),
    "a copy is missing": Damage(
        "feedback",
        f"DELETE FROM programme WHERE {one('programme')}",
        (("I3", "an event without its row"),),
    ),
    "a message is doubled": Damage(
        "notifications",
        "INSERT INTO notification SELECT (jsonb_populate_record(n, '{\"id\": \"doubled\"}')).*"
        f" FROM notification n WHERE {one('notification', 'template = ' + chr(39) + 'pair-started' + chr(39))}",
        (("I3", "an effect that no event demands"), ("I6", "two messages for one occasion")),
    ),
    "a message is missing": Damage(
        "notifications",
        f"DELETE FROM notification WHERE {one('notification', 'template = ' + chr(39) + 'pair-started' + chr(39))}",
        (("I3", "both are told, but for who left: missing"), ("I4", "an event without its row")),
    ),
    "a request for feedback is missing": Damage(
        "feedback",
        f"DELETE FROM feedback_request WHERE {one('feedback_request', 'status = ' + chr(39) + 'requested' + chr(39))}",
        (("I3", "both are asked for feedback: missing"),),
    ),
    "a session is counted twice": Damage(
        "matching",
        "INSERT INTO heard_session SELECT tenant, 'invented', relationship_id FROM heard_session WHERE tenant = $1",
        (("I3", "an effect that no event demands"), ("I3", "number of sessions")),
    ),
    "a field of HR's is counted twice": Damage(
        "profiles",
        "UPDATE hr_dropped_field SET count = count + 1 WHERE tenant = $1",
        (("I3", "beyond the contract"),),
    ),
    "analytics count twice": Damage(
        "feedback",
        f"UPDATE programme_metric SET value = value + 1 WHERE {one('programme_metric')}",
        (("I3", "not that of its contributions"),),
    ),
    "a pair goes on without its mentor": Damage(
        "matching",
        "UPDATE person SET status = 'left' WHERE tenant = $1",
        (("I3", "a pair is active though one of the two has left"),),
    ),
    "a reminder is given early": Damage(
        "notifications",
        "UPDATE notification SET created_at = created_at - interval '3 days'"
        " WHERE tenant = $1 AND template = 'session-reminder'",
        (("I7", "a session-reminder before its time"),),
    ),
    "a timer is due at another time": Damage(
        "feedback",
        f"UPDATE timer SET due_at = due_at - interval '1 hour' WHERE {one('timer')}",
        (("I7", "due at another time"),),
    ),
    "a timer is lost": Damage(
        "feedback",
        f"DELETE FROM timer WHERE {one('timer')}",
        (("I8", "waits for a timer feedback-close"),),
    ),
    "a mentee waits and no round will come": Damage(
        "matching",
        "UPDATE mentee SET place = 'free', found = 'not-tried-yet', since = current_date"
        " WHERE tenant = $1 AND place = 'paired'",
        (("I8", "no round is to come"), ("I8", "against the rows")),
    ),
    "a message waits for somebody who is known": Damage(
        "notifications",
        "UPDATE notification SET state = 'waiting', version = 0, queued_at = NULL, settled_at = NULL, reason = NULL,"
        f" hold_until = NULL WHERE {one('notification')}",
        (("I8", "waits for somebody who is known"),),
    ),
    "a place is taken twice": Damage(
        "matching",
        "UPDATE mentor_load SET active = active + 1 WHERE tenant = $1 AND active > 0",
        (("I9", "load is not that"),),
    ),
    "a row has gone to another tenant": Damage(
        "matching",
        "UPDATE heard_session SET tenant = 'other' WHERE tenant = $1",
        (("I10", "that only another tenant has"), ("I3", "missing")),
    ),
}  # fmt: skip


def assert_shows(report: Report, shows: tuple[tuple[str, str], ...]) -> None:
    found = [(violation.invariant, violation.what) for violation in report.violations]
    for invariant, words in shows:
        assert any(i == invariant and words in what for i, what in found), report.render()
    assert report.verdict == "violated"
    assert all(violation.count and violation.rows for violation in report.violations)


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damage_shows(lived: Story, judge: Check, name: str) -> None:
    damage = DAMAGES[name]
    values = (lived.tenant,) if "$1" in damage.statement else ()
    async with damaged(lived.platform, damage.service, damage.statement, *values):
        report = await judge(lived.platform)
    assert_shows(report, damage.shows)


async def test_afterwards_all_is_well_again(lived: Story, judge: Check) -> None:
    """What the tests above have damaged was whole before each of them."""
    report = await judge(lived.platform)
    assert report.ok, report.render()


async def test_mails_are_counted_against_the_times_that_a_sender_took_them(
    lived: Story, judge: Check, tmp_path: Path
) -> None:
    platform = lived.platform
    async with platform.databases.login("notifications", "admin") as admin:
        ids = [
            row["id"]
            for row in await admin.fetch("SELECT id FROM notification WHERE tenant = $1", lived.tenant)
        ]

    def keep(number: int, identity: str) -> None:
        (tmp_path / f"{number:08d}.eml").write_text(f"To: x\nX-Mentoring-Notification: {identity}\n\nbody\n")

    for number, identity in enumerate(ids):
        keep(number, identity)
    sent = (
        "UPDATE notification SET state = 'sent', leases = 1, reason = NULL, settled_at = coalesce(settled_at,"
        " created_at) WHERE tenant = $1 AND state <> 'waiting'"
    )
    async with damaged(platform, "notifications", sent, lived.tenant):
        report = await judge(platform, mails=tmp_path)
        assert report.ok, report.render()
        assert report.finding("I6").counts["mails"] == len(ids)
        keep(len(ids), ids[0])
        keep(len(ids) + 1, "nobody")
        (tmp_path / "00000001.eml").unlink()
        report = await judge(platform, mails=tmp_path)
    assert_shows(
        report,
        (
            ("I6", "more mails than a sender took the message"),
            ("I6", "a mail without its message"),
            ("I6", "sent, and the mail server has no mail"),
        ),
    )


async def test_names_and_addresses_are_in_no_report(lived: Story, judge: Check) -> None:
    statement = "UPDATE contact SET version = version + 1 WHERE tenant = $1 AND version > 0"
    async with damaged(lived.platform, "notifications", statement, lived.tenant):
        report = await judge(lived.platform)
    assert not report.ok
    text = report.render() + str(report.document())
    assert "Of-The-Story" not in text
    assert "story.example" not in text
