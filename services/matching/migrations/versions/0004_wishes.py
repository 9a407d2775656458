"""How programmes match, what participants wish for in confidence, and where people work."""

from alembic import op

from shared.persistence.plumbing import keep_no_samples

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Constant defaults: no row is rewritten, and the version before goes on inserting without these columns.
    op.execute("ALTER TABLE person ADD COLUMN office text")
    op.execute(
        "ALTER TABLE person ADD CONSTRAINT erased_has_no_office"
        " CHECK (status <> 'erased' OR office IS NULL) NOT VALID"
    )
    op.execute("ALTER TABLE person VALIDATE CONSTRAINT erased_has_no_office")
    op.execute("""
        ALTER TABLE programme
            ADD COLUMN rounds text NOT NULL DEFAULT 'automatic' CHECK (rounds IN ('automatic', 'supervised')),
            ADD COLUMN matching jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(matching) = 'object'),
            ADD COLUMN configuration_version bigint NOT NULL DEFAULT 1 CHECK (configuration_version >= 1)""")
    op.execute("""
        ALTER TABLE enrolment
            ADD COLUMN choices jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(choices) = 'array'),
            ADD COLUMN avoid jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(avoid) = 'array'),
            ADD COLUMN preferences jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(preferences) = 'array'),
            ADD COLUMN paused boolean NOT NULL DEFAULT false""")
    op.execute(
        "CREATE INDEX enrolment_that_avoids ON enrolment (tenant, person_id)"
        " WHERE status = 'active' AND avoid <> '[]'"
    )
    keep_no_samples("person", "office")
    keep_no_samples("enrolment", "choices", "avoid", "preferences")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
