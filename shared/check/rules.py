"""What must follow from what, as tables. The rest of the package only reads and compares.

:data:`HEARS`      who consumes which topic
:data:`COPIES`     tables whose rows hold the newest version of an aggregate: the owner's (I4) and copies (I3)
:data:`REACTIONS`  effects that an event has once (I3)
:data:`STATES`     rows that must not be: queries that find none where all is well (I7 to I10)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.check.events import Facts, Seen
from shared.contracts import TOPIC, derived_id, person_id
from shared.contracts.hr import PersonRecorded, PersonTerminated, TerminationCancelled
from shared.contracts.pairs import RelationshipEnded, RelationshipStarted

CLOSING_DAYS: Final = 30
"""A request for feedback that nobody has answered is closed after so many days."""

RUN_RESULT_DAYS: Final = 30
"""So long after its last step a matching run keeps its people and pairs."""
RUN_DAYS: Final = 90
"""So long the rest of it."""

HEARS: Final[Mapping[str, tuple[str, ...]]] = {
    "profiles": (
        "hr-intake",
        "erasure-receipt",
    ),
    "matching": ("person", "programme", "enrolment", "session"),
    "feedback": ("person", "programme", "proposal", "relationship", "session", "feedback-request"),
    "notifications": ("person", "programme", "proposal", "relationship", "session", "feedback-request"),
}


def _subject(seen: Seen, _: Facts) -> str | None:
    return seen.subject


@dataclass(frozen=True, slots=True)
class Copy:
    """A table with one row for each aggregate, which holds the version of the newest event heard."""

    service: str
    table: str
    topic: str
    key: str
    version: str = "version"
    where: str = "true"
    of: Callable[[Seen, Facts], str | None] = _subject
    """Which row an event is about; None when it is about none."""
    forgets: bool = False
    """Whether an erasure takes the row away, instead of leaving an empty one."""

    @property
    def query(self) -> str:
        return f"SELECT tenant, {self.key} AS key, {self.version} AS version FROM {self.table} WHERE {self.where}"

    @property
    def own(self) -> bool:
        """Whether the table's service is the one that says the events."""
        return TOPIC[self.topic].owner == self.service and self.table != "contribution"


def _hr(*types: str) -> Callable[[Seen, Facts], str | None]:
    """One facet of what HR says about an employee, by the platform's id of that person."""
    return lambda seen, _: person_id(seen.tenant, seen.subject) if seen.type in types else None


def _completed(seen: Seen, facts: Facts) -> str | None:
    return seen.subject if facts.status == "completed" else None


def _counted(subject: str) -> str:
    return f"subject = '{subject}'"


