"""Settings of a service process: environment variables with the prefix ``MENTORING_``.

A secret may also be a file in the directory ``MENTORING_SECRETS_DIR`` (default ``/run/secrets``) that
bears the setting's name in lower case, for instance ``mentoring_database_app_password``. No password
has a default.
"""

import os
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """What was asked for needs a setting that is missing, or two settings contradict each other."""


class KafkaSettings(BaseSettings):
    """How to reach Kafka; what the command line needs as well."""

    model_config = SettingsConfigDict(env_prefix="MENTORING_", extra="ignore")

    kafka_bootstrap_servers: str = Field(description="host:port, several by comma")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_cert_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_topic_prefix: str = "mentoring."
    kafka_group_prefix: str = "mentoring."
    kafka_replication_factor: int = Field(default=1, ge=1)
    kafka_create_topics: bool = True


class Settings(KafkaSettings):
    """Everything a service process can be told."""

    database_host: str
    database_port: int = 5432
    database_name: str | None = Field(default=None, description="default: mentoring_<service>")
    database_sslmode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
    database_app_user: str | None = None
    database_app_password: SecretStr | None = None
    database_plumbing_user: str | None = None
    database_plumbing_password: SecretStr | None = None
    database_owner_user: str | None = Field(default=None, description="for migrations only")
    database_owner_password: SecretStr | None = Field(default=None, description="for migrations only")
    database_pool: int = Field(default=8, ge=2, le=16)

    replica: str = Field(default_factory=socket.gethostname, description="stable name of this replica")
    http_host: str = "0.0.0.0"  # noqa: S104 - in a container; the embedded stack binds loopback
    http_port: int = 8080
    http_max_body_bytes: int = 1024 * 1024

    auth_issuer: str = ""
    auth_audience: str = "mentoring"
    auth_jwks_url: str | None = None
    auth_jwks_file: Path | None = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    traces: str = Field(default="none", description="none, otlp, or file:<path>")
    shutdown_seconds: float = Field(default=20, gt=0)

    batch_max_records: int = Field(default=2000, ge=1, le=5000)
    relay_batch: int = Field(default=500, ge=1, le=5000)
    retention_days: int = Field(
        default=45, ge=8, description="inbox and outbox ledger; longer than any topic's"
    )

    run_memory_mb: int = Field(
        default=1024, ge=64, description="matching: resident memory of the process that computes a run"
    )
    run_seconds: float = Field(default=900, gt=0, description="matching: how long a run may compute")

    smtp_host: str | None = None
    smtp_port: int = 25
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: str = "mentoring@localhost"


def secrets_dir() -> Path:
    """Where mounted secret files are looked for."""
    return Path(os.environ.get("MENTORING_SECRETS_DIR", "/run/secrets"))


def _existing_secrets() -> Path | None:
    directory = secrets_dir()
    return directory if directory.is_dir() else None


def load_settings() -> Settings:
    """Settings of this process. Raises pydantic's ``ValidationError`` naming what is missing."""
    return Settings(_secrets_dir=_existing_secrets())


def load_kafka_settings() -> KafkaSettings:
    """The Kafka part alone, for programs that are not a service."""
    return KafkaSettings(_secrets_dir=_existing_secrets())
