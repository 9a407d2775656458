"""Rows that must not be: queries that find nothing where all is well, each one statement, hence one moment.

A query gives ``tenant``, ``id`` and ``detail`` of each wrong row. ``of`` counts what it has looked at.
"""

from dataclasses import dataclass
from typing import Final

from shared.check.report import MOST_ROWS, Finding
from shared.check.rules import CLOSING_DAYS, RUN_DAYS, RUN_RESULT_DAYS
from shared.check.sources import Reading


@dataclass(frozen=True, slots=True)
class State:
    """One rule about the rows of one service."""

    invariant: str
    service: str
    what: str
    """What is wrong with the rows that the query finds."""
    of: str
    """``table`` or ``table WHERE condition``: what is looked at."""
    query: str


def _timed(service: str, kind: str, of: str, key: str, due: str) -> tuple[State, ...]:
    """Rows that wait for a timer: it must be there (I8), and due when they say (I7)."""
    table, _, where = of.partition(" WHERE ")
    rows = (
        f"FROM {table} s LEFT JOIN timer t ON t.tenant = s.tenant AND t.kind = '{kind}' AND t.key = s.{key}"
        f" WHERE ({where})"
    )
    return (
        State(
            "I8", service, f"waits for a timer {kind} that is not there", of,
            f"SELECT s.tenant, s.{key} AS id, '' AS detail {rows} AND t.key IS NULL",
        ),
        State(
            "I7", service, f"a timer {kind} that is due at another time than its row says", of,
            f"SELECT s.tenant, s.{key} AS id, format('due %s, should be %s', t.due_at, {due}) AS detail"
            f" {rows} AND t.due_at <> {due}",
        ),
    )  # fmt: skip


def _apart(service: str, table: str, key: str, column: str, target: str, target_key: str = "") -> State:
    """What a row refers to must be of the row's own tenant."""
    there = target_key or column
    return State(
        "I10", service, f"refers by {column} to a {target} that only another tenant has", table,
        f"SELECT a.tenant, a.{key} AS id, format('{table}.{column} = %s', a.{column}) AS detail FROM {table} a"
        f" WHERE NOT EXISTS (SELECT FROM {target} b WHERE b.tenant = a.tenant AND b.{there} = a.{column})"
        f" AND EXISTS (SELECT FROM {target} b WHERE b.{there} = a.{column})",
    )  # fmt: skip


_PAIRS_OF = (
    "SELECT tenant, mentor_id, sum(open) AS open, sum(active) AS active FROM ("
    " SELECT tenant, mentor_id, 1 AS open, 0 AS active FROM proposal WHERE status = 'open' AND NOT peers"
    " UNION ALL SELECT tenant, mentor_id, 0, 1 FROM relationship WHERE status = 'active' AND NOT peers) p"
    " GROUP BY tenant, mentor_id"
)
_TAKES_PART = "({0}.mentee_id = m.person_id OR ({0}.peers AND {0}.mentor_id = m.person_id))"
_BOTH_SIDES = (
    "SELECT tenant, programme_id, mentee_id AS person_id FROM {0}"
    " UNION ALL SELECT tenant, programme_id, mentor_id FROM {0} AND peers"
)
_OPEN, _ACTIVE = "proposal WHERE status = 'open'", "relationship WHERE status = 'active'"
_RUN_WORK = "'requested', 'running', 'publishing'"
_CONTRIBUTED = (
    "SELECT c.tenant, c.programme_id, split_part(e.key, '/', 2) AS metric, split_part(e.key, '/', 1) AS month,"
    " sum(e.value::bigint) AS value FROM contribution c, jsonb_each_text(c.counts) e GROUP BY 1, 2, 3, 4"
)

