"""``mentoring topics``: create what the catalogue names, or check a cluster against it."""

import asyncio
from typing import Any

import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from shared.cli.output import AsJson, fail, out, print_json, print_table
from shared.contracts import TOPICS
from shared.messaging.topics import check_topics, create_topics
from shared.runtime.settings import KafkaSettings, load_kafka_settings

topics_app = typer.Typer(no_args_is_help=True, help="The Kafka topics of the platform.")


def kafka_settings() -> KafkaSettings:
    """Kafka settings from the environment, or one sentence about what is missing."""
    try:
        return load_kafka_settings()
    except ValidationError as error:
        missing = ", ".join(f"MENTORING_{'_'.join(map(str, e['loc'])).upper()}" for e in error.errors())
        fail(f"Kafka settings are missing or wrong: {missing}.", 2)


@topics_app.command("list")
def list_topics(as_json: AsJson = False) -> None:
    """The catalogue: names, owners, partitions, retention, size."""
    rows: list[dict[str, Any]] = [
        {
            "topic": topic.name,
            "owner": topic.owner,
            "partitions": topic.partitions,
            "retention": "compacted" if topic.compacted else f"{topic.retention_days} days",
            "max_bytes": topic.max_bytes,
            "personal_data": "yes" if topic.personal else "no",
        }
        for topic in TOPICS
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, list(rows[0]))


@topics_app.command()
def create(as_json: AsJson = False) -> None:
    """Create the topics that are missing; safe to repeat."""
    settings = kafka_settings()
    if not settings.kafka_create_topics:
        fail(
            "Topic creation is off (MENTORING_KAFKA_CREATE_TOPICS=false); `mentoring topics check` names what is missing."
        )
    try:
        created = asyncio.run(create_topics(settings))
    except KafkaError as error:
        fail(f"Kafka at {settings.kafka_bootstrap_servers} refused: {type(error).__name__}: {error}")
    if as_json:
        print_json({"created": created})
    elif created:
        out.print(f"Created {len(created)} topics.")
    else:
        out.print(f"All {len(TOPICS)} topics are there.")


@topics_app.command()
def check(as_json: AsJson = False) -> None:
    """Name what is missing on the cluster or differs from the catalogue; exit code 1 when something does."""
    settings = kafka_settings()
    try:
        findings = asyncio.run(check_topics(settings))
    except KafkaError as error:
        fail(f"Kafka at {settings.kafka_bootstrap_servers} refused: {type(error).__name__}: {error}")
    if as_json:
        print_json([{"topic": f.topic, "problem": f.problem} for f in findings])
    elif findings:
        for finding in findings:
            out.print(f"{finding.topic} {finding.problem}.", markup=False)
    else:
        out.print(f"All {len(TOPICS)} topics are as the catalogue says.")
    raise typer.Exit(1 if findings else 0)
