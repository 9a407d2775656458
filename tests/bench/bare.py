"""What the platform is compared with: the same work by hand, with nothing between the libraries.

No validation, no row-level security (it logs in as the server's administrator), no locks, no metrics, no
retries, no dead letters, and SQL made for this one event: the least that leaves the same rows behind.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

_INBOX = """
    INSERT INTO inbox (tenant, consumer, source, id, topic, partition, record_offset, body_sha256, outcome)
    SELECT $1, 'person', u.source, u.id, 'person', u.partition, u.record_offset, u.sha, 'applied'
    FROM unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::bytea[])
        AS u(source, id, partition, record_offset, sha)
    ON CONFLICT (tenant, consumer, source, id) DO NOTHING RETURNING source, id"""
_COLUMNS = (
    ("person_id", "text"), ("version", "bigint"), ("status", "text"), ("spell", "int"), ("manager_id", "text"),
    ("department", "text"), ("team", "text"), ("office", "text"), ("time_zone", "text"), ("languages", "jsonb"),
    ("job_level", "int"), ("skills_offered", "jsonb"), ("skills_wanted", "jsonb"), ("interests", "jsonb"),
    ("goals", "text"), ("working_style", "text"), ("mentor_capacity", "int"), ("matching_consent", "boolean"),
)  # fmt: skip
_NAMES = ", ".join(name for name, _ in _COLUMNS)
_PERSON = f"""
    INSERT INTO person (tenant, {_NAMES})
    SELECT $1, {", ".join(f"u.{name}::{kind}" for name, kind in _COLUMNS)}
    FROM unnest({", ".join(
        f"${i}::{'text' if kind == 'jsonb' else kind}[]" for i, (_, kind) in enumerate(_COLUMNS, 2)
    )}) AS u({_NAMES})
    ON CONFLICT (tenant, person_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name, _ in _COLUMNS[1:])}
    WHERE person.version < excluded.version"""  # fmt: skip

_READS = tuple(
    f"SELECT * FROM {table} WHERE tenant = $1 AND person_id = ANY($2::text[]) ORDER BY person_id FOR UPDATE"
    for table in ("person", "enrolment", "departure", "mentor_load", "mentee")
)


class _Data(msgspec.Struct):
    person_id: str
    status: str
    spell: int
    department: str
    time_zone: str
    languages: msgspec.Raw
    skills_offered: msgspec.Raw
    skills_wanted: msgspec.Raw
    interests: msgspec.Raw
    goals: str
    mentor_capacity: int
    matching_consent: bool
    manager_id: str | None = None
    team: str | None = None
    office: str | None = None
    job_level: int | None = None
    working_style: str | None = None


class _Event(msgspec.Struct):
    id: str
    source: str
    tenant: str
    sequence: str
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


Batch = dict[TopicPartition, list[ConsumerRecord]]


async def poll(consumer: AIOKafkaConsumer, max_records: int) -> Batch:
    """What is there now; waits a second for it at most."""
    found: Batch = await consumer.getmany(timeout_ms=1000, max_records=max_records)
    return found


async def apply(
    consumer: AIOKafkaConsumer, connection: "asyncpg.Connection[Any]", found: Batch, *, reading: bool
) -> int:
    """One transaction, one commit of offsets. Returns the number of records.

    With *reading* it also locks and reads the rows on which the service decides, and decides nothing.
    """
    records = [record for batch in found.values() for record in batch]
    if not records:
        return 0
    events = [_decode(record.value) for record in records]
    async with connection.transaction():
        await connection.fetch(
            _INBOX,
            events[0].tenant,
            [event.source for event in events],
            [event.id for event in events],
            [record.partition for record in records],
            [record.offset for record in records],
            [hashlib.sha256(record.value).digest() for record in records],
        )
        newest = {event.data.person_id: event for event in events}
        for query in _READS if reading else ():
            await connection.fetch(query, events[0].tenant, list(newest))
        await connection.execute(_PERSON, events[0].tenant, *_columns(list(newest.values())))
    await consumer.commit({tp: batch[-1].offset + 1 for tp, batch in found.items()})
    return len(records)


def _columns(events: Sequence[_Event]) -> list[list[Any]]:
    return [
        [int(event.sequence) for event in events]
        if name == "version"
        else [bytes(getattr(event.data, name)).decode() for event in events]
        if kind == "jsonb"
        else [getattr(event.data, name) for event in events]
        for name, kind in _COLUMNS
    ]
