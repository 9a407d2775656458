"""The consumer that a tutorial would write: FastStream calls a function for each event, Pydantic reads it, an
ORM session writes it, the transaction ends, the message is acknowledged."""

import hashlib
from collections.abc import Callable
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.contracts.people import PersonChanged


class _Base(DeclarativeBase):
    pass


class _Inbox(_Base):
    __tablename__ = "inbox"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    consumer: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str]
    partition: Mapped[int]
    record_offset: Mapped[int]
    body_sha256: Mapped[bytes]
    outcome: Mapped[str]


class _Person(_Base):
    __tablename__ = "person"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    status: Mapped[str]
    spell: Mapped[int]
    manager_id: Mapped[str | None]
    department: Mapped[str]
    team: Mapped[str | None]
    office: Mapped[str | None]
    time_zone: Mapped[str]
    languages: Mapped[list[str]] = mapped_column(JSONB)
    job_level: Mapped[int | None]
    skills_offered: Mapped[dict[str, int]] = mapped_column(JSONB)
    skills_wanted: Mapped[dict[str, int]] = mapped_column(JSONB)
    interests: Mapped[list[str]] = mapped_column(JSONB)
    goals: Mapped[str]
    working_style: Mapped[str | None]
    mentor_capacity: Mapped[int]
    matching_consent: Mapped[bool]


_COPIED = tuple(_Person.__table__.columns.keys()[3:])


class _Envelope(BaseModel):
    id: str
    source: str
    tenant: str
    sequence: int
    data: PersonChanged


def subscribe(
    broker: KafkaBroker,
    topic: str,
    group: str,
    sessions: async_sessionmaker[AsyncSession],
    handled: Callable[[], None],
) -> None:
    """Put the handler on *topic*; *handled* is told of every event."""

    @broker.subscriber(
        topic, group_id=group, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
    )
    async def person_changed(body: bytes, message: KafkaMessage) -> None:
        event = _Envelope.model_validate_json(body)
        async with sessions.begin() as session:
            if not await session.get(_Inbox, (event.tenant, "person", event.source, event.id)):
                session.add(_inbox_row(event, body, message.raw_message))
                await _write(session, event)
        handled()


def _inbox_row(event: _Envelope, body: bytes, record: Any) -> _Inbox:
    return _Inbox(
        tenant=event.tenant,
        consumer="person",
        source=event.source,
        id=event.id,
        topic="person",
        partition=record.partition,
        record_offset=record.offset,
        body_sha256=hashlib.sha256(body).digest(),
        outcome="applied",
    )


async def _write(session: AsyncSession, event: _Envelope) -> None:
    person = await session.get(_Person, (event.tenant, event.data.person_id), with_for_update=True)
    if person is None:
        person = _Person(tenant=event.tenant, person_id=event.data.person_id, version=0)
        session.add(person)
    if person.version < event.sequence:
        person.version = event.sequence
        for name in _COPIED:
            setattr(person, name, getattr(event.data, name))
