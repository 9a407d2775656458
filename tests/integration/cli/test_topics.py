import json

from shared.contracts import TOPICS
from shared.runtime.settings import KafkaSettings
from tests.integration.cli.conftest import invoke


async def test_topics_are_missed_created_and_then_as_they_should_be(empty_cluster: KafkaSettings) -> None:
    missing = await invoke(empty_cluster, "topics", "check")
    assert missing.exit_code == 1
    assert f"{empty_cluster.kafka_topic_prefix}person is missing." in missing.stdout

    created = await invoke(empty_cluster, "topics", "create", "--json")
    assert len(json.loads(created.stdout)["created"]) == len(TOPICS)
    again = await invoke(empty_cluster, "topics", "create")
    assert again.stdout == f"All {len(TOPICS)} topics are there.\n"

    check = await invoke(empty_cluster, "topics", "check", "--json")
    assert (check.exit_code, json.loads(check.stdout)) == (0, [])


async def test_without_topics_there_is_nothing_to_tail(empty_cluster: KafkaSettings) -> None:
    result = await invoke(empty_cluster, "events", "tail", "--from-start", "--no-follow")
    assert result.exit_code == 1
    assert "None of these topics is on the cluster" in result.stderr


async def test_a_broker_that_is_not_there_is_a_sentence(empty_cluster: KafkaSettings) -> None:
    gone = empty_cluster.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    for arguments in (("topics", "check"), ("events", "trace", "c"), ("dlq", "show", "d")):
        result = await invoke(gone, *arguments)
        assert result.exit_code == 1
        assert result.stderr == "Kafka does not answer at 127.0.0.1:1.\n"
