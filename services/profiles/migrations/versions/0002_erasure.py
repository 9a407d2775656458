"""Erasures: who is forgotten, which services have confirmed, and up to where HR is not listened to."""

from alembic import op

from shared.persistence.plumbing import create_table, keep_no_samples
from shared.persistence.receipts import TABLE_DDL

revision = "0002"
down_revision = "0001"

SERVICE = "profiles"
OVERDUE = "status = 'overdue' AND lifted_at IS NULL"


def upgrade() -> None:
    create_table(SERVICE, TABLE_DDL)
    create_table(
        SERVICE,
        """CREATE TABLE erasure (
        tenant text NOT NULL,
        person_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        first_tombstone bigint NOT NULL CHECK (first_tombstone >= 1),
        person_version bigint NOT NULL CHECK (person_version >= first_tombstone),
        record_sequence bigint NOT NULL CHECK (record_sequence >= -1),
        employment_sequence bigint NOT NULL CHECK (employment_sequence >= -1),
        status text NOT NULL CHECK (status IN ('requested', 'confirmed', 'overdue')),
        requested_at timestamptz NOT NULL,
        requested_by text NOT NULL,
        confirm_by timestamptz NOT NULL CHECK (confirm_by > requested_at),
        receipts jsonb NOT NULL CHECK (jsonb_typeof(receipts) = 'object'),
        lifted_at timestamptz CHECK (lifted_at >= requested_at),
        PRIMARY KEY (tenant, person_id)
    )""",
    )
    op.execute(f"CREATE INDEX erasure_overdue ON erasure (tenant, person_id) WHERE {OVERDUE}")
    _let_the_gauge_count()
    keep_no_samples("outbox", "payload")
    keep_no_samples(
        "person", "employee_id", "given_name", "family_name", "email", "department", "team", "office",
        "job_title", "skills_offered", "skills_wanted", "interests", "goals", "working_style",
    )  # fmt: skip


def _let_the_gauge_count() -> None:
    """The metrics are of all tenants: the plumbing role may count what is overdue, and sees no more of it."""
    role = f"mentoring_{SERVICE}_plumbing"
    op.execute(f"CREATE POLICY overdue ON erasure FOR SELECT TO {role} USING ({OVERDUE})")
    op.execute(f"GRANT SELECT (status) ON erasure TO {role}")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