STATES: Final[tuple[State, ...]] = (
    # I3: reactions within one database
    State(
        "I3", "matching", "a pair is active though one of the two has left", "relationship WHERE status = 'active'",
        "SELECT r.tenant, r.relationship_id AS id, p.person_id AS detail FROM relationship r JOIN person p"
        " ON p.tenant = r.tenant AND p.person_id IN (r.mentor_id, r.mentee_id)"
        " WHERE r.status = 'active' AND p.status IN ('left', 'erased')",
    ),
    State(
        "I3", "matching", "a proposal is open though one of the two has left", "proposal WHERE status = 'open'",
        "SELECT r.tenant, r.proposal_id AS id, p.person_id AS detail FROM proposal r JOIN person p"
        " ON p.tenant = r.tenant AND p.person_id IN (r.mentor_id, r.mentee_id)"
        " WHERE r.status = 'open' AND p.status IN ('left', 'erased')",
    ),
    State(
        "I3", "matching", "a pair's number of sessions is not that of the sessions heard of", "relationship",
        "SELECT r.tenant, r.relationship_id AS id, format('counted %s', r.sessions_completed) AS detail"
        " FROM relationship r WHERE r.sessions_completed <> (SELECT count(*) FROM heard_session h"
        " WHERE h.tenant = r.tenant AND h.relationship_id = r.relationship_id)",
    ),
    State(
        "I3", "profiles", "takes part in a programme after leaving", "enrolment WHERE status = 'active'",
        "SELECT e.tenant, e.enrolment_id AS id, e.person_id AS detail FROM enrolment e JOIN person p"
        " USING (tenant, person_id) WHERE e.status = 'active' AND p.employment = 'left'",
    ),
    State(
        "I3", "feedback", "an answer without a submitted request, or the other way round", "feedback_request",
        "SELECT tenant, feedback_request_id AS id, coalesce(r.status, 'no request') AS detail"
        " FROM feedback_request r FULL JOIN feedback_answer a USING (tenant, feedback_request_id)"
        " WHERE (a.author_id IS NOT NULL) <> (coalesce(r.status, '') = 'submitted')",
    ),
    State(
        "I3", "feedback", "a sum of the analytics is not that of its contributions", "programme_metric",
        "SELECT tenant, programme_id AS id, format('%s %s: %s, contributed %s', metric, month, m.value, c.value)"
        f" AS detail FROM programme_metric m FULL JOIN ({_CONTRIBUTED}) c"
        " USING (tenant, programme_id, metric, month) WHERE coalesce(m.value, 0) <> coalesce(c.value, 0)",
    ),
    # I5: what is dead is kept, and only that
    *(
        State(
            "I5", service, "an outcome dead without its dead letter, or the other way round",
            "dead_letter WHERE state = 'open'",
            "SELECT coalesce(i.tenant, d.tenant) AS tenant, coalesce(d.id, i.id) AS id,"
            " format('%s/%s/%s', coalesce(i.topic, d.topic), coalesce(i.partition, d.partition),"
            " coalesce(i.record_offset, d.record_offset)) AS detail"
            " FROM (SELECT * FROM inbox WHERE outcome = 'dead') i"
            " FULL JOIN (SELECT * FROM dead_letter WHERE state <> 'redriven') d ON d.topic = i.topic"
            " AND d.partition = i.partition AND d.record_offset = i.record_offset"
            # Inbox rows go by age, open dead letters stay: only young ones are sure to have their row.
            " WHERE d.id IS NULL OR (i.id IS NULL AND d.state = 'open'"
            " AND d.died_at > clock_timestamp() - interval '7 days')",
        )
        for service in ("profiles", "matching", "feedback", "notifications")
    ),
    # I7, I8: timers
    *_timed("matching", "proposal-expiry", "proposal WHERE status = 'open'", "proposal_id", "s.expires_at"),
    *_timed("matching", "run-age", f"matching_run WHERE state NOT IN ({_RUN_WORK})", "run_id",
            f"s.changed_at + CASE WHEN s.kept THEN interval '{RUN_RESULT_DAYS} days'"
            f" ELSE interval '{RUN_DAYS} days' END"),
    *_timed("feedback", "feedback-close", "feedback_request WHERE status = 'requested'", "feedback_request_id",
            f"s.requested_at + interval '{CLOSING_DAYS} days'"),
    *_timed("notifications", "session-reminder", "session_plan WHERE reminder_at IS NOT NULL", "session_id",
            "s.reminder_at"),
    *_timed("notifications", "feedback-reminder", "open_request WHERE reminder_at IS NOT NULL",
            "feedback_request_id", "s.reminder_at"),
    State(
        "I7", "matching", "a proposal that expired before its time", "proposal WHERE status = 'expired'",
        "SELECT tenant, proposal_id AS id, format('%s, expires %s', closed_at, expires_at) AS detail FROM proposal"
        " WHERE status = 'expired' AND closed_at < expires_at",
    ),
    # I8: nothing stuck
    State(
        "I8", "matching", "waits for a mentor, untried, and no round is to come",
        "mentee WHERE standing = 'eligible' AND place = 'free'",
        "SELECT m.tenant, m.person_id AS id, m.programme_id AS detail FROM mentee m"
        " JOIN programme p USING (tenant, programme_id)"
        " WHERE m.standing = 'eligible' AND m.place = 'free' AND m.found = 'not-tried-yet' AND p.active"
        " AND p.rounds = 'automatic' AND NOT EXISTS (SELECT FROM timer t WHERE t.tenant = m.tenant"
        " AND t.kind IN ('round', 'matching') AND (t.key = m.programme_id OR t.key LIKE m.programme_id || '|%'))",
    ),
    State(
        "I8", "matching", "a run was begun and nobody goes on with it", f"matching_run WHERE state IN ({_RUN_WORK})",
        "SELECT tenant, run_id AS id, format('%s since %s', state, changed_at) AS detail FROM matching_run"
        f" WHERE state IN ({_RUN_WORK}) AND leased_until < clock_timestamp() - interval '10 minutes'",
    ),
    State(
        "I8", "matching", "a run has pairs that are not as many as it says", "matching_run WHERE kept",
        "SELECT r.tenant, r.run_id AS id, format('%s, found %s', p.n, r.found ->> 'matched') AS detail"
        " FROM matching_run r, LATERAL (SELECT count(*) AS n FROM matching_run_pair p"
        " WHERE p.tenant = r.tenant AND p.run_id = r.run_id) p"
        " WHERE r.kept AND r.removed = 0 AND r.found <> 'null'"
        " AND p.n * CASE r.form WHEN 'peer' THEN 2 ELSE 1 END <> (r.found ->> 'matched')::bigint",
    ),
    State(
        "I8", "matching", "a published run's pair is neither proposed nor dropped",
        "matching_run WHERE kept AND state = 'published'",
        "SELECT p.tenant, p.run_id AS id, p.mentee_id AS detail FROM matching_run_pair p"
        " JOIN matching_run r USING (tenant, run_id)"
        " WHERE (r.state = 'published') <> (p.proposal_id IS NOT NULL OR p.dropped IS NOT NULL)",
    ),
    State(
        "I3", "matching", "somebody who was erased is in the result of a run", "matching_run WHERE kept",
        "SELECT p.tenant, p.run_id AS id, e.person_id AS detail FROM matching_run_pair p JOIN person e"
        " ON e.tenant = p.tenant AND e.person_id IN (p.mentee_id, p.mentor_id) WHERE e.status = 'erased'",
    ),
    State(
        "I8", "matching", "is taken for proposed or paired, or is not, against the rows", "mentee",
        "SELECT m.tenant, m.person_id AS id, format('%s in %s', m.place, m.programme_id) AS detail FROM mentee m"
        " WHERE (m.place = 'proposed') <> EXISTS (SELECT FROM proposal p WHERE p.tenant = m.tenant"
        f" AND {_TAKES_PART.format('p')} AND p.programme_id = m.programme_id AND p.status = 'open')"
        " OR (m.place = 'paired') <> EXISTS (SELECT FROM relationship r WHERE r.tenant = m.tenant"
        f" AND {_TAKES_PART.format('r')} AND r.programme_id = m.programme_id AND r.status = 'active')",
    ),
    State(
        "I8", "matching", "waits to be known, though the person is", "mentee WHERE standing = 'unknown'",
        "SELECT m.tenant, m.person_id AS id, m.programme_id AS detail FROM mentee m JOIN person p"
        " USING (tenant, person_id) WHERE m.standing = 'unknown' AND p.version > 0",
    ),
    State(
        "I8", "feedback", "is booked for after the end of its pair", "session WHERE status = 'booked'",
        "SELECT s.tenant, s.session_id AS id, s.relationship_id AS detail FROM session s JOIN relationship r"
        " USING (tenant, relationship_id)"
        " WHERE s.status = 'booked' AND r.status = 'ended' AND s.starts_at >= r.ended_at",
    ),
    State(
        "I8", "notifications", "a message waits for somebody who is known", "notification WHERE state = 'waiting'",
        "SELECT n.tenant, n.id, n.recipient_id AS detail FROM notification n LEFT JOIN contact c"
        " ON c.tenant = n.tenant AND c.person_id = n.recipient_id"
        " WHERE n.state = 'waiting' AND c.version IS DISTINCT FROM 0",
    ),
    State(
        "I8", "notifications", "a session without its reminder to come", "session_plan WHERE status = 'booked'",
        "SELECT s.tenant, s.session_id AS id, format('starts %s', s.starts_at) AS detail FROM session_plan s"
        " JOIN programme p USING (tenant, programme_id) WHERE s.status = 'booked' AND NOT s.reminded"
        " AND s.reminder_at IS DISTINCT FROM s.starts_at - make_interval(hours => p.session_reminder_hours)"
        " AND s.starts_at - make_interval(hours => p.session_reminder_hours) > s.timed_at",
    ),
    State(
        "I8", "notifications", "a request without its reminder to come", "open_request WHERE open",
        "SELECT s.tenant, s.feedback_request_id AS id, format('asked %s', s.requested_at) AS detail"
        " FROM open_request s JOIN programme p USING (tenant, programme_id) WHERE s.open AND NOT s.reminded"
        " AND s.reminder_at IS DISTINCT FROM s.requested_at + make_interval(days => p.feedback_reminder_days)"
        " AND p.version > 0",
    ),
    # I9: places
    State(
        "I9", "matching", "a mentor's load is not that of open proposals and active pairs", "mentor_load",
        "SELECT tenant, mentor_id AS id, format('active %s of %s, reserved %s of %s', l.active, r.active,"
        " l.reserved, r.open) AS detail"
        " FROM (SELECT tenant, person_id AS mentor_id, active, reserved FROM mentor_load) l"
        f" FULL JOIN ({_PAIRS_OF}) r USING (tenant, mentor_id)"
        " WHERE coalesce(l.active, 0) <> coalesce(r.active, 0) OR coalesce(l.reserved, 0) <> coalesce(r.open, 0)",
    ),
    State(
        "I9", "matching", "has more than one pair, or is proposed more than once, in one programme", "mentee",
        "SELECT tenant, person_id AS id, programme_id AS detail FROM ("
        f"{_BOTH_SIDES.format(_OPEN)} UNION ALL {_BOTH_SIDES.format(_ACTIVE)}) p"
        " GROUP BY 1, 2, 3 HAVING count(*) > 1",
    ),
    # I10: tenants apart
    _apart("profiles", "enrolment", "enrolment_id", "person_id", "person"),
    _apart("profiles", "consent", "person_id", "person_id", "person"),
    _apart("matching", "enrolment", "enrolment_id", "person_id", "person"),
    _apart("matching", "mentor_load", "person_id", "person_id", "person"),
    _apart("matching", "mentee", "person_id", "enrolment_id", "enrolment"),
    _apart("matching", "proposal", "proposal_id", "mentor_id", "person", "person_id"),
    _apart("matching", "proposal", "proposal_id", "mentee_id", "person", "person_id"),
    _apart("matching", "relationship", "relationship_id", "proposal_id", "proposal"),
    _apart("matching", "heard_session", "session_id", "relationship_id", "relationship"),
    _apart("feedback", "session", "session_id", "relationship_id", "relationship"),
    _apart("feedback", "feedback_request", "feedback_request_id", "session_id", "session"),
    _apart("notifications", "notification", "id", "recipient_id", "contact", "person_id"),
    _apart("notifications", "session_plan", "session_id", "programme_id", "programme"),
    _apart("notifications", "open_request", "feedback_request_id", "programme_id", "programme"),
)  # fmt: skip


async def judge_states(reading: Reading, findings: dict[str, Finding]) -> None:
    """Run every rule whose database is there."""
    for rule in STATES:
        if rule.service not in reading.services:
            continue
        finding = findings[rule.invariant]
        counted = await reading.value(rule.service, f"SELECT count(*) FROM {rule.of}")
        finding.counts[f"{rule.service}: {rule.of}"] += counted
        rows = await reading.fetch(
            rule.service,
            f"SELECT q.*, count(*) OVER () AS total FROM ({rule.query}) q LIMIT {MOST_ROWS}",
        )
        what = f"{rule.service}: {rule.what}"
        for row in rows:
            detail = {"detail": row["detail"]} if row["detail"] else {}
            finding.wrong(what, tenant=row["tenant"], id=row["id"], **detail)
        if rows:
            finding.violation(what).count = rows[0]["total"]
