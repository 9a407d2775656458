"""The one door from the command to the embedded stack.

Nothing of ``deploy`` is imported before a command needs it: an image of the command line alone does not
have it, and says so in a sentence.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.cli.output import fail

if TYPE_CHECKING:
    from deploy.local import LocalStack as LocalStack

Sign = Callable[[str, str, Sequence[str], int], str]
"""Makes a bearer token from subject, tenant, roles and its life in seconds."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """Where the parts of a local stack are."""

    data_dir: Path
    kafka: Mapping[str, str]
    """As environment variables."""
    urls: Mapping[str, tuple[str, ...]]
    sign: Sign


def installed() -> bool:
    """Whether the embedded stack is here at all."""
    try:
        import deploy.local  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "deploy":
            raise
        return False
    return True


@contextmanager
def embedded() -> Iterator[None]:
    """Turn what can go wrong with the embedded stack into a sentence."""
    if not installed():
        fail("The embedded stack is not installed here: run this from a checkout of the platform.", 2)
    from deploy.local import LocalStackError

    try:
        yield
    except LocalStackError as error:
        fail(_sentence(str(error)))


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "\n")) or "\n" in text else text + "."


def default_data_dir() -> Path:
    """Where the one stack of ``mentoring up`` lives."""
    from deploy.local.paths import default_data_dir as folder

    return folder()


def find_place(data_dir: Path | None) -> LocalPlace | None:
    """The stack that was started in *data_dir* (default: the one of ``mentoring up``); None if there is none."""
    if not installed():
        return None
    with embedded():
        from deploy.local import Issuer, record
        from deploy.local.paths import absolute

        folder = absolute(data_dir or default_data_dir())
        if not record.exists(folder):
            return None
        settings, found = record.read(folder)
        kafka = {
            "kafka_bootstrap_servers": found["kafka"]["bootstrap_servers"],
            "kafka_topic_prefix": settings.topic_prefix,
            "kafka_group_prefix": settings.group_prefix,
            "kafka_replication_factor": str(found["kafka"]["brokers"]),
        }
        if settings.sasl or settings.tls:
            kafka |= _logins(folder)
        urls = {
            service: tuple(entry["url"] for entry in replicas)
            for service, replicas in found["services"].items()
        }
        issuer = Issuer.open(folder)
        return LocalPlace(folder, kafka, urls, lambda s, t, r, ttl: issuer.token(s, t, r, ttl))


def _logins(folder: Path) -> dict[str, str]:
    """How the command line logs in, when the stack's Kafka wants logins."""
    environment = asyncio.run(load(folder)).env_for_cli()
    return {
        name.removeprefix("MENTORING_").lower(): value
        for name, value in environment.items()
        if name.startswith("MENTORING_KAFKA_")
    }


async def load(data_dir: Path | None) -> "LocalStack":
    """The stack that another program started. Raises ``LocalStackError`` if there is none."""
    from deploy.local import LocalStack

    return await LocalStack.load(data_dir)


async def start(
    data_dir: Path | None, services: Sequence[str], replicas: int, progress: Callable[[str], None]
) -> "LocalStack":
    """Start a detached stack and wait until it is ready."""
    from deploy.local import LocalStack

    stack = LocalStack(
        data_dir,
        replicas=dict.fromkeys(services, replicas),
        detached=True,
        progress=progress,
    )
    await stack.start()
    return stack


async def databases(data_dir: Path) -> tuple[dict[str, str], Path]:
    """Connection strings of the roles that may only read, by service, and the folder of mails."""
    with embedded():
        stack = await load(data_dir)
        return {service: stack.dsn(service, "check") for service in stack.services}, stack.mail.directory


def parts(stack: "LocalStack") -> dict[str, bool]:
    """Every process of the stack by name, and whether it runs."""
    running = {
        "kafka": stack.kafka.running,
        "postgres": stack.postgres.running,
        "mail": stack.mail_server.running,
    }
    replicas = [process for replicas in stack.services.values() for process in replicas]
    return running | {process.name: process.running for process in replicas}


def run_demo(**options: Any) -> int:
    """Play the demonstration; its exit code."""
    with embedded():
        from deploy.local.demo.command import run_demo as play
        from deploy.local.demo.options import DemoOptions

        return play(DemoOptions(**options))
