"""The tables that every service has beside its own, and the row-level security of all of them.

Called from migrations, which run as the owner. Every table is under *forced* row-level security: the
``app`` role sees one tenant's rows (``app.tenant`` of the transaction), the ``plumbing`` role has its
own policies on the tables of this module only, the ``check`` role may read everything.
"""

from alembic import op

TENANT = "tenant = nullif(current_setting('app.tenant', true), '')"
"""After ``SET LOCAL`` has ended the setting reads '' and not NULL, hence ``nullif``."""

PLUMBING_TABLES = ("inbox", "outbox", "outbox_ledger", "timer", "dead_letter")


def _role(service: str, name: str) -> str:
    return f"mentoring_{service}_{name}"


def secure_table(
    service: str, table: str, *, app: str = "SELECT, INSERT, UPDATE, DELETE", plumbing: str = ""
) -> None:
    """Put *table* under forced row-level security and grant the service's roles what they need."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} ALTER COLUMN tenant SET STATISTICS 0")  # see estimate_tenants_alike
    op.execute(
        f"CREATE POLICY tenant_rows ON {table} TO {_role(service, 'app')} USING ({TENANT}) WITH CHECK ({TENANT})"
    )
    op.execute(f"CREATE POLICY checker ON {table} FOR SELECT TO {_role(service, 'check')} USING (true)")
    op.execute(f"GRANT {app} ON {table} TO {_role(service, 'app')}")
    op.execute(f"GRANT SELECT ON {table} TO {_role(service, 'check')}")
    if plumbing:
        op.execute(
            f"CREATE POLICY plumbing ON {table} TO {_role(service, 'plumbing')} USING (true) WITH CHECK (true)"
        )
        op.execute(f"GRANT {plumbing} ON {table} TO {_role(service, 'plumbing')}")


def create_table(service: str, ddl: str) -> None:
    """Create a tenant table of a service from ``CREATE TABLE name (...)`` and secure it.

    The first column must be ``tenant text NOT NULL``, and the primary key must begin with it.
    """
    table = ddl.split("(", 1)[0].split()[-1]
    op.execute(ddl)
    secure_table(service, table)


def keep_no_samples(table: str, *columns: str) -> None:
    """Let ``ANALYZE`` keep nothing of these columns, which hold people's words or names.

    It copies values into PostgreSQL's catalogue, where they outlive their row until enough others change.
    Nothing is searched by these columns, so the planner misses nothing.
    """
    for column in columns:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
        # What was copied before; PostgreSQL 18 is the first that lets a table's owner take it out.
        op.execute(f"""
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_proc WHERE proname = 'pg_clear_attribute_stats') THEN
                    PERFORM pg_clear_attribute_stats('public', '{table}', '{column}', false);
                END IF;
            END $$""")


def estimate_tenants_alike() -> None:
    """Let the planner take a tenant for a two-hundredth of any table that is there, whatever it has seen.

    With statistics of the column, a tenant that came after the last ``ANALYZE`` counts as one row, and stays so for
    as long as it is less than a tenth of the table. All rows of the tenant are then as cheap to read as one of them,
    and a batch reads them all to find its keys. Without statistics the primary key is always the better way.
    """
    op.execute("""
        DO $$ DECLARE one name; BEGIN
            FOR one IN SELECT table_name FROM information_schema.columns
                WHERE table_schema = 'public' AND column_name = 'tenant'
            LOOP
                EXECUTE format('ALTER TABLE %I ALTER COLUMN tenant SET STATISTICS 0', one);
                IF EXISTS (SELECT FROM pg_proc WHERE proname = 'pg_clear_attribute_stats') THEN
                    PERFORM pg_clear_attribute_stats('public', one, 'tenant', false);
                END IF;
            END LOOP;
        END $$""")


def let_relay_vacuum(service: str) -> None:
    """Let the plumbing role vacuum the outbox. Before PostgreSQL 17 only the owner may: there the relay's ``VACUUM``
    is passed over with a warning, and autovacuum has to do."""
    op.execute(f"""
        DO $$ BEGIN
            IF current_setting('server_version_num')::int >= 170000 THEN
                GRANT MAINTAIN ON outbox TO {_role(service, "plumbing")};
            END IF;
        END $$""")


def install_plumbing(service: str) -> None:
    """Create clock, inbox, outbox with ledger, timers and dead letters."""
    _clock(service)
    op.execute("""
        CREATE TABLE inbox (
            tenant text NOT NULL,
            consumer text NOT NULL,
            source text NOT NULL,
            id text NOT NULL,
            topic text NOT NULL,
            partition integer NOT NULL,
            record_offset bigint NOT NULL,
            body_sha256 bytea NOT NULL,
            outcome text NOT NULL CHECK (outcome IN ('applied', 'stale', 'unknown', 'dead')),
            received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (tenant, consumer, source, id)
        )""")
    op.execute("CREATE INDEX inbox_received ON inbox USING brin (received_at)")
    op.execute("""
        CREATE TABLE outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            tenant text NOT NULL,
            topic text NOT NULL,
            key text NOT NULL,
            sequence bigint NOT NULL,
            event_id text NOT NULL,
            type text NOT NULL,
            payload bytea,
            headers jsonb NOT NULL,
            said_at timestamptz NOT NULL,
            written_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )""")
    op.execute("""
        CREATE TABLE outbox_ledger (
            outbox_id bigint NOT NULL,
            tenant text NOT NULL,
            topic text NOT NULL,
            key text NOT NULL,
            sequence bigint NOT NULL,
            event_id text NOT NULL,
            written_at timestamptz NOT NULL
        )""")
    op.execute("CREATE INDEX outbox_ledger_written ON outbox_ledger USING brin (written_at)")
    op.execute("""
        CREATE FUNCTION outbox_to_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO outbox_ledger (outbox_id, tenant, topic, key, sequence, event_id, written_at)
            SELECT id, tenant, topic, key, sequence, event_id, written_at FROM new_rows;
            RETURN NULL;
        END $$""")
    op.execute("""
        CREATE TRIGGER outbox_ledger AFTER INSERT ON outbox REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION outbox_to_ledger()""")
    op.execute("""
        CREATE TABLE timer (
            tenant text NOT NULL,
            kind text NOT NULL,
            key text NOT NULL,
            due_at timestamptz NOT NULL,
            correlation_id text NOT NULL,
            causation_id text,
            traceparent text,
            attempts integer NOT NULL DEFAULT 0,
            retry_at timestamptz,
            PRIMARY KEY (tenant, kind, key)
        )""")
    op.execute("CREATE INDEX timer_due ON timer (due_at)")
    op.execute("""
        CREATE TABLE dead_letter (
            tenant text NOT NULL,
            id text NOT NULL,
            topic text NOT NULL,
            partition integer NOT NULL,
            record_offset bigint NOT NULL,
            source text NOT NULL,
            event_id text NOT NULL,
            event_type text NOT NULL,
            reason text NOT NULL,
            detail text NOT NULL,
            attempts integer NOT NULL,
            state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
            died_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            settled_at timestamptz,
            settled_by text,
            PRIMARY KEY (tenant, id)
        )""")
    op.execute("CREATE INDEX dead_letter_open ON dead_letter (died_at) WHERE state = 'open'")
    secure_table(service, "inbox", app="SELECT, INSERT, UPDATE", plumbing="SELECT, DELETE")
    secure_table(service, "outbox", app="INSERT", plumbing="SELECT, DELETE, UPDATE")
    let_relay_vacuum(service)
    secure_table(service, "outbox_ledger", app="INSERT", plumbing="SELECT, DELETE")
    secure_table(service, "timer", plumbing="SELECT, UPDATE")
    secure_table(service, "dead_letter", app="SELECT, INSERT, UPDATE", plumbing="SELECT, DELETE")


def _clock(service: str) -> None:
    """Business time: the real clock plus an offset that only a test role may change."""
    clock = _role(service, "clock")
    op.execute("""
        CREATE TABLE app_clock (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            offset_interval interval NOT NULL DEFAULT interval '0'
        )""")
    op.execute("INSERT INTO app_clock DEFAULT VALUES")
    op.execute("ALTER TABLE app_clock ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE app_clock FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY readable ON app_clock FOR SELECT USING (true)")
    readers = ", ".join(_role(service, name) for name in ("app", "plumbing", "check"))
    op.execute(f"GRANT SELECT ON app_clock TO {readers}")
    op.execute(f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{clock}') THEN
                CREATE POLICY movable ON app_clock FOR UPDATE TO {clock} USING (true) WITH CHECK (true);
                GRANT SELECT, UPDATE ON app_clock TO {clock};
            END IF;
        END $$""")
    op.execute("""
        CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql STABLE AS
        $$ SELECT clock_timestamp() + offset_interval FROM app_clock $$""")
    op.execute("ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE alembic_version FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY readable ON alembic_version FOR SELECT USING (true)")
    op.execute(
        f"CREATE POLICY owner ON alembic_version TO {_role(service, 'owner')} USING (true) WITH CHECK (true)"
    )
    op.execute(f"GRANT SELECT ON alembic_version TO {readers}")
