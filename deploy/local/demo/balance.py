"""The summary: what each service counts, what must agree, how long things took, and the result's digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.local.demo.scenario import Ledger
from deploy.local.demo.watch import Watch


@dataclass(frozen=True, slots=True)
class Equation:
    """Numbers from different places that must be one number."""

    what: str
    sides: Mapping[str, int]

    @property
    def holds(self) -> bool:
        return len(set(self.sides.values())) == 1


def equations(
    summaries: Mapping[str, Mapping[str, int]], ledger: Ledger, watch: Watch, mails: int, people: int
) -> list[Equation]:
    """Everything that must balance at the end of the story."""
    p, m, f, n = (summaries[name] for name in ("profiles", "matching", "feedback", "notifications"))
    started = len({r["relationship_id"] for r in watch.states("relationship")})
    ended = [r for r in watch.states("relationship") if "ended_at" in r]
    told = sum(2 - len(r["leaver_ids"]) for r in ended)
    reasons = sum(m[key] for key in m if key.startswith("requeue_"))
    completed = len(watch.states("session", status="completed"))
    enrolled = len(ledger.enrolled_mentors) + len(ledger.enrolled_mentees)
    return [
        Equation(
            "people known", {"HR records": people, "profiles": p["people"], "matching": m["people_known"]}
        ),
        Equation("people who left", {"driver": ledger.leavers, "profiles": p["people_left"]}),
        Equation("leavers still to come", {"driver": 0, "profiles": p["people_leaving"]}),
        Equation(
            "HR fields dropped and counted",
            {"driver": ledger.unmapped_fields, "profiles": p["hr_fields_dropped"]},
        ),
        Equation(
            "enrolments",
            {
                "driver": enrolled,
                "topic": len(watch.latest["enrolment"]),
                "profiles": p["enrolments_mentor_active"]
                + p["enrolments_mentee_active"]
                + p["enrolments_withdrawn"],
            },
        ),
        Equation(
            "proposals",
            {
                "topic": len(watch.latest["proposal"]),
                "matching": sum(
                    m[f"proposals_{s}"] for s in ("open", "accepted", "declined", "expired", "withdrawn")
                ),
            },
        ),
        Equation(
            "pairs started",
            {
                "topic": started,
                "matching": m["relationships_active"] + m["relationships_ended"],
                "accepted proposals": m["proposals_accepted"],
                "feedback": f["relationships_known"],
                "analytics": f["analytics_relationships_started"],
                "told in twos": n["template_pair_started"] // 2,
            },
        ),
        Equation(
            "pairs ended",
            {
                "topic": len(ended),
                "matching": m["relationships_ended"],
                "feedback": f["relationships_ended"],
                "analytics": f["analytics_relationships_ended"],
                "rematches queued + stated reasons not": reasons,
            },
        ),
        Equation(
            "partners told of an end",
            {
                "topic": told,
                "matching": m["partners_to_tell"],
                "notifications": n["partners_told"],
            },
        ),
        Equation(
            "sessions completed",
            {
                "driver": ledger.sessions_completed,
                "topic": completed,
                "feedback": f["sessions_completed"],
                "matching": m["sessions_heard"],
                "analytics": f["analytics_sessions_completed"],
            },
        ),
        Equation(
            "feedback asked for, twice per session",
            {
                "sessions × 2": completed * 2,
                "feedback": f["feedback_requested"],
                "analytics": f["analytics_feedback_requested"],
                "mails": n["template_feedback_request"],
            },
        ),
        Equation(
            "feedback given",
            {
                "driver": ledger.answers,
                "feedback": f["feedback_submitted"],
                "analytics": f["analytics_feedback_submitted"],
            },
        ),
        Equation(
            "messages",
            {
                "all": n["notifications_total"],
                "sent + suppressed": n["sent"] + n["suppressed"],
                "topic": len(watch.latest["notification"]),
            },
        ),
        Equation("mails in the sink", {"sent": n["sent"], "sink": mails}),
        Equation(
            "dead letters",
            {"none": 0, "all services": sum(s["dead_letters_open"] for s in summaries.values())},
        ),
    ]


def digest(watch: Watch) -> str:
    """A hash of the business result: who is paired with whom, what happened to it, who was told what.

    Times are left out: they depend on how long the run took. Everything else must be the same in every
    run of the same story.
    """
    result = {
        "people": [[r["person_id"], r["status"], r["spell"]] for r in watch.states("person")],
        "enrolments": [[r["enrolment_id"], r["status"]] for r in watch.states("enrolment")],
        "proposals": [[r["proposal_id"], r["status"], r["score"]] for r in watch.states("proposal")],
        "pairs": [
            [r["relationship_id"], r["mentor_id"], r["mentee_id"], r.get("reason"), r.get("requeue")]
            for r in watch.states("relationship")
        ],
        "sessions": [[r["session_id"], r["status"]] for r in watch.states("session")],
        "feedback": [[r["feedback_request_id"], r["status"]] for r in watch.states("feedback-request")],
        # Whether a message about a leaver's own session is still sent to the leaver is a race between two
        # topics, by nature; that it was queued exactly once is not.
        "messages": sorted(
            [r["recipient_id"], r["template"], r["about_id"]] for r in watch.states("notification")
        ),
    }
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


_FLOWS = (
    ("HR record → person known", "hr.person.recorded.v1", "", "mentoring.person.changed.v1", "active"),
    (
        "HR termination → pair ended",
        "hr.person.terminated.v1",
        "at once",
        "mentoring.relationship.ended.v1",
        "",
    ),
    (
        "HR termination → partner's message queued",
        "hr.person.terminated.v1",
        "at once",
        "mentoring.notification.changed.v1",
        "queued",
    ),
    (
        "session completed → feedback asked for",
        "mentoring.session.changed.v1",
        "completed",
        "mentoring.feedback-request.changed.v1",
        "requested",
    ),
    (
        "session completed → message queued",
        "mentoring.session.changed.v1",
        "completed",
        "mentoring.notification.changed.v1",
        "queued",
    ),
    (
        "answer → pair started",
        "mentoring.proposal.changed.v1",
        "accepted",
        "mentoring.relationship.started.v1",
        "",
    ),
)


def latencies(watch: Watch) -> list[dict[str, Any]]:
    """End-to-end times per flow in milliseconds, between Kafka's own timestamps of the first and last event."""
    rows: list[dict[str, Any]] = []
    by_type: dict[tuple[str, str], dict[str, int]] = {}
    for (correlation, kind, status), at in watch.first_said.items():
        by_type.setdefault((kind, status), {})[correlation] = at
    for name, first, first_status, last, last_status in _FLOWS:
        began, done = by_type.get((first, first_status), {}), by_type.get((last, last_status), {})
        times = sorted(done[c] - began[c] for c in began.keys() & done.keys() if done[c] >= began[c])
        if times:
            rows.append({"flow": name, "n": len(times), **percentiles(times)})
    return rows


def percentiles(times: list[int]) -> dict[str, int]:
    """p50, p95, p99 and the longest, in the unit of *times* (sorted)."""
    return {f"p{q}": times[min(len(times) - 1, len(times) * q // 100)] for q in (50, 95, 99)} | {
        "max": times[-1]
    }
