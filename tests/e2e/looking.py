"""Looking for somebody's bytes on a whole platform, and making its servers forget in seconds.

What each look shows:

- every table by binary ``COPY``: what anybody could still read;
- every file of PostgreSQL (tables, catalogue with its samples, WAL) after ``VACUUM FULL`` and checkpoints: what
  lies on disk. Without ``VACUUM FULL`` freed space keeps its bytes until it is used again;
- every record on every topic by a consumer, which decompresses: what anybody could still consume;
- every file of Kafka's log, raw: what has been compacted or deleted is off the disk too. Batches are compressed
  with lz4, which leaves short strings readable, but this look alone would prove nothing;
- logs of all processes and servers, and traces.
"""

import contextlib
import io
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.stack import LocalStack
from shared.contracts import SERVICES, TOPICS
from shared.persistence.bootstrap import database_name

PERSONAL: Final = {
    "given name": "Zebediahq",
    "family name": "Quixworthyz",
    "address": "zq.personal@erase.example",
    "employee number": "EMP-ZQ-7781",
    "goals": "circumnavigate-zq-goals",
    "skill in own wording": "ZQSAIL-Marker",
    "wish": "zq-wish-in-confidence",
    "words by": "zq-words-by-the-person",
    "words about": "zq-words-about-the-person",
}
"""What only this person has, or what only this person's partner wrote about them."""

BROKER: Final = {"log.retention.check.interval.ms": "500", "log.cleaner.backoff.ms": "500"}
SOON: Final = {"segment.ms": "1000", "file.delete.delay.ms": "1000"}
FORGET: Final = {
    "compact": SOON | {"max.compaction.lag.ms": "1000", "delete.retention.ms": "1000"},
    "delete": SOON | {"retention.ms": "1000"},
}
"""What takes days in production, in seconds. Only times differ: the policies stay the catalogue's."""


async def rows(stack: LocalStack, service: str, query: str, *values: Any) -> list[Any]:
    async with login(stack, service) as admin:
        return [tuple(row) for row in await admin.fetch(query, *values)]


@contextlib.asynccontextmanager
async def login(stack: LocalStack, service: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """The server's administrator in one service's database."""
    admin = await asyncpg.connect(stack.postgres.admin_dsn, database=database_name(service))
    try:
        yield admin
    finally:
        await admin.close()


# looking for bytes


def needles() -> dict[str, list[bytes]]:
    """Each as it is, and as hexadecimal digits."""
    return {what: [word.encode(), word.encode().hex().encode()] for what, word in PERSONAL.items()}


def found_in(content: bytes) -> set[str]:
    return {what for what, spellings in needles().items() if any(each in content for each in spellings)}


async def in_tables(stack: LocalStack) -> dict[str, set[str]]:
    """By table, the catalogue's included, what can be read in it."""
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        async with login(stack, service) as admin:
            for (name,) in await admin.fetch(
                "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind IN ('r', 'm', 't')"
                " AND (relnamespace = 'public'::regnamespace OR relname = 'pg_statistic')"
            ):
                content = io.BytesIO()
                await admin.copy_from_query(f"SELECT t::text FROM {name} t", output=content, format="binary")
                if hits := found_in(content.getvalue()):
                    found[f"{service}.{name}"] = hits
    return found


async def in_records(stack: LocalStack) -> dict[str, set[str]]:
    """By topic, what can be consumed from it: keys, headers and values, decompressed."""
    found: dict[str, set[str]] = {}
    options = stack.kafka.client_options()
    async with AIOKafkaConsumer(
        **options, enable_auto_commit=False, max_partition_fetch_bytes=2**24
    ) as reader:
        partitions = [TopicPartition(f"mentoring.{t.name}", n) for t in TOPICS for n in range(t.partitions)]
        reader.assign(partitions)
        await reader.seek_to_beginning()
        ends = await reader.end_offsets(partitions)
        # Compaction leaves holes, and a partition may end in one: its position tells, not its records.
        while any([await reader.position(each) < ends[each] for each in partitions]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                for each in records:
                    content = b"\n".join((each.key or b"", each.value or b"", repr(each.headers).encode()))
                    if hits := found_in(content):
                        found.setdefault(each.topic.removeprefix("mentoring."), set()).update(hits)
    return found


def in_files(*folders: Path, but_not: Iterable[Path] = ()) -> dict[str, set[str]]:
    """By file below these folders, what its bytes hold."""
    skipped, found = set(but_not), {}
    for folder in folders:
        for path, _, names in os.walk(folder):
            if any(Path(path).is_relative_to(each) for each in skipped):
                continue
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # servers delete files at any time
                    if hits := found_in((Path(path) / name).read_bytes()):
                        found[str((Path(path) / name).relative_to(folder))] = hits
    return found


async def cluster_of(stack: LocalStack) -> Path:
    """Where PostgreSQL keeps its files."""
    ((place,),) = await rows(stack, "profiles", "SELECT current_setting('data_directory')")
    return Path(place)


def own_files(stack: LocalStack) -> dict[str, set[str]]:
    """Logs, traces and everything else beside the servers' data and the mailbox."""
    data = stack.data_dir
    return in_files(data, but_not=[data / "kafka" / "data", data / "postgres" / "cluster", data / "mail"])


# making servers forget


async def topics_forget_soon(stack: LocalStack) -> None:
    """Retention and compaction in seconds. The whole configuration is set: this call replaces it."""
    admin = AIOKafkaAdminClient(**stack.kafka.client_options())
    await admin.start()
    try:
        for topic in TOPICS:
            if topic.compacted or topic.brief:
                config = dict(topic.config) | FORGET["compact" if topic.compacted else "delete"]
                resource = ConfigResource(ConfigResourceType.TOPIC, f"mentoring.{topic.name}", configs=config)
                for response in await admin.alter_configs([resource]):
                    assert all(result[0] == 0 for result in response.resources), response
    finally:
        await admin.close()


async def databases_forget(stack: LocalStack) -> None:
    """Tables are written anew, and old WAL is deleted instead of being kept for reuse."""
    for service in SERVICES:
        async with login(stack, service) as admin:
            await admin.execute("VACUUM (FULL, ANALYZE)")
    async with login(stack, "profiles") as admin:
        for _ in range(3):
            await admin.execute("SELECT pg_switch_wal()")
            await admin.execute("CHECKPOINT")
