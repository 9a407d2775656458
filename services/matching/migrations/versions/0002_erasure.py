"""Receipts of erasures, and the end of a pair because one of the two was erased."""

from alembic import op

from shared.persistence.plumbing import create_table, keep_no_samples
from shared.persistence.receipts import TABLE_DDL

revision = "0002"
down_revision = "0001"

SERVICE = "matching"


def upgrade() -> None:
    create_table(SERVICE, TABLE_DDL)
    op.execute("ALTER TABLE relationship DROP CONSTRAINT relationship_reason_check")
    op.execute("ALTER TABLE relationship DROP CONSTRAINT leavers_when_left")
    op.execute(
        "ALTER TABLE relationship ADD CONSTRAINT relationship_reason_check"
        " CHECK (reason IN ('left', 'no-fault', 'completed', 'withdrawn')) NOT VALID"
    )
    op.execute("""
        ALTER TABLE relationship ADD CONSTRAINT leavers_when_gone CHECK (
            (coalesce(reason, '') IN ('left', 'withdrawn')) = (leaver_ids <> '[]')) NOT VALID""")
    # Both are wider than what they replace, so every row that is there keeps them: validating takes no
    # lock that writers would wait for.
    op.execute("ALTER TABLE relationship VALIDATE CONSTRAINT relationship_reason_check")
    op.execute("ALTER TABLE relationship VALIDATE CONSTRAINT leavers_when_gone")
    keep_no_samples("outbox", "payload")
    keep_no_samples("proposal", "reasons")
    keep_no_samples(
        "person", "department", "team", "skills_offered", "skills_wanted", "interests", "goals",
        "working_style",
    )  # fmt: skip


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
