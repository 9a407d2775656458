"""What each service may do on a Kafka cluster with logins: no more than the topic catalogue says."""

from collections.abc import Iterator

from deploy.local.kafka import Allow
from shared.contracts.topics import SERVICES, TOPICS


def service_rules(topic_prefix: str, group_prefix: str) -> Iterator[Allow]:
    """A service writes and reads its own topics, reads the events of all, and has its own groups.

    Intake and dead-letter topics hold what other people's systems wrote, so only their owner reads them; what is
    told in confidence is read by those to whom it is told.
    """
    for service in SERVICES:
        yield Allow(service, "all", "group", f"{group_prefix}{service}.", prefix=True)
        for topic in TOPICS:
            name = f"{topic_prefix}{topic.name}"
            if service in topic.writers:
                yield Allow(service, "write", "topic", name)
            readers = topic.confided_to or (SERVICES if topic.events and not topic.intake else ())
            if service in (topic.owner, *readers):
                yield Allow(service, "read", "topic", name)
