"""Access rules follow the topic catalogue."""

from deploy.local.access import service_rules
from deploy.local.kafka import Allow
from shared.contracts.topics import SERVICES, TOPICS, dead_letter_topic


def test_each_topic_has_its_writers_and_foreign_words_one_reader() -> None:
    rules = list(service_rules("p.", "g."))
    for topic in TOPICS:
        writers = {r.user for r in rules if r.name == f"p.{topic.name}" and r.operation == "write"}
        readers = {r.user for r in rules if r.name == f"p.{topic.name}" and r.operation == "read"}
        assert writers == set(topic.writers)
        assert len(writers) == 1 or topic.name == "erasure-receipt"
        foreign = topic.intake or topic.name in map(dead_letter_topic, SERVICES)
        told = {topic.owner, *topic.confided_to} if topic.confided_to else set(SERVICES)
        assert readers == ({topic.owner} if foreign else told)


def test_only_matching_reads_whom_somebody_avoids() -> None:
    readers = {r.user for r in service_rules("", "") if r.name == "enrolment" and r.operation == "read"}
    assert readers == {"profiles", "matching"}


def test_groups_are_a_services_own() -> None:
    groups = [rule for rule in service_rules("p.", "g.") if rule.kind == "group"]
    assert groups == [Allow(name, "all", "group", f"g.{name}.", prefix=True) for name in SERVICES]
