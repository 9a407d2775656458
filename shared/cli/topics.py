"""``mentoring topics``: create what the catalogue names, or check a cluster against it."""

import asyncio
from typing import Any

import typer

from shared.cli.options import DataDir
from shared.cli.output import AsJson, counted, fail, print_json, print_line, print_table
from shared.cli.target import find_target
from shared.contracts import TOPICS

topics_app = typer.Typer(no_args_is_help=True, help="The Kafka topics of the platform.")


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
def create(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Create the topics that are missing; safe to repeat."""
    from shared.cli.kafka import sentences
    from shared.messaging.topics import create_topics

    settings = find_target(None, data_dir).kafka()
    if not settings.kafka_create_topics:
        fail(
            "Topic creation is off (MENTORING_KAFKA_CREATE_TOPICS=false); `mentoring topics check` names what"
            " is missing."
        )
    with sentences(settings):
        created = asyncio.run(create_topics(settings))
    if as_json:
        print_json({"created": created})
    elif created:
        print_line(f"Created {counted(len(created), 'topic')}.")
    else:
        print_line(f"All {len(TOPICS)} topics are there.")


@topics_app.command()
def check(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Name what is missing on the cluster or differs from the catalogue; exit code 1 when something does."""
    from shared.cli.kafka import sentences
    from shared.messaging.topics import check_topics

    settings = find_target(None, data_dir).kafka()
    with sentences(settings):
        findings = asyncio.run(check_topics(settings))
    if as_json:
        print_json([{"topic": finding.topic, "problem": finding.problem} for finding in findings])
    for finding in [] if as_json else findings:
        print_line(f"{finding.topic} {finding.problem}.")
    if not findings and not as_json:
        print_line(f"All {len(TOPICS)} topics are as the catalogue says.")
    raise typer.Exit(1 if findings else 0)
