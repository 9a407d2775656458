"""PostgreSQL as a plain process of this machine: `Postgres.start(data_dir)`."""

from deploy.local.postgres.server import Postgres

__all__ = ["Postgres"]
