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
from deploy.local.kafka.probe import known_brokers
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import Postgres
from tests.deploy.sources import load_compose
from tests.support.waiting import eventually

_KAFKA_SECONDS: Final = 120.0


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


def kafka_environment(port: int) -> dict[str, str]:
    """What the Kafka container is told: what Compose tells it, but to listen for clients on this host's *port*."""
    told: dict[str, str] = load_compose()["services"]["kafka"]["environment"]
    kept = {name: value for name, value in told.items() if name != "KAFKA_LOG_DIRS"}  # Compose has a volume
    return kept | {
        "KAFKA_LISTENERS": f"CLIENT://:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENT://{LOOPBACK}:{port}",
    }


@asynccontextmanager
async def _containers() -> AsyncIterator[Servers]:
    """The images of Compose. The Kafka container of testcontainers itself is for another vendor's images only."""
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.container import DockerContainer

    services = load_compose()["services"]
    kafka_image, postgres_image = services["kafka"]["image"], services["postgres"]["image"]
    port = free_port()  # the same inside and outside, as the broker tells clients where it is
    kafka = DockerContainer(kafka_image).with_bind_ports(port, port)
    for name, value in kafka_environment(port).items():
        kafka = kafka.with_env(name, value)
    with kafka, PostgresContainer(postgres_image, driver=None) as postgres:

        async def answers() -> bool:
            return await known_brokers(port, {}) > 0

        await eventually(answers, seconds=_KAFKA_SECONDS, every=0.2, what="an answer of the Kafka container")
        yield Servers(f"{LOOPBACK}:{port}", postgres.get_connection_url(), f"{kafka_image}, {postgres_image}")
