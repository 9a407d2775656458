"""Receipts of erasures, and the way from a person to what others were asked about them."""

from alembic import op

from shared.persistence.plumbing import create_table, keep_no_samples
from shared.persistence.receipts import TABLE_DDL

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERVICE = "feedback"


def upgrade() -> None:
    create_table(SERVICE, TABLE_DDL)
    op.execute("CREATE INDEX feedback_request_about ON feedback_request (tenant, partner_id)")
    keep_no_samples("outbox", "payload")
    keep_no_samples("feedback_answer", "behaviour", "impact", "suggestion")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward: restore a backup, or write the next migration.")
