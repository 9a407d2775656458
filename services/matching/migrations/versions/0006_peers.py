"""Pairs of peers: proposals and relationships in which neither side leads."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Constant defaults: no row is rewritten, and the version before goes on inserting without these columns.
    op.execute("ALTER TABLE proposal ADD COLUMN peers boolean NOT NULL DEFAULT false")
    op.execute(
        "ALTER TABLE relationship ADD COLUMN peers boolean NOT NULL DEFAULT false,"
        " ADD COLUMN peer_requeue text"
        " CHECK (peer_requeue IN ('queued', 'mentee-left', 'mentee-not-enrolled', 'goal-reached'))"
    )
    for table in ("proposal", "relationship"):
        # Two peers stand in one order only, so no two rows can be about the same two the other way round.
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT peers_in_order"
            ' CHECK (NOT peers OR mentee_id COLLATE "C" < mentor_id COLLATE "C") NOT VALID'
        )
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT peers_in_order")
    op.execute("""
        ALTER TABLE relationship ADD CONSTRAINT both_peers_end CHECK (
            (peer_requeue IS NOT NULL) = (peers AND status = 'ended')) NOT VALID""")
    op.execute("ALTER TABLE relationship VALIDATE CONSTRAINT both_peers_end")
    # The mentee's side has such indexes already. That nobody stands on both sides at once is decided by the
    # row of ``mentee``, which each of the two has and which is locked whenever its place changes.
    op.execute(
        "CREATE UNIQUE INDEX one_open_proposal_of_a_peer ON proposal (tenant, programme_id, mentor_id)"
        " WHERE status = 'open' AND peers"
    )
    op.execute(
        "CREATE UNIQUE INDEX one_peer_at_a_time ON relationship (tenant, programme_id, mentor_id)"
        " WHERE status = 'active' AND peers"
    )
    op.execute("CREATE INDEX proposal_of_peers ON proposal (tenant, mentor_id) WHERE peers")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; restore a backup to go back.")
