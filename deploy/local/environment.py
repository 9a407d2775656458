"""What each process of the platform is told, and the passwords that make it true."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.issuer import Issuer
from deploy.local.kafka import Kafka
from deploy.local.kafka.config import ADMIN, MECHANISM
from deploy.local.paths import write_private
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import Postgres
from shared.contracts.topics import SERVICES
from shared.persistence.bootstrap import CLOCK_ROLE, ROLES, database_name, role_name

_FILE = "passwords.json"


class Passwords:
    """Random passwords by (service, role), kept in the data folder for the next start."""

    def __init__(self, values: Mapping[tuple[str, str], str]) -> None:
        self.values = dict(values)

    @classmethod
    def open(cls, data_dir: Path) -> "Passwords":
        """Read them; make those that are missing. The file is for this account only."""
        file = data_dir / _FILE
        kept: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
        wanted = [f"{service}.{role}" for service in SERVICES for role in (*ROLES, CLOCK_ROLE, "kafka")]
        values = kept | {name: secrets.token_urlsafe(24) for name in wanted if name not in kept}
        if values != kept:
            write_private(file, json.dumps(values, indent=2))
        return cls({_split(name): value for name, value in values.items()})

    def of(self, service: str, role: str) -> str:
        return self.values[service, role]


def _split(name: str) -> tuple[str, str]:
    service, _, role = name.partition(".")
    return service, role


@dataclass(slots=True)
class Environment:
    """Makes the variables of a service, of its migrations and of the command line."""

    data_dir: Path
    kafka: Kafka
    postgres: Postgres
    issuer: Issuer
    passwords: Passwords
    smtp_port: int
    topic_prefix: str
    group_prefix: str
    log_level: str
    extra: Mapping[str, str]

    def service(self, service: str, replica: str, http_port: int) -> dict[str, str]:
        """For `python -m services.<service>`."""
        values = self._outer() | self._kafka(service) | self._database(service, "app", "plumbing")
        values |= {
            "MENTORING_REPLICA": replica,
            "MENTORING_HTTP_HOST": LOOPBACK,
            "MENTORING_HTTP_PORT": str(http_port),
            "MENTORING_AUTH_ISSUER": self.issuer.issuer,
            "MENTORING_AUTH_AUDIENCE": self.issuer.audience,
            "MENTORING_AUTH_JWKS_FILE": str(self.issuer.jwks_file),
            "MENTORING_LOG_LEVEL": self.log_level,
            "MENTORING_TRACES": f"file:{self.data_dir / 'traces' / f'{service}.jsonl'}",
        }
        if service == "notifications":
            values |= {
                "MENTORING_SMTP_HOST": LOOPBACK,
                "MENTORING_SMTP_PORT": str(self.smtp_port),
                "MENTORING_SMTP_TLS": "none",
                "MENTORING_MAIL_FROM": "mentoring@localhost",
            }
        return values | dict(self.extra)

    def migration(self, service: str, http_port: int) -> dict[str, str]:
        """For `python -m services.<service> migrate`: the only process that knows the owner's password."""
        return self.service(service, "migrate", http_port) | self._database(service, "owner")

    def command_line(self) -> dict[str, str]:
        """For `python -m shared.cli.main`: Kafka alone, as the cluster's administrator."""
        return self._outer() | self._kafka(None) | dict(self.extra)

    def dsn(self, service: str, role: str) -> str:
        """A connection string of one role; it is a secret."""
        return self.postgres.dsn(
            database_name(service), role_name(service, role), self.passwords.of(service, role)
        )

    def _outer(self) -> dict[str, str]:
        """This process's own environment, without settings of the platform that were meant for another."""
        return {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}

    def _kafka(self, service: str | None) -> dict[str, str]:
        user = service or ADMIN
        protocol = self.kafka.security_protocol
        values = {
            "MENTORING_KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "MENTORING_KAFKA_SECURITY_PROTOCOL": protocol,
            "MENTORING_KAFKA_TOPIC_PREFIX": self.topic_prefix,
            "MENTORING_KAFKA_GROUP_PREFIX": self.group_prefix,
            "MENTORING_KAFKA_REPLICATION_FACTOR": str(self.kafka.brokers),
        }
        if protocol in ("SSL", "SASL_SSL"):
            values["MENTORING_KAFKA_CA_FILE"] = str(self.kafka.ca_file)
        if protocol == "SSL":
            own = self.kafka.certificate(user)
            values |= {
                "MENTORING_KAFKA_CERT_FILE": str(own.cert_file),
                "MENTORING_KAFKA_KEY_FILE": str(own.key_file),
            }
        if protocol.startswith("SASL"):
            values |= {
                "MENTORING_KAFKA_SASL_MECHANISM": MECHANISM,
                "MENTORING_KAFKA_SASL_USERNAME": user,
                "MENTORING_KAFKA_SASL_PASSWORD": self.kafka.password(user),
            }
        return values

    def _database(self, service: str, *roles: str) -> dict[str, str]:
        values = {
            "MENTORING_DATABASE_HOST": self.postgres.host,
            "MENTORING_DATABASE_PORT": str(self.postgres.port),
            "MENTORING_DATABASE_NAME": database_name(service),
            # Our own server listens on the loopback interface without TLS.
            "MENTORING_DATABASE_SSLMODE": "disable" if self.postgres.ours else "prefer",
        }
        for role in roles:
            values[f"MENTORING_DATABASE_{role.upper()}_USER"] = role_name(service, role)
            values[f"MENTORING_DATABASE_{role.upper()}_PASSWORD"] = self.passwords.of(service, role)
        return values
