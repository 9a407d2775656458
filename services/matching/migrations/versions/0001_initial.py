"""The first tables of *matching*."""

from alembic import op

from shared.persistence.plumbing import create_table, install_plumbing

revision = "0001"
down_revision = None

SERVICE = "matching"


def upgrade() -> None:
    install_plumbing(SERVICE)
    create_table(
        SERVICE,
        """CREATE TABLE gate (
        tenant text NOT NULL,
        name text NOT NULL,
        PRIMARY KEY (tenant, name)
    )""",
    )
    _projections()
    _pool()
    _proposals()
    _relationships()


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")


def _projections() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE person (
        tenant text NOT NULL,
        person_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 0),
        status text NOT NULL CHECK (status IN ('unknown', 'active', 'left', 'erased')),
        spell integer NOT NULL CHECK (spell >= 1),
        manager_id text,
        department text NOT NULL,
        team text,
        time_zone text NOT NULL,
        languages jsonb NOT NULL CHECK (jsonb_typeof(languages) = 'array'),
        job_level integer,
        skills_offered jsonb NOT NULL CHECK (jsonb_typeof(skills_offered) = 'object'),
        skills_wanted jsonb NOT NULL CHECK (jsonb_typeof(skills_wanted) = 'object'),
        interests jsonb NOT NULL CHECK (jsonb_typeof(interests) = 'array'),
        goals text NOT NULL,
        working_style text,
        mentor_capacity integer NOT NULL CHECK (mentor_capacity >= 0),
        matching_consent boolean NOT NULL,
        PRIMARY KEY (tenant, person_id),
        CONSTRAINT stub_is_unknown CHECK ((version = 0) = (status = 'unknown')),
        CONSTRAINT erased_is_empty CHECK (status <> 'erased' OR (
            manager_id IS NULL AND department = '' AND team IS NULL AND languages = '[]' AND job_level IS NULL
            AND skills_offered = '{}' AND skills_wanted = '{}' AND interests = '[]' AND goals = ''
            AND working_style IS NULL AND NOT matching_consent))
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE departure (
        tenant text NOT NULL,
        person_id text NOT NULL,
        spell integer NOT NULL CHECK (spell >= 0),
        erased_version bigint NOT NULL CHECK (erased_version >= 0),
        PRIMARY KEY (tenant, person_id)
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE programme (
        tenant text NOT NULL,
        programme_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 0),
        active boolean NOT NULL,
        coordinator_ids jsonb NOT NULL CHECK (jsonb_typeof(coordinator_ids) = 'array'),
        matching_delay_minutes integer NOT NULL CHECK (matching_delay_minutes >= 0),
        proposal_days integer NOT NULL CHECK (proposal_days >= 1),
        minimum_level_gap integer NOT NULL CHECK (minimum_level_gap >= 0),
        same_department_allowed boolean NOT NULL,
        PRIMARY KEY (tenant, programme_id),
        CONSTRAINT stub_is_inactive CHECK (version > 0 OR NOT active)
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE enrolment (
        tenant text NOT NULL,
        enrolment_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        programme_id text NOT NULL,
        person_id text NOT NULL,
        role text NOT NULL CHECK (role IN ('mentor', 'mentee')),
        status text NOT NULL CHECK (status IN ('active', 'withdrawn')),
        PRIMARY KEY (tenant, enrolment_id)
    )""",
    )
    op.execute("CREATE INDEX enrolment_of_person ON enrolment (tenant, person_id)")
    op.execute(
        "CREATE INDEX mentors_of_programme ON enrolment (tenant, programme_id, person_id)"
        " WHERE role = 'mentor' AND status = 'active'"
    )


def _pool() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE mentor_load (
        tenant text NOT NULL,
        person_id text NOT NULL,
        active integer NOT NULL CHECK (active >= 0),
        reserved integer NOT NULL CHECK (reserved >= 0),
        PRIMARY KEY (tenant, person_id)
    )""",
    )
    create_table(
        SERVICE,
        """CREATE TABLE mentee (
        tenant text NOT NULL,
        programme_id text NOT NULL,
        person_id text NOT NULL,
        enrolment_id text NOT NULL,
        standing text NOT NULL
            CHECK (standing IN ('unknown', 'eligible', 'left', 'not-enrolled', 'no-consent')),
        place text NOT NULL CHECK (place IN ('free', 'proposed', 'paired', 'done')),
        since date,
        found text NOT NULL CHECK (found IN ('not-tried-yet', 'no-candidate', 'all-full')),
        priority integer NOT NULL CHECK (priority >= 0),
        PRIMARY KEY (tenant, programme_id, person_id),
        CONSTRAINT since_while_hoping CHECK (
            (since IS NOT NULL) = (standing = 'eligible' AND place IN ('free', 'proposed'))),
        CONSTRAINT proposed_is_eligible CHECK (place <> 'proposed' OR standing = 'eligible')
    )""",
    )
    op.execute("CREATE INDEX mentee_of_person ON mentee (tenant, person_id)")
    op.execute(
        "CREATE INDEX mentee_waiting ON mentee (tenant, programme_id, since, person_id)"
        " WHERE standing = 'eligible' AND place = 'free'"
    )


