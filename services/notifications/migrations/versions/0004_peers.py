"""Peers: whether a programme is of them, and messages to somebody as a peer."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A constant default: no row is rewritten, and the version before goes on inserting without this column.
    op.execute("ALTER TABLE programme ADD COLUMN of_peers boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE notification DROP CONSTRAINT notification_role_check")
    op.execute(
        "ALTER TABLE notification ADD CONSTRAINT notification_role_check"
        " CHECK (role IN ('mentor', 'mentee', 'peer')) NOT VALID"
    )
    # Wider than what it replaces, so every row keeps it: validating takes no lock that writers would wait for.
    op.execute("ALTER TABLE notification VALIDATE CONSTRAINT notification_role_check")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
