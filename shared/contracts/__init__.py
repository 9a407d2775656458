"""The words that services share: events, topics, golden schemas and samples. Nothing else of ours."""

from shared.contracts.base import EventData, derived_id, person_id
from shared.contracts.topics import EVENTS, SERVICES, TOPIC, TOPICS, Topic, dead_letter_topic

__all__ = [
    "EVENTS",
    "SERVICES",
    "TOPIC",
    "TOPICS",
    "EventData",
    "Topic",
    "dead_letter_topic",
    "derived_id",
    "person_id",
]
