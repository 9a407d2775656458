"""Run by Alembic; the environment is the same for every service."""

from shared.persistence.migrate import run_environment

run_environment()
