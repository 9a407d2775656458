"""Matching runs: what was asked for, the inputs that a run saw, and what it found."""

from alembic import op

from shared.persistence.plumbing import create_table, keep_no_samples

revision = "0003"
down_revision = "0002"

SERVICE = "matching"

WORK = "state IN ('requested', 'running', 'publishing')"


def upgrade() -> None:
    _runs()
    _inputs()
    _results()


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")


def _runs() -> None:
    create_table(
        SERVICE,
        f"""CREATE TABLE matching_run (
        tenant text NOT NULL,
        run_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        programme_id text NOT NULL,
        form text NOT NULL,
        state text NOT NULL CHECK (state IN (
            'requested', 'running', 'ready', 'publishing', 'published', 'discarded', 'failed')),
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        configuration jsonb NOT NULL CHECK (jsonb_typeof(configuration) = 'object'),
        fingerprint text NOT NULL,
        changed_at timestamptz NOT NULL,
        stage text NOT NULL,
        round integer NOT NULL CHECK (round >= 0),
        fraction double precision NOT NULL CHECK (fraction BETWEEN 0 AND 1),
        progress_at timestamptz,
        reason text,
        problem text NOT NULL,
        attempts integer NOT NULL CHECK (attempts >= 0),
        leases bigint NOT NULL CHECK (leases >= 0),
        leased_until timestamptz,
        edition integer NOT NULL CHECK (edition >= 0),
        removed integer NOT NULL CHECK (removed >= 0),
        kept boolean NOT NULL,
        people_parts integer NOT NULL CHECK (people_parts >= 0),
        as_of date,
        input_hash text,
        mentees integer NOT NULL CHECK (mentees >= 0),
        mentors integer NOT NULL CHECK (mentors >= 0),
        found jsonb NOT NULL CHECK (jsonb_typeof(found) IN ('object', 'null')),
        figures jsonb NOT NULL CHECK (jsonb_typeof(figures) IN ('object', 'null')),
        publication jsonb NOT NULL CHECK (jsonb_typeof(publication) IN ('object', 'null')),
        PRIMARY KEY (tenant, run_id),
        CONSTRAINT leased_while_working CHECK (leased_until IS NULL OR {WORK}),
        CONSTRAINT found_when_ready CHECK (
            found <> 'null' OR state NOT IN ('ready', 'publishing', 'published')),
        CONSTRAINT failed_for_a_reason CHECK (state NOT IN ('discarded', 'failed') OR reason IS NOT NULL),
        CONSTRAINT over_is_empty CHECK (state NOT IN ('discarded', 'failed') OR NOT kept),
        CONSTRAINT published_by_somebody CHECK (
            (publication <> 'null') = (state IN ('publishing', 'published')))
    )""",
    )
    op.execute(
        "CREATE INDEX matching_run_of ON matching_run (tenant, programme_id, requested_at DESC, run_id)"
    )
    op.execute(f"CREATE INDEX matching_run_work ON matching_run (requested_at) WHERE {WORK}")
    op.execute("CREATE INDEX matching_run_kept ON matching_run (tenant, run_id) WHERE kept")
    role = f"mentoring_{SERVICE}_plumbing"
    # For the worker to find tenants with work; taking it happens as the app role, tenant by tenant.
    op.execute(f"CREATE POLICY work ON matching_run FOR SELECT TO {role} USING ({WORK})")
    op.execute(f"GRANT SELECT (tenant, state, requested_at, leased_until) ON matching_run TO {role}")


def _inputs() -> None:
    """People are in parts by a hash of their id, so that one can be found and taken out without reading all."""
    create_table(
        SERVICE,
        """CREATE TABLE matching_run_people (
        tenant text NOT NULL,
        run_id text NOT NULL,
        side text NOT NULL CHECK (side IN ('mentee', 'mentor', 'line')),
        part integer NOT NULL CHECK (part >= 0),
        content bytea NOT NULL,
        PRIMARY KEY (tenant, run_id, side, part)
    )""",
    )
    keep_no_samples("matching_run_people", "content")


def _results() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE matching_run_pair (
        tenant text NOT NULL,
        run_id text NOT NULL,
        mentee_id text NOT NULL,
        mentor_id text NOT NULL,
        score bigint NOT NULL CHECK (score >= 0),
        factors jsonb NOT NULL CHECK (jsonb_typeof(factors) = 'object'),
        reasons jsonb NOT NULL CHECK (jsonb_typeof(reasons) = 'array'),
        proposal_id text,
        dropped text,
        rule text,
        PRIMARY KEY (tenant, run_id, mentee_id, mentor_id),
        CONSTRAINT two_people CHECK (mentor_id <> mentee_id),
        CONSTRAINT proposed_or_dropped CHECK (proposal_id IS NULL OR dropped IS NULL),
        CONSTRAINT rule_when_dropped CHECK ((rule IS NOT NULL) = (dropped IS NOT DISTINCT FROM 'rule'))
    )""",
    )
    op.execute("CREATE INDEX matching_run_pair_of_mentor ON matching_run_pair (tenant, mentor_id)")
    op.execute("CREATE INDEX matching_run_pair_of_mentee ON matching_run_pair (tenant, mentee_id)")
    keep_no_samples("matching_run_pair", "reasons")
    create_table(
        SERVICE,
        """CREATE TABLE matching_run_unmatched (
        tenant text NOT NULL,
        run_id text NOT NULL,
        mentee_id text NOT NULL,
        why text NOT NULL,
        forbidden jsonb NOT NULL CHECK (jsonb_typeof(forbidden) = 'object'),
        PRIMARY KEY (tenant, run_id, mentee_id)
    )""",
    )
    op.execute("CREATE INDEX matching_run_unmatched_of ON matching_run_unmatched (tenant, mentee_id)")
    create_table(
        SERVICE,
        """CREATE TABLE matching_run_price (
        tenant text NOT NULL,
        run_id text NOT NULL,
        mentor_id text NOT NULL,
        price bigint NOT NULL CHECK (price > 0),
        PRIMARY KEY (tenant, run_id, mentor_id)
    )""",
    )
    op.execute("CREATE INDEX matching_run_price_of ON matching_run_price (tenant, mentor_id)")