COPIES: Final = (
    Copy("profiles", "person", "hr-intake", "person_id", "record_sequence", "record_sequence >= 0",
         _hr(PersonRecorded.TYPE), forgets=True),
    Copy("profiles", "person", "hr-intake", "person_id", "employment_sequence", "employment_sequence >= 0",
         _hr(PersonTerminated.TYPE, TerminationCancelled.TYPE), forgets=True),
    Copy("profiles", "person", "person", "person_id", where="version > 0", forgets=True),
    Copy("matching", "person", "person", "person_id", where="version > 0"),
    Copy("notifications", "contact", "person", "person_id", where="version > 0"),
    Copy("profiles", "programme", "programme", "programme_id"),
    Copy("matching", "programme", "programme", "programme_id", where="version > 0"),
    Copy("feedback", "programme", "programme", "programme_id"),
    Copy("notifications", "programme", "programme", "programme_id", where="version > 0"),
    Copy("profiles", "enrolment", "enrolment", "enrolment_id"),
    Copy("matching", "enrolment", "enrolment", "enrolment_id"),
    Copy("matching", "matching_run", "matching-run", "run_id"),
    Copy("matching", "proposal", "proposal", "proposal_id"),
    Copy("feedback", "contribution", "proposal", "subject_id", where=_counted("proposal")),
    Copy("matching", "relationship", "relationship", "relationship_id"),
    Copy("feedback", "relationship", "relationship", "relationship_id"),
    Copy("feedback", "contribution", "relationship", "subject_id", where=_counted("relationship")),
    Copy("feedback", "session", "session", "session_id"),
    Copy("notifications", "session_plan", "session", "session_id"),
    Copy("feedback", "contribution", "session", "subject_id", where=_counted("session"), of=_completed),
    Copy("feedback", "feedback_request", "feedback-request", "feedback_request_id"),
    Copy("notifications", "open_request", "feedback-request", "feedback_request_id"),
    Copy("feedback", "contribution", "feedback-request", "subject_id", where=_counted("feedback-request")),
    Copy("notifications", "notification", "notification", "id", where="version > 0"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reaction:
    """Effects that events of a topic have: ``demands`` gives their natural keys, ``query`` those that exist.

    ``allows`` gives keys of effects that may exist without being demanded (what a timer adds later).
    """

    name: str
    topic: str
    service: str
    demands: Callable[[Seen, Facts], Iterable[str]]
    query: str
    allows: Callable[[Seen, Facts], Iterable[str]] | None = None


def _accepted(_: Seen, facts: Facts) -> Iterable[str]:
    if facts.status == "accepted":
        yield derived_id("relationship", facts.proposal_id)


def _asked(_: Seen, facts: Facts) -> Iterable[str]:
    if facts.status == "completed":
        yield f"{facts.session_id} {facts.mentor_id}"
        yield f"{facts.session_id} {facts.mentee_id}"


def _heard(_: Seen, facts: Facts) -> Iterable[str]:
    if facts.status == "completed":
        yield f"{facts.relationship_id} {facts.session_id}"


def message(recipient: str, template: str, about: str, *occurrence: str) -> str:
    """The id that the message for one occasion must have: so two rows cannot be about one occasion."""
    return derived_id("notification", recipient, template, about, *occurrence)


def moment(at: datetime) -> str:
    """A moment as it is spelt in occasions."""
    return at.astimezone(UTC).isoformat()


def _both(facts: Facts, template: str, about: str, *occurrence: str) -> Iterable[str]:
    for person in (facts.mentor_id, facts.mentee_id):
        if person not in facts.leaver_ids:
            yield message(person, template, about, *occurrence)


def _proposed(_: Seen, facts: Facts) -> Iterable[str]:
    return _both(facts, "proposal", facts.proposal_id) if facts.status == "open" else ()


def _paired(seen: Seen, facts: Facts) -> Iterable[str]:
    if seen.type == RelationshipStarted.TYPE:
        return _both(facts, "pair-started", facts.relationship_id)
    return _both(facts, "pair-ended", facts.relationship_id) if seen.type == RelationshipEnded.TYPE else ()


def _session_news(seen: Seen, facts: Facts) -> Iterable[str]:
    if facts.status == "cancelled":
        return _both(facts, "session-cancelled", facts.session_id)
    if facts.status != "booked":
        return ()
    if seen.sequence == 1:
        return _both(facts, "session-booked", facts.session_id)
    return _both(facts, "session-moved", facts.session_id, str(seen.sequence))


def _session_reminders(_: Seen, facts: Facts) -> Iterable[str]:
    if facts.status != "booked" or facts.starts_at is None:
        return ()
    return _both(facts, "session-reminder", facts.session_id, moment(facts.starts_at))


def _feedback_asked(_: Seen, facts: Facts) -> Iterable[str]:
    if facts.status == "requested":
        yield message(facts.author_id, "feedback-request", facts.feedback_request_id)


def _feedback_reminded(_: Seen, facts: Facts) -> Iterable[str]:
    yield message(facts.author_id, "feedback-reminder", facts.feedback_request_id)


def _messages(*templates: str) -> str:
    names = ", ".join(f"'{template}'" for template in templates)
    return f"SELECT tenant, id AS key FROM notification WHERE template IN ({names})"


REACTIONS: Final = (
    Reaction("both said yes: a pair", "proposal", "matching", _accepted,
             "SELECT tenant, relationship_id AS key FROM relationship"),
    Reaction("a session took place: both are asked for feedback", "session", "feedback", _asked,
             "SELECT tenant, session_id || ' ' || author_id AS key FROM feedback_request"),
    Reaction("a session took place: counted for its pair", "session", "matching", _heard,
             "SELECT tenant, relationship_id || ' ' || session_id AS key FROM heard_session"),
    Reaction("a proposal: both are told", "proposal", "notifications", _proposed, _messages("proposal")),
    Reaction("a pair starts or ends: both are told, but for who left", "relationship", "notifications", _paired,
             _messages("pair-started", "pair-ended")),
    Reaction("a session is booked, moved, cancelled: both are told", "session", "notifications", _session_news,
             _messages("session-booked", "session-moved", "session-cancelled", "session-reminder"),
             _session_reminders),
    Reaction("feedback is asked for: its author is told", "feedback-request", "notifications", _feedback_asked,
             _messages("feedback-request", "feedback-reminder"), _feedback_reminded),
)  # fmt: skip
