"""Pairs of peers, who are neither mentor nor mentee."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A constant default: no row is rewritten, and the version before goes on inserting without this column.
    op.execute("ALTER TABLE relationship ADD COLUMN peers boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