def _proposals() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE proposal (
        tenant text NOT NULL,
        proposal_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        programme_id text NOT NULL,
        mentor_id text NOT NULL,
        mentee_id text NOT NULL,
        attempt integer NOT NULL CHECK (attempt >= 1),
        status text NOT NULL CHECK (status IN ('open', 'accepted', 'declined', 'expired', 'withdrawn')),
        mentor_accepted boolean NOT NULL,
        mentee_accepted boolean NOT NULL,
        score bigint NOT NULL CHECK (score >= 0),
        reasons jsonb NOT NULL CHECK (jsonb_typeof(reasons) = 'array'),
        proposed_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        closed_at timestamptz,
        PRIMARY KEY (tenant, proposal_id),
        CONSTRAINT two_people CHECK (mentor_id <> mentee_id),
        CONSTRAINT accepted_by_both CHECK ((status = 'accepted') = (mentor_accepted AND mentee_accepted)),
        CONSTRAINT closed_or_open CHECK ((status = 'open') = (closed_at IS NULL)),
        CONSTRAINT expires_later CHECK (expires_at > proposed_at)
    )""",
    )
    op.execute("CREATE INDEX proposal_of_mentor ON proposal (tenant, mentor_id, status)")
    op.execute("CREATE INDEX proposal_of_mentee ON proposal (tenant, mentee_id, status)")
    op.execute(
        "CREATE UNIQUE INDEX one_open_proposal ON proposal (tenant, programme_id, mentee_id)"
        " WHERE status = 'open'"
    )


def _relationships() -> None:
    create_table(
        SERVICE,
        """CREATE TABLE relationship (
        tenant text NOT NULL,
        relationship_id text NOT NULL,
        version bigint NOT NULL,
        programme_id text NOT NULL,
        proposal_id text NOT NULL,
        mentor_id text NOT NULL,
        mentee_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'ended')),
        started_at timestamptz NOT NULL,
        ended_at timestamptz,
        reason text CHECK (reason IN ('left', 'no-fault', 'completed')),
        requeue text CHECK (requeue IN ('queued', 'mentee-left', 'mentee-not-enrolled', 'goal-reached')),
        leaver_ids jsonb NOT NULL
            CHECK (jsonb_typeof(leaver_ids) = 'array' AND jsonb_array_length(leaver_ids) <= 2),
        sessions_completed integer NOT NULL CHECK (sessions_completed >= 0),
        last_session_at timestamptz,
        PRIMARY KEY (tenant, relationship_id),
        UNIQUE (tenant, proposal_id),
        CONSTRAINT two_people CHECK (mentor_id <> mentee_id),
        CONSTRAINT two_versions CHECK (version = CASE status WHEN 'active' THEN 1 ELSE 2 END),
        CONSTRAINT end_is_whole CHECK (num_nonnulls(ended_at, reason, requeue)
            = CASE status WHEN 'active' THEN 0 ELSE 3 END),
        CONSTRAINT leavers_when_left CHECK ((reason IS NOT DISTINCT FROM 'left') = (leaver_ids <> '[]')),
        CONSTRAINT goal_when_completed CHECK (
            (reason IS NOT DISTINCT FROM 'completed') = (requeue IS NOT DISTINCT FROM 'goal-reached')),
        CONSTRAINT met_when_counted CHECK ((sessions_completed > 0) = (last_session_at IS NOT NULL))
    )""",
    )
    op.execute("CREATE INDEX relationship_of_mentor ON relationship (tenant, mentor_id, status)")
    op.execute("CREATE INDEX relationship_of_mentee ON relationship (tenant, mentee_id, status)")
    op.execute(
        "CREATE UNIQUE INDEX one_mentor_at_a_time ON relationship (tenant, programme_id, mentee_id)"
        " WHERE status = 'active'"
    )
    create_table(
        SERVICE,
        """CREATE TABLE heard_session (
        tenant text NOT NULL,
        session_id text NOT NULL,
        relationship_id text NOT NULL,
        PRIMARY KEY (tenant, session_id)
    )""",
    )
    op.execute("CREATE INDEX heard_session_of ON heard_session (tenant, relationship_id)")
