"""The tables that *feedback* starts with.

The constraints say what no code may ever write: an ended pair without an end, a completed session
without its time, an answer without a request, a rating outside 1 to 5, a sum below zero.
"""

from alembic import op

from shared.persistence.plumbing import create_table, install_plumbing

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERVICE = "feedback"


def upgrade() -> None:
    install_plumbing(SERVICE)
    _pairs()
    _sessions()
    _feedback()
    _analytics()


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward: restore a backup, or write the next migration.")


def _pairs() -> None:
    create_table(
        SERVICE,
        """
        CREATE TABLE programme (
            tenant text NOT NULL,
            programme_id text NOT NULL,
            coordinator_ids jsonb NOT NULL CHECK (jsonb_typeof(coordinator_ids) = 'array'),
            version bigint NOT NULL,
            PRIMARY KEY (tenant, programme_id)
        )""",
    )
    create_table(
        SERVICE,
        """
        CREATE TABLE relationship (
            tenant text NOT NULL,
            relationship_id text NOT NULL,
            programme_id text NOT NULL,
            mentor_id text NOT NULL,
            mentee_id text NOT NULL,
            status text NOT NULL CHECK (status IN ('active', 'ended')),
            started_at timestamptz NOT NULL,
            ended_at timestamptz,
            end_reason text CHECK (end_reason IN ('left', 'no-fault', 'completed', 'withdrawn')),
            version bigint NOT NULL,
            PRIMARY KEY (tenant, relationship_id),
            CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
            CHECK ((status = 'ended') = (end_reason IS NOT NULL))
        )""",
    )
    op.execute(
        "CREATE INDEX relationship_active ON relationship (tenant, programme_id) WHERE status = 'active'"
    )


def _sessions() -> None:
    create_table(
        SERVICE,
        """
        CREATE TABLE session (
            tenant text NOT NULL,
            session_id text NOT NULL,
            relationship_id text NOT NULL,
            programme_id text NOT NULL,
            mentor_id text NOT NULL,
            mentee_id text NOT NULL,
            status text NOT NULL CHECK (status IN ('booked', 'cancelled', 'completed')),
            starts_at timestamptz NOT NULL,
            minutes integer NOT NULL CHECK (minutes BETWEEN 5 AND 1440),
            completed_at timestamptz,
            version bigint NOT NULL CHECK (version > 0),
            PRIMARY KEY (tenant, session_id),
            FOREIGN KEY (tenant, relationship_id) REFERENCES relationship,
            CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
            CHECK (completed_at >= starts_at)
        )""",
    )
    op.execute("CREATE INDEX session_of ON session (tenant, relationship_id, starts_at)")


def _feedback() -> None:
    # No foreign key to the session: a request is made from the session's event, and must not fail when
    # the event is newer than a restored table.
    create_table(
        SERVICE,
        """
        CREATE TABLE feedback_request (
            tenant text NOT NULL,
            feedback_request_id text NOT NULL,
            session_id text NOT NULL,
            relationship_id text NOT NULL,
            programme_id text NOT NULL,
            author_id text NOT NULL,
            partner_id text NOT NULL,
            status text NOT NULL CHECK (status IN ('requested', 'submitted', 'closed')),
            requested_at timestamptz NOT NULL,
            submitted_at timestamptz,
            version bigint NOT NULL CHECK (version > 0),
            PRIMARY KEY (tenant, feedback_request_id),
            UNIQUE (tenant, session_id, author_id),
            CHECK (status <> 'requested' OR submitted_at IS NULL),
            CHECK (status <> 'submitted' OR submitted_at IS NOT NULL)
        )""",
    )
    op.execute("CREATE INDEX feedback_request_to ON feedback_request (tenant, author_id, requested_at)")
    create_table(
        SERVICE,
        """
        CREATE TABLE feedback_answer (
            tenant text NOT NULL,
            feedback_request_id text NOT NULL,
            communication integer CHECK (communication BETWEEN 1 AND 5),
            empathy integer CHECK (empathy BETWEEN 1 AND 5),
            leadership integer CHECK (leadership BETWEEN 1 AND 5),
            adaptability integer CHECK (adaptability BETWEEN 1 AND 5),
            boundaries integer CHECK (boundaries BETWEEN 1 AND 5),
            behaviour text NOT NULL,
            impact text NOT NULL,
            suggestion text NOT NULL,
            audience text NOT NULL CHECK (audience IN ('partner', 'coordinator', 'aggregate')),
            relationship_id text NOT NULL,
            programme_id text NOT NULL,
            author_id text NOT NULL,
            partner_id text NOT NULL,
            submitted_at timestamptz NOT NULL,
            changed_at timestamptz NOT NULL,
            PRIMARY KEY (tenant, feedback_request_id),
            FOREIGN KEY (tenant, feedback_request_id) REFERENCES feedback_request,
            CHECK (changed_at >= submitted_at)
        )""",
    )
    op.execute("CREATE INDEX feedback_answer_pair ON feedback_answer (tenant, relationship_id, partner_id)")
    op.execute("CREATE INDEX feedback_answer_programme ON feedback_answer (tenant, programme_id, audience)")
    op.execute("CREATE INDEX feedback_answer_author ON feedback_answer (tenant, author_id)")
    op.execute("CREATE INDEX feedback_answer_partner ON feedback_answer (tenant, partner_id)")


def _analytics() -> None:
    create_table(
        SERVICE,
        """
        CREATE TABLE contribution (
            tenant text NOT NULL,
            subject text NOT NULL
                CHECK (subject IN ('relationship', 'session', 'feedback-request', 'proposal')),
            subject_id text NOT NULL,
            programme_id text NOT NULL,
            version bigint NOT NULL,
            counts jsonb NOT NULL CHECK (jsonb_typeof(counts) = 'object'),
            PRIMARY KEY (tenant, subject, subject_id)
        )""",
    )
    create_table(
        SERVICE,
        r"""
        CREATE TABLE programme_metric (
            tenant text NOT NULL,
            programme_id text NOT NULL,
            metric text NOT NULL,
            month text NOT NULL CHECK (month ~ '^\d{4}-\d\d$'),
            value bigint NOT NULL CHECK (value >= 0),
            PRIMARY KEY (tenant, programme_id, metric, month)
        )""",
    )
