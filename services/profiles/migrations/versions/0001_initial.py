"""The first tables of *profiles*."""

from alembic import op

from shared.persistence.plumbing import create_table, install_plumbing

revision = "0001"
down_revision = None

SERVICE = "profiles"


def upgrade() -> None:
    install_plumbing(SERVICE)
    create_table(
        SERVICE,
        """CREATE TABLE organisation (
        tenant text NOT NULL,
        tenant_id text NOT NULL CHECK (tenant_id = tenant),
        name text NOT NULL,
        time_zone text NOT NULL,
        PRIMARY KEY (tenant, tenant_id)
    )""",
    )
    _intake()
    _people()
    _programmes()


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")


def _intake() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE hr_vocabulary (
        tenant text NOT NULL,
        what text NOT NULL CHECK (what IN ('field', 'source')),
        words jsonb NOT NULL CHECK (jsonb_typeof(words) = 'array' AND jsonb_array_length(words) <= 200),
        PRIMARY KEY (tenant, what)
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE hr_dropped_field (
        tenant text NOT NULL,
        source text NOT NULL CHECK (length(source) <= 128),
        name text NOT NULL CHECK (length(name) <= 64),
        count bigint NOT NULL CHECK (count > 0),
        PRIMARY KEY (tenant, source, name)
    )""",
    )


def _people() -> None:
    # A stub (record_sequence -1: HR has told no record yet) has published nothing and has not left.
    create_table(
        SERVICE,
        """CREATE TABLE person (
        tenant text NOT NULL,
        person_id text NOT NULL,
        employee_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 0),
        record_sequence bigint NOT NULL CHECK (record_sequence >= -1),
        employment_sequence bigint NOT NULL CHECK (employment_sequence >= -1),
        employment text NOT NULL CHECK (employment IN ('employed', 'leaving', 'left')),
        effective_on date,
        spell integer NOT NULL CHECK (spell >= 1),
        given_name text NOT NULL,
        family_name text NOT NULL,
        email text NOT NULL,
        manager_id text,
        department text NOT NULL,
        team text,
        office text,
        time_zone text NOT NULL,
        hr_languages jsonb NOT NULL CHECK (jsonb_typeof(hr_languages) = 'array'),
        job_title text,
        job_level integer CHECK (job_level BETWEEN 1 AND 20),
        hired_on date,
        skills_offered jsonb NOT NULL CHECK (jsonb_typeof(skills_offered) = 'object'),
        skills_wanted jsonb NOT NULL CHECK (jsonb_typeof(skills_wanted) = 'object'),
        interests jsonb NOT NULL CHECK (jsonb_typeof(interests) = 'array'),
        goals text NOT NULL,
        working_style text,
        own_languages jsonb NOT NULL CHECK (jsonb_typeof(own_languages) = 'array'),
        mentor_capacity integer NOT NULL CHECK (mentor_capacity BETWEEN 0 AND 50),
        PRIMARY KEY (tenant, person_id),
        CONSTRAINT published_once_recorded CHECK ((version > 0) = (record_sequence >= 0)),
        CONSTRAINT left_only_if_recorded CHECK (employment <> 'left' OR record_sequence >= 0),
        CONSTRAINT date_while_leaving CHECK ((employment = 'employed') = (effective_on IS NULL)),
        CONSTRAINT leaving_is_said_by_hr CHECK (employment = 'employed' OR employment_sequence >= 0),
        CONSTRAINT spell_is_said_by_hr CHECK (spell = 1 OR employment_sequence >= 0)
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE consent (
        tenant text NOT NULL,
        person_id text NOT NULL,
        purpose text NOT NULL CHECK (purpose IN ('matching')),
        granted boolean NOT NULL,
        decided_at timestamptz NOT NULL,
        decided_by text NOT NULL,
        PRIMARY KEY (tenant, person_id, purpose),
        FOREIGN KEY (tenant, person_id) REFERENCES person DEFERRABLE INITIALLY DEFERRED
    )""",
    )


def _programmes() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE programme (
        tenant text NOT NULL,
        programme_id text NOT NULL,
        name text NOT NULL,
        active boolean NOT NULL,
        coordinator_ids jsonb NOT NULL CHECK (jsonb_typeof(coordinator_ids) = 'array'),
        matching_delay_minutes integer NOT NULL CHECK (matching_delay_minutes >= 0),
        proposal_days integer NOT NULL CHECK (proposal_days >= 1),
        minimum_level_gap integer NOT NULL CHECK (minimum_level_gap >= 0),
        same_department_allowed boolean NOT NULL,
        session_reminder_hours integer NOT NULL CHECK (session_reminder_hours >= 1),
        feedback_reminder_days integer NOT NULL CHECK (feedback_reminder_days >= 1),
        version bigint NOT NULL CHECK (version >= 1),
        PRIMARY KEY (tenant, programme_id)
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE enrolment (
        tenant text NOT NULL,
        enrolment_id text NOT NULL,
        programme_id text NOT NULL,
        person_id text NOT NULL,
        role text NOT NULL CHECK (role IN ('mentor', 'mentee')),
        status text NOT NULL CHECK (status IN ('active', 'withdrawn')),
        version bigint NOT NULL CHECK (version >= 1),
        PRIMARY KEY (tenant, enrolment_id),
        UNIQUE (tenant, person_id, programme_id, role),
        FOREIGN KEY (tenant, programme_id) REFERENCES programme DEFERRABLE INITIALLY DEFERRED
    )""",
    )
    op.execute("CREATE INDEX enrolment_of_programme ON enrolment (tenant, programme_id, enrolment_id)")
