"""The relay may vacuum the outbox."""

from shared.persistence.plumbing import let_relay_vacuum

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    let_relay_vacuum("matching")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
