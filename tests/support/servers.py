"""Real servers for the tests: containers where a Docker engine answers, plain processes elsewhere.

``MENTORING_TEST_SERVERS=local`` or ``containers`` decides by hand. Both give the same two addresses, so
every test runs unchanged on either.
"""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres

KAFKA_IMAGE: Final = "apache/kafka-native:4.1.1"
POSTGRES_IMAGE: Final = "postgres:18.1-bookworm"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of this test run are."""

    bootstrap_servers: str
    admin_dsn: str
    description: str


def docker_answers() -> tuple[bool, str]:
    """Whether a Docker engine can be used, and if not, why."""
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"no Docker client answers ({type(error).__name__})"
    if done.returncode != 0:
        return False, "a Docker client is here, but no engine answers it"
    return True, f"Docker engine {done.stdout.strip()}"


def choose() -> tuple[str, str]:
    """``local`` or ``containers``, and the reason."""
    wish = os.environ.get("MENTORING_TEST_SERVERS")
    if wish in ("local", "containers"):
        return wish, "MENTORING_TEST_SERVERS says so"
    answers, why = docker_answers()
    return ("containers" if answers else "local"), why


@asynccontextmanager
async def start_servers(folder: Path) -> AsyncIterator[Servers]:
    """Both servers, stopped again at the end."""
    kind, _ = choose()
    if kind == "containers":
        async with _containers() as servers:
            yield servers
        return
    kafka = await Kafka.start(folder / "kafka")
    try:
        postgres = await Postgres.start(folder / "postgres")
        try:
            yield Servers(
                kafka.bootstrap_servers,
                postgres.admin_dsn,
                f"Apache Kafka {kafka.version}, PostgreSQL {postgres.version}",
            )
        finally:
            await postgres.destroy()
    finally:
        await kafka.stop()


@asynccontextmanager
async def _containers() -> AsyncIterator[Servers]:
    from testcontainers.kafka import KafkaContainer
    from testcontainers.postgres import PostgresContainer

    with (
        KafkaContainer(KAFKA_IMAGE).with_kraft() as kafka,
        PostgresContainer(POSTGRES_IMAGE, driver=None) as postgres,
    ):
        yield Servers(
            kafka.get_bootstrap_server(), postgres.get_connection_url(), f"{KAFKA_IMAGE}, {POSTGRES_IMAGE}"
        )
