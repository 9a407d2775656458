"""Creating and checking the topics of the catalogue on a real cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.contracts import TOPICS, Topic
from shared.messaging.kafka import make_admin, topic_name
from shared.runtime.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between the catalogue and the cluster."""

    topic: str
    problem: str


async def create_topics(settings: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Create what is missing; return the names created. Existing topics are left as they are."""
    admin = make_admin(settings)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic_name(settings, topic) not in existing]
        if not missing:
            return []
        response = await admin.create_topics(
            [
                NewTopic(
                    topic_name(settings, topic),
                    topic.partitions,
                    settings.kafka_replication_factor,
                    topic_configs=dict(topic.config),
                )
                for topic in missing
            ]
        )
        created = []
        for name, code, *rest in response.topic_errors:
            error = for_code(code)
            if code == 0:
                created.append(name)
            elif error is not TopicAlreadyExistsError:
                raise error(f"{name}: {rest[0] if rest else ''}")
        return created
    finally:
        await admin.close()


async def check_topics(settings: KafkaSettings) -> list[Finding]:
    """What is missing on the cluster or differs from the catalogue."""
    admin = make_admin(settings)
    await admin.start()
    try:
        described = {entry["topic"]: entry for entry in await admin.describe_topics()}
        findings: list[Finding] = []
        present = []
        for topic in TOPICS:
            name = topic_name(settings, topic)
            entry = described.get(name)
            if entry is None:
                findings.append(Finding(name, "is missing"))
                continue
            present.append(topic)
            partitions = len(entry["partitions"])
            if partitions != topic.partitions:
                findings.append(Finding(name, f"has {partitions} partitions and not {topic.partitions}"))
        if not present:
            return findings
        names = {topic_name(settings, topic): topic for topic in present}
        for response in await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        ):
            for resource in response.resources:
                name, entries = resource[3], resource[4]
                actual = {entry[0]: entry[1] for entry in entries}
                findings += [
                    Finding(name, f"{key} is {actual.get(key)} and not {value}")
                    for key, value in names[name].config.items()
                    if actual.get(key) != value
                ]
        return findings
    finally:
        await admin.close()
