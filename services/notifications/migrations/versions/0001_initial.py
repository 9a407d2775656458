"""Contacts, preferences, reminders and messages."""

from alembic import op

from shared.persistence.plumbing import create_table, install_plumbing

revision = "0001"
down_revision = None

_SERVICE = "notifications"


def upgrade() -> None:
    install_plumbing(_SERVICE)
    create_table(
        _SERVICE,
        """
        CREATE TABLE contact (
            tenant text NOT NULL,
            person_id text NOT NULL,
            version bigint NOT NULL,
            state text NOT NULL CHECK (state IN ('unknown', 'active', 'left', 'erased')),
            given_name text,
            family_name text,
            email text,
            time_zone text,
            language text,
            PRIMARY KEY (tenant, person_id),
            CONSTRAINT unknown_is_version_0 CHECK ((state = 'unknown') = (version = 0)),
            CONSTRAINT personal_data_only_while_known CHECK (
                CASE WHEN state IN ('active', 'left')
                     THEN num_nulls(given_name, family_name, email, time_zone, language) = 0
                     ELSE num_nonnulls(given_name, family_name, email, time_zone, language) = 0 END)
        )""",
    )
    create_table(
        _SERVICE,
        """
        CREATE TABLE preference (
            tenant text NOT NULL,
            person_id text NOT NULL,
            email_enabled boolean NOT NULL,
            session_reminders boolean NOT NULL,
            feedback_reminders boolean NOT NULL,
            PRIMARY KEY (tenant, person_id)
        )""",
    )
    create_table(
        _SERVICE,
        """
        CREATE TABLE programme (
            tenant text NOT NULL,
            programme_id text NOT NULL,
            version bigint NOT NULL,
            name text,
            session_reminder_hours integer CHECK (session_reminder_hours > 0),
            feedback_reminder_days integer CHECK (feedback_reminder_days > 0),
            PRIMARY KEY (tenant, programme_id),
            CONSTRAINT unknown_is_version_0 CHECK (
                num_nulls(name, session_reminder_hours, feedback_reminder_days)
                = CASE WHEN version = 0 THEN 3 ELSE 0 END)
        )""",
    )
    create_table(
        _SERVICE,
        """
        CREATE TABLE session_plan (
            tenant text NOT NULL,
            session_id text NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            programme_id text NOT NULL,
            mentor_id text NOT NULL,
            mentee_id text NOT NULL,
            status text NOT NULL CHECK (status IN ('booked', 'cancelled', 'completed')),
            starts_at timestamptz NOT NULL,
            minutes integer NOT NULL CHECK (minutes > 0),
            timed_at timestamptz NOT NULL,
            reminder_at timestamptz,
            reminded boolean NOT NULL,
            PRIMARY KEY (tenant, session_id),
            CONSTRAINT reminder_only_while_booked CHECK (
                reminder_at IS NULL OR (status = 'booked' AND NOT reminded
                                        AND reminder_at > timed_at AND reminder_at < starts_at))
        )""",
    )
    op.execute("CREATE INDEX session_plan_programme ON session_plan (tenant, programme_id, status)")
    op.execute("CREATE INDEX session_plan_reminder ON session_plan (tenant) WHERE reminder_at IS NOT NULL")
    create_table(
        _SERVICE,
        """
        CREATE TABLE open_request (
            tenant text NOT NULL,
            feedback_request_id text NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            programme_id text NOT NULL,
            author_id text NOT NULL,
            session_id text NOT NULL,
            requested_at timestamptz NOT NULL,
            open boolean NOT NULL,
            reminder_at timestamptz,
            reminded boolean NOT NULL,
            PRIMARY KEY (tenant, feedback_request_id),
            CONSTRAINT reminder_only_while_open CHECK (
                reminder_at IS NULL OR (open AND NOT reminded AND reminder_at > requested_at))
        )""",
    )
    op.execute("CREATE INDEX open_request_programme ON open_request (tenant, programme_id, open)")
    op.execute("CREATE INDEX open_request_reminder ON open_request (tenant) WHERE reminder_at IS NOT NULL")
    create_table(
        _SERVICE,
        """
        CREATE TABLE notification (
            tenant text NOT NULL,
            id text NOT NULL,
            recipient_id text NOT NULL,
            template text NOT NULL,
            about_id text NOT NULL,
            programme_id text NOT NULL,
            role text CHECK (role IN ('mentor', 'mentee')),
            partner_id text,
            facts jsonb NOT NULL,
            state text NOT NULL
                CHECK (state IN ('waiting', 'queued', 'sending', 'sent', 'failed', 'suppressed')),
            version bigint NOT NULL,
            reason text,
            created_at timestamptz NOT NULL,
            queued_at timestamptz,
            settled_at timestamptz,
            attempts integer NOT NULL CHECK (attempts >= 0),
            leases integer NOT NULL CHECK (leases >= 0),
            hold_until timestamptz,
            correlation_id text NOT NULL,
            causation_id text,
            traceparent text,
            PRIMARY KEY (tenant, id),
            CONSTRAINT waiting_is_not_said CHECK (
                (state = 'waiting') = (version = 0) AND (state = 'waiting') = (queued_at IS NULL)),
            CONSTRAINT settled_has_a_time CHECK (
                (state IN ('sent', 'failed', 'suppressed')) = (settled_at IS NOT NULL)),
            CONSTRAINT not_sent_has_a_reason CHECK (
                (state IN ('failed', 'suppressed')) = (reason IS NOT NULL)),
            CONSTRAINT lease_has_an_end CHECK (
                CASE state WHEN 'sending' THEN hold_until IS NOT NULL AND leases > 0
                           WHEN 'queued' THEN true
                           ELSE hold_until IS NULL END)
        )""",
    )
    op.execute("CREATE INDEX notification_recipient ON notification (tenant, recipient_id, created_at, id)")
    op.execute("""
        CREATE INDEX notification_due ON notification (tenant, hold_until NULLS FIRST, queued_at)
        WHERE state IN ('queued', 'sending')""")
    _let_the_sender_find_its_tenants()


def _let_the_sender_find_its_tenants() -> None:
    """The sender works for all tenants: the plumbing role may see whose queue has something due, no more.

    Taking and marking messages happens as the ``app`` role, tenant by tenant.
    """
    role = f"mentoring_{_SERVICE}_plumbing"
    op.execute(
        f"CREATE POLICY due ON notification FOR SELECT TO {role} USING (state IN ('queued', 'sending'))"
    )
    op.execute(f"GRANT SELECT (tenant, state, hold_until) ON notification TO {role}")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward: restore a backup, or write the next one.")
