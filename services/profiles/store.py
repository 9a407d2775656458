"""Tables of *profiles* and every query on them.

The order of kinds is the order of locks: what many share comes first, so that two transactions meet
there and not in a deadlock.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.profiles.domain.consent import Consent
from services.profiles.domain.erasure import Erasure, ErasureStatus
from services.profiles.domain.intake import DroppedField, Organisation, Vocabulary
from services.profiles.domain.people import Person
from services.profiles.domain.programmes import Enrolment, Programme
from shared.persistence.kinds import Kind
from shared.persistence.receipts import RECEIPT
from shared.persistence.uow import Uow

METADATA = sa.MetaData()


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", sa.Text, primary_key=True)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


organisation = sa.Table(
    "organisation",
    METADATA,
    _tenant(),
    _key("tenant_id"),
    sa.Column("name", sa.Text),
    sa.Column("time_zone", sa.Text),
)

hr_vocabulary = sa.Table(
    "hr_vocabulary",
    METADATA,
    _tenant(),
    _key("what"),
    sa.Column("words", pg.JSONB),
)

hr_dropped_field = sa.Table(
    "hr_dropped_field",
    METADATA,
    _tenant(),
    _key("source"),
    _key("name"),
    sa.Column("count", sa.BigInteger),
)

programme = sa.Table(
    "programme",
    METADATA,
    _tenant(),
    _key("programme_id"),
    sa.Column("name", sa.Text),
    sa.Column("active", sa.Boolean),
    sa.Column("coordinator_ids", pg.JSONB),
    sa.Column("matching_delay_minutes", sa.Integer),
    sa.Column("proposal_days", sa.Integer),
    sa.Column("minimum_level_gap", sa.Integer),
    sa.Column("same_department_allowed", sa.Boolean),
    sa.Column("session_reminder_hours", sa.Integer),
    sa.Column("feedback_reminder_days", sa.Integer),
    sa.Column("rounds", sa.Text),
    sa.Column("matching", pg.JSONB),
    sa.Column("configuration_version", sa.BigInteger),
    sa.Column("version", sa.BigInteger),
)

person = sa.Table(
    "person",
    METADATA,
    _tenant(),
    _key("person_id"),
    sa.Column("employee_id", sa.Text),
    sa.Column("version", sa.BigInteger),
    sa.Column("record_sequence", sa.BigInteger),
    sa.Column("employment_sequence", sa.BigInteger),
    sa.Column("employment", sa.Text),
    sa.Column("effective_on", sa.Date),
    sa.Column("spell", sa.Integer),
    sa.Column("given_name", sa.Text),
    sa.Column("family_name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("manager_id", sa.Text),
    sa.Column("department", sa.Text),
    sa.Column("team", sa.Text),
    sa.Column("office", sa.Text),
    sa.Column("time_zone", sa.Text),
    sa.Column("hr_languages", pg.JSONB),
    sa.Column("job_title", sa.Text),
    sa.Column("job_level", sa.Integer),
    sa.Column("hired_on", sa.Date),
    sa.Column("skills_offered", pg.JSONB),
    sa.Column("skills_wanted", pg.JSONB),
    sa.Column("interests", pg.JSONB),
    sa.Column("goals", sa.Text),
    sa.Column("working_style", sa.Text),
    sa.Column("own_languages", pg.JSONB),
    sa.Column("mentor_capacity", sa.Integer),
)

consent = sa.Table(
    "consent",
    METADATA,
    _tenant(),
    _key("person_id"),
    _key("purpose"),
    sa.Column("granted", sa.Boolean),
    sa.Column("decided_at", sa.DateTime(timezone=True)),
    sa.Column("decided_by", sa.Text),
)

enrolment = sa.Table(
    "enrolment",
    METADATA,
    _tenant(),
    _key("enrolment_id"),
    sa.Column("programme_id", sa.Text),
    sa.Column("person_id", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("choices", pg.JSONB),
    sa.Column("avoid", pg.JSONB),
    sa.Column("preferences", pg.JSONB),
    sa.Column("paused", sa.Boolean),
    sa.Column("version", sa.BigInteger),
)

erasure = sa.Table(
    "erasure",
    METADATA,
    _tenant(),
    _key("person_id"),
    sa.Column("version", sa.BigInteger),
    sa.Column("first_tombstone", sa.BigInteger),
    sa.Column("person_version", sa.BigInteger),
    sa.Column("record_sequence", sa.BigInteger),
    sa.Column("employment_sequence", sa.BigInteger),
    sa.Column("status", sa.Text),
    sa.Column("requested_at", sa.DateTime(timezone=True)),
    sa.Column("requested_by", sa.Text),
    sa.Column("confirm_by", sa.DateTime(timezone=True)),
    sa.Column("receipts", pg.JSONB),
    sa.Column("lifted_at", sa.DateTime(timezone=True)),
)

ORGANISATION: Final = Kind(organisation, Organisation, order=0, read_mostly=True)
VOCABULARY: Final = Kind(hr_vocabulary, Vocabulary, order=1)
DROPPED_FIELD: Final = Kind(hr_dropped_field, DroppedField, order=2)
PROGRAMME: Final = Kind(programme, Programme, order=3, read_mostly=True)
PERSON: Final = Kind(person, Person, order=4)
CONSENT: Final = Kind(consent, Consent, order=5)
ENROLMENT: Final = Kind(enrolment, Enrolment, order=6)
ERASURE: Final = Kind(erasure, Erasure, order=7)

KINDS: Final = (
    ORGANISATION, VOCABULARY, DROPPED_FIELD, PROGRAMME, PERSON, CONSENT, ENROLMENT, ERASURE, RECEIPT,
)  # fmt: skip

_OF_TENANT: Final = sa.bindparam("tenant", type_=sa.Text)


async def programmes_after(uow: Uow, after: str, limit: int) -> Sequence[Programme]:
    """Up to *limit* programmes whose id is greater than *after*, by id."""
    statement = (
        sa.select(*PROGRAMME.columns)
        .where(programme.c.tenant == _OF_TENANT, programme.c.programme_id > after)
        .order_by(programme.c.programme_id)
        .limit(limit)
    )
    return [PROGRAMME.decode(row) for row in await uow.rows(statement)]


async def enrolments_of_programme(uow: Uow, programme_id: str, after: str, limit: int) -> Sequence[Enrolment]:
    """Up to *limit* enrolments of a programme whose id is greater than *after*, by id."""
    statement = (
        sa.select(*ENROLMENT.columns)
        .where(
            enrolment.c.tenant == _OF_TENANT,
            enrolment.c.programme_id == programme_id,
            enrolment.c.enrolment_id > after,
        )
        .order_by(enrolment.c.enrolment_id)
        .limit(limit)
    )
    return [ENROLMENT.decode(row) for row in await uow.rows(statement)]


_ALONE: Final = sa.text(
    "SELECT 1 FROM programme WHERE tenant = :tenant AND programme_id = :programme FOR UPDATE"
)
_ANYBODY: Final = sa.text(
    "SELECT 1 FROM enrolment WHERE tenant = :tenant AND programme_id = :programme LIMIT 1"
)


async def anybody_enrolled(uow: Uow, programme_id: str) -> bool:
    """Whether somebody takes part in the programme, or ever did. Nobody enrols until this transaction ends: enrolling
    locks the programme in share mode, so it is committed before this looks, or waits."""
    await uow.rows(_ALONE, programme=programme_id)
    return bool(await uow.rows(_ANYBODY, programme=programme_id))


async def enrolments_of_person(uow: Uow, person_id: str, after: str, limit: int) -> Sequence[Enrolment]:
    """Up to *limit* enrolments of a person whose id is greater than *after*, by id."""
    statement = (
        sa.select(*ENROLMENT.columns)
        .where(
            enrolment.c.tenant == _OF_TENANT,
            enrolment.c.person_id == person_id,
            enrolment.c.enrolment_id > after,
        )
        .order_by(enrolment.c.enrolment_id)
        .limit(limit)
    )
    return [ENROLMENT.decode(row) for row in await uow.rows(statement)]


_ABOUT = sa.text("""
    SELECT enrolment_id FROM enrolment WHERE tenant = :tenant AND (person_id = :person
        OR choices @> to_jsonb(CAST(:person AS text)) OR avoid @> to_jsonb(CAST(:person AS text)))""")


async def enrolments_about(uow: Uow, person_id: str) -> list[str]:
    """Ids of the person's own enrolments and of all that name the person. It reads every enrolment of the
    tenant: for erasures only."""
    return [row[0] for row in await uow.rows(_ABOUT, person=person_id)]


async def dropped_fields(uow: Uow) -> Sequence[DroppedField]:
    """All counts; the vocabularies bound how many there are."""
    statement = (
        sa.select(*DROPPED_FIELD.columns)
        .where(hr_dropped_field.c.tenant == _OF_TENANT)
        .order_by(hr_dropped_field.c.source, hr_dropped_field.c.name)
    )
    return [DROPPED_FIELD.decode(row) for row in await uow.rows(statement)]


async def erasures_after(uow: Uow, after: str, limit: int, *, overdue: bool) -> Sequence[Erasure]:
    """Up to *limit* erasures of people whose id is greater than *after*, by id; only overdue ones if asked."""
    statement = sa.select(*ERASURE.columns).where(erasure.c.tenant == _OF_TENANT, erasure.c.person_id > after)
    if overdue:
        statement = statement.where(
            erasure.c.status == ErasureStatus.OVERDUE.value, erasure.c.lifted_at.is_(None)
        )
    statement = statement.order_by(erasure.c.person_id).limit(limit)
    return [ERASURE.decode(row) for row in await uow.rows(statement)]


_SUMMARY: Final = sa.text("""
    SELECT
        (SELECT count(*) FROM programme WHERE tenant = :tenant),
        (SELECT coalesce(sum(count), 0)::bigint FROM hr_dropped_field WHERE tenant = :tenant),
        p.*, e.*
    FROM (
        SELECT count(*),
            count(*) FILTER (WHERE employment <> 'left'),
            count(*) FILTER (WHERE employment = 'left'),
            count(*) FILTER (WHERE employment = 'leaving')
        FROM person WHERE tenant = :tenant AND record_sequence >= 0
    ) AS p, (
        SELECT count(*) FILTER (WHERE status = 'active' AND role = 'mentor'),
            count(*) FILTER (WHERE status = 'active' AND role = 'mentee'),
            count(*) FILTER (WHERE status = 'withdrawn')
        FROM enrolment WHERE tenant = :tenant
    ) AS e""")
_SUMMARY_KEYS: Final = (
    "programmes", "hr_fields_dropped", "people", "people_active", "people_left", "people_leaving",
    "enrolments_mentor_active", "enrolments_mentee_active", "enrolments_withdrawn",
)  # fmt: skip


async def summary(uow: Uow) -> dict[str, int]:
    """Counts without content. People are those with a record; ``people_leaving`` are active as well."""
    counts = (await uow.rows(_SUMMARY))[0]
    return dict(zip(_SUMMARY_KEYS, counts, strict=True))
