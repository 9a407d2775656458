"""The topic catalogue: what exists on Kafka, who owns it, and the registry of event types.

Topics are created from here and documented from here. Names are logical; a deployment may put a
prefix before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.contracts.base import EventData
from shared.contracts.erasure import ErasureChanged, ErasureConfirmed
from shared.contracts.hr import PersonRecorded, PersonTerminated, TerminationCancelled
from shared.contracts.messages import NotificationChanged
from shared.contracts.pairs import ProposalChanged, RelationshipEnded, RelationshipStarted
from shared.contracts.people import EnrolmentChanged, PersonChanged, PersonErased, ProgrammeChanged
from shared.contracts.runs import MatchingRunChanged
from shared.contracts.sessions import FeedbackRequestChanged, SessionChanged

MIB: Final = 1024 * 1024
DAY_MS: Final = 24 * 60 * 60 * 1000
PRIVACY_DAYS: Final = 7
"""So many days after an erasure nothing of a person is left on any topic."""
SERVICES: Final = ("profiles", "matching", "feedback", "notifications")


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic. ``retention_days`` is None for a compacted topic.

    Kafka deletes whole segments, once the newest record of one is old enough. Where people's words are
    (``brief``), segments are therefore short, and what they add is taken off the time that Kafka is told:
    no record stays longer than ``retention_days``.
    """

    name: str
    owner: str
    about: str
    key: str
    events: tuple[type[EventData], ...] = ()
    partitions: int = 12
    retention_days: int | None = 30
    max_bytes: int = MIB
    personal: bool = False
    intake: bool = False
    """Other people's systems write here: fields beyond the contract are dropped and counted by name."""
    everybody: bool = False
    """Every service writes here, each about aggregates of its own."""
    confided_to: tuple[str, ...] = ()
    """The services that alone read it beside its owner; empty for all."""

    @property
    def writers(self) -> tuple[str, ...]:
        """The services that write here."""
        return SERVICES if self.everybody else (self.owner,)

    @property
    def brief(self) -> bool:
        """Whether ``retention_days`` is a promise to people and not only a matter of space."""
        return self.retention_days is not None and self.retention_days <= PRIVACY_DAYS

    @property
    def compacted(self) -> bool:
        return self.retention_days is None

    @property
    def config(self) -> Mapping[str, str]:
        """The topic's Kafka configuration."""
        common = {"max.message.bytes": str(self.max_bytes), "compression.type": "producer"}
        if self.retention_days is None:
            return common | {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(DAY_MS),
                "delete.retention.ms": str(7 * DAY_MS),
                "segment.ms": str(DAY_MS),
            }
        deleted = common | {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * DAY_MS)}
        if self.brief:
            deleted |= {
                "retention.ms": str((self.retention_days - 1) * DAY_MS),
                "segment.ms": str(DAY_MS // 2),
            }
        return deleted


def dead_letter_topic(service: str) -> str:
    """The logical name of the topic that holds the dead letters of *service*."""
    return f"dlt.{service}"


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        "hr-intake",
        "profiles",
        "What HR systems tell the platform.",
        "employee id",
        (PersonRecorded, PersonTerminated, TerminationCancelled),
        retention_days=7,
        max_bytes=8 * MIB,
        personal=True,
        intake=True,
    ),
    Topic(
        "person",
        "profiles",
        "Each person's present state; a null value means erased.",
        "person id",
        (PersonChanged, PersonErased),
        retention_days=None,
        personal=True,
    ),
    Topic(
        "programme", "profiles", "Programmes and their configuration.", "programme id", (ProgrammeChanged,)
    ),
    Topic(
        "enrolment",
        "profiles",
        "Who takes part in what, as what, and whom they wish for or avoid.",
        "enrolment id",
        (EnrolmentChanged,),
        retention_days=7,
        personal=True,
        confided_to=("matching",),
    ),
    Topic(
        "proposal",
        "matching",
        "Proposed pairs and the answers to them.",
        "proposal id",
        (ProposalChanged,),
        retention_days=7,
    ),
    Topic(
        "relationship",
        "matching",
        "Pairs that started and ended.",
        "relationship id",
        (RelationshipStarted, RelationshipEnded),
    ),
    Topic(
        "matching-run",
        "matching",
        "Matching runs: requested, under way, ready, published.",
        "run id",
        (MatchingRunChanged,),
    ),
    Topic(
        "session",
        "feedback",
        "Sessions booked, moved, cancelled and completed.",
        "session id",
        (SessionChanged,),
    ),
    Topic(
        "feedback-request",
        "feedback",
        "Who is asked for feedback, and who has given it.",
        "feedback request id",
        (FeedbackRequestChanged,),
    ),
    Topic(
        "notification",
        "notifications",
        "Messages queued, sent, given up.",
        "notification id",
        (NotificationChanged,),
    ),
    Topic(
        "erasure",
        "profiles",
        "Whose erasure was asked for, and where it stands.",
        "person id",
        (ErasureChanged,),
        partitions=1,
    ),
    Topic(
        "erasure-receipt",
        "profiles",
        "What each service says it has erased.",
        "receipt id",
        (ErasureConfirmed,),
        partitions=1,
        everybody=True,
    ),
    *(
        Topic(
            dead_letter_topic(service),
            service,
            f"What {service} could not accept, as it came.",
            "dead letter id",
            partitions=1,
            retention_days=7,
            max_bytes=9 * MIB,
            personal=True,
        )
        for service in SERVICES
    ),
)

TOPIC: Final[Mapping[str, Topic]] = {topic.name: topic for topic in TOPICS}

EVENTS: Final[Mapping[str, type[EventData]]] = {
    event.TYPE: event for topic in TOPICS for event in topic.events
}
