"""How a programme matches, and what participants tell matching in confidence."""

from alembic import op

from shared.persistence.plumbing import keep_no_samples

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Constant defaults: no row is rewritten, and the version before goes on inserting without these columns.
    op.execute("""
        ALTER TABLE programme
            ADD COLUMN rounds text NOT NULL DEFAULT 'automatic' CHECK (rounds IN ('automatic', 'supervised')),
            ADD COLUMN matching jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(matching) = 'object'),
            ADD COLUMN configuration_version bigint NOT NULL DEFAULT 1 CHECK (configuration_version >= 1)""")
    op.execute("""
        ALTER TABLE enrolment
            ADD COLUMN choices jsonb NOT NULL DEFAULT '[]'
                CHECK (jsonb_typeof(choices) = 'array' AND jsonb_array_length(choices) <= 10),
            ADD COLUMN avoid jsonb NOT NULL DEFAULT '[]'
                CHECK (jsonb_typeof(avoid) = 'array' AND jsonb_array_length(avoid) <= 100),
            ADD COLUMN preferences jsonb NOT NULL DEFAULT '[]'
                CHECK (jsonb_typeof(preferences) = 'array' AND jsonb_array_length(preferences) <= 10),
            ADD COLUMN paused boolean NOT NULL DEFAULT false,
            ADD CONSTRAINT mentors_pause CHECK (NOT paused OR role = 'mentor')""")
    keep_no_samples("enrolment", "choices", "avoid", "preferences")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
