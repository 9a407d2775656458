"""Receipts of erasures, and the way from a person to mails that quote them to others."""

from alembic import op

from shared.persistence.plumbing import create_table, keep_no_samples
from shared.persistence.receipts import TABLE_DDL

revision = "0002"
down_revision = "0001"

_SERVICE = "notifications"


def upgrade() -> None:
    create_table(_SERVICE, TABLE_DDL)
    op.execute("CREATE INDEX notification_partner ON notification (tenant, partner_id)")
    keep_no_samples("outbox", "payload")
    keep_no_samples("contact", "given_name", "family_name", "email")
    keep_no_samples("notification", "facts")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward: restore a backup, or write the next one.")
