"""The planner takes every tenant for equally large."""

from shared.persistence.plumbing import estimate_tenants_alike

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    estimate_tenants_alike()


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
