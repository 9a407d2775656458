"""The relay may vacuum the outbox."""

from shared.persistence.plumbing import let_relay_vacuum

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    let_relay_vacuum("notifications")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
