"""I7, the part that only topics can tell: nothing that a timer does was done before its time.

A reminder may come when its programme's longest notice ever allows it; a person may have left when the earliest
last day that HR ever named has ended where the person is.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.check.events import Facts, Seen
from shared.check.report import Finding
from shared.check.rules import CLOSING_DAYS, message, moment
from shared.check.sources import Reading
from shared.contracts import person_id
from shared.contracts.hr import PersonTerminated

_LAST_DATE: Final = date(9999, 12, 30)
_REMINDERS: Final = (
    "SELECT tenant, id, template, created_at FROM notification"
    " WHERE template IN ('session-reminder', 'feedback-reminder')"
)
_LEAVING: Final = (
    "SELECT p.tenant, p.person_id, p.effective_on, p.time_zone, t.due_at FROM person p LEFT JOIN timer t"
    " ON t.tenant = p.tenant AND t.kind = 'termination' AND t.key = p.person_id"
    " WHERE p.employment = 'leaving' AND p.record_sequence >= 0"
)


def end_of_day(day: date, zone: str) -> datetime:
    """The first moment after *day* in *zone*."""
    after = datetime.combine(min(day, _LAST_DATE) + timedelta(days=1), time.min, ZoneInfo(zone))
    return after.astimezone(UTC)


class NeverEarly:
    """Hears every event once, topic by topic in the order of the catalogue.

    Where one of a pair was *erased*, nobody is asked for feedback any more, whenever it was.
    """

    def __init__(self, finding: Finding, erased: Collection[str] = ()) -> None:
        self._finding, self._erased = finding, erased
        self._shut: set[str] = set()
        self._last_day: dict[str, date] = {}
        self._left: set[str] = set()
        self._hours: dict[str, int] = {}
        self._days: dict[str, int] = {}
        self._answered: set[str] = set()
        self._reminders: dict[str, datetime] = {}

    def add(self, seen: Seen, facts: Facts) -> None:
        """Note an event that was seen for the first time; judge those that a timer may have caused."""
        topic = _HEARD.get(seen.type)
        if topic is not None:
            topic(self, seen, facts)

    def _terminated(self, seen: Seen, facts: Facts) -> None:
        if facts.effective_on is not None:
            key = f"{seen.tenant} {person_id(seen.tenant, seen.subject)}"
            self._last_day[key] = min(facts.effective_on, self._last_day.get(key, date.max))

    def _person(self, seen: Seen, facts: Facts) -> None:
        day = self._last_day.get(seen.key)
        if facts.status != "left" or day is None or seen.time is None or seen.key in self._left:
            return
        self._left.add(seen.key)
        self._finding.counts["people who left"] += 1
        due = end_of_day(day, facts.time_zone or "UTC")
        if seen.time < due:
            self._wrong("left before the last day had ended", seen, due)

    def _programme(self, seen: Seen, facts: Facts) -> None:
        self._hours[seen.key] = max(facts.session_reminder_hours, self._hours.get(seen.key, 0))
        self._days[seen.key] = min(facts.feedback_reminder_days, self._days.get(seen.key, 1 << 20))

    def _session(self, seen: Seen, facts: Facts) -> None:
        people = (f"{seen.tenant} {person}" for person in (facts.mentor_id, facts.mentee_id))
        if any(person in self._erased for person in people):
            self._shut.add(seen.key)
        if facts.status != "booked" or facts.starts_at is None:
            return
        hours = self._hours.get(f"{seen.tenant} {facts.programme_id}", 0)
        for person in (facts.mentor_id, facts.mentee_id):
            identity = message(person, "session-reminder", facts.session_id, moment(facts.starts_at))
            self._reminders[f"{seen.tenant} {identity}"] = facts.starts_at - timedelta(hours=hours)

    def _request(self, seen: Seen, facts: Facts) -> None:
        if facts.requested_at is None:
            return
        days = self._days.get(f"{seen.tenant} {facts.programme_id}", 0)
        identity = message(facts.author_id, "feedback-reminder", facts.feedback_request_id)
        self._reminders[f"{seen.tenant} {identity}"] = facts.requested_at + timedelta(days=days)
        if facts.status == "submitted":
            self._answered.add(seen.key)
        elif facts.status == "closed" and seen.key not in self._answered and seen.time is not None:
            if f"{seen.tenant} {facts.session_id}" in self._shut:
                return
            self._finding.counts["requests closed unanswered"] += 1
            due = facts.requested_at + timedelta(days=CLOSING_DAYS)
            if seen.time < due:
                self._wrong("closed before its time", seen, due)

    def _wrong(self, what: str, seen: Seen, due: datetime) -> None:
        self._finding.wrong(what, tenant=seen.tenant, id=seen.subject, at=seen.time, due=due)

    async def judge(self, reading: Reading) -> None:
        """Judge what only tables hold: reminders that were given, and last days to come."""
        if "notifications" in reading.services:
            async for row in reading.rows("notifications", _REMINDERS):
                due = self._reminders.get(f"{row['tenant']} {row['id']}")
                if due is None:
                    continue  # that no event allows it is told by I3
                self._finding.counts["reminders given"] += 1
                if row["created_at"] < due:
                    self._finding.wrong(
                        f"a {row['template']} before its time", tenant=row["tenant"], id=row["id"],
                        at=row["created_at"], due=due,
                    )  # fmt: skip


_HEARD = {
    PersonTerminated.TYPE: NeverEarly._terminated,
    "mentoring.person.changed.v1": NeverEarly._person,
    "mentoring.programme.changed.v1": NeverEarly._programme,
    "mentoring.session.changed.v1": NeverEarly._session,
    "mentoring.feedback-request.changed.v1": NeverEarly._request,
}


async def judge_last_days(reading: Reading, due_findings: Finding, stuck: Finding) -> None:
    """Everybody who is leaving has a timer (I8), due at the end of the last day where the person is (I7)."""
    if "profiles" not in reading.services:
        return
    async for row in reading.rows("profiles", _LEAVING):
        told = {"tenant": row["tenant"], "id": row["person_id"]}
        stuck.counts["profiles: people who are leaving"] += 1
        if row["due_at"] is None:
            stuck.wrong("profiles: waits for a timer termination that is not there", **told)
            continue
        due_findings.counts["profiles: people who are leaving"] += 1
        due = end_of_day(row["effective_on"], row["time_zone"])
        if row["due_at"] != due:
            due_findings.wrong(
                "profiles: a timer termination that is due at another time than its row says",
                **told, at=row["due_at"], due=due,
            )  # fmt: skip
