"""Where things are: the environment says it, or else the local stack that runs.

The two are never mixed. As soon as the environment names one address or a token, everything is taken from
there and what is missing is asked for by name: a token of the local issuer must not travel to somebody's
production, and its events must not be read from a laptop's Kafka.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from pydantic import ValidationError

from shared.cli.local import Sign, find_place
from shared.cli.output import fail
from shared.contracts import SERVICES
from shared.runtime.settings import KafkaSettings, load_kafka_settings

SUBJECT = "mentoring-cli"
DEFAULT_TENANT = "acme"
_TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Target:
    """Kafka, the services and who we are there. Whatever is missing ends the command with a sentence."""

    where: str
    """For people: what this target is."""
    tenant: str
    urls: Mapping[str, tuple[str, ...]]
    """One address or more for each service: the replicas of a local stack, or what balances between them."""
    data_dir: Path | None = None
    """The folder of a local stack; None for anything else."""
    _kafka: KafkaSettings | None = field(default=None, repr=False)
    _token: str | None = field(default=None, repr=False)
    _sign: Sign | None = field(default=None, repr=False)

    @property
    def local(self) -> bool:
        """Whether this is a local stack."""
        return self.data_dir is not None

    def kafka(self) -> KafkaSettings:
        """How to reach Kafka."""
        if self._kafka is None:
            fail(
                "Where is Kafka? Set MENTORING_KAFKA_BOOTSTRAP_SERVERS (and MENTORING_KAFKA_* for its logins).",
                2,
            )
        return self._kafka

    @property
    def services(self) -> tuple[str, ...]:
        """The services that there are: a local stack may run only some of them."""
        return tuple(self.urls) if self.local else SERVICES

    def urls_of(self, service: str) -> tuple[str, ...]:
        """The addresses of a service."""
        if self.local and not self.urls.get(service):
            fail(f"{self.where[:1].upper()}{self.where[1:]} runs without {service}.", 2)
        if not self.urls.get(service):
            fail(f"Where is {service}? Set {_variable(service)}, for instance to http://localhost:8080.", 2)
        return self.urls[service]

    def token(self, *roles: str, subject: str = SUBJECT) -> str:
        """A bearer token: the given one, or one of the local issuer for *subject* with *roles*."""
        if self._token:
            return self._token
        return self.sign(subject, roles, _TOKEN_SECONDS)

    def sign(self, subject: str, roles: Sequence[str], seconds: int) -> str:
        """A bearer token of the local issuer."""
        if self._sign is None:
            fail("Who are you? Set MENTORING_TOKEN or MENTORING_TOKEN_FILE to a bearer token.", 2)
        return self._sign(subject, self.tenant, roles, seconds)


def find_target(tenant: str | None = None, data_dir: Path | None = None) -> Target:
    """The target of this command: ``--data-dir``, the environment, or the running local stack."""
    if data_dir is not None:
        return local_target(tenant, data_dir)
    return _from_environment(tenant) or local_target(tenant, None)


def local_target(tenant: str | None, data_dir: Path | None) -> Target:
    """The local stack; ends the command when there is none."""
    place = find_place(data_dir)
    if place is None:
        if data_dir is not None:
            fail(f"No stack runs in {data_dir}: start one with `mentoring up --data-dir {data_dir}`.", 2)
        fail(
            "No local stack runs, and the environment names no other: start one with `mentoring up`, or set"
            " MENTORING_KAFKA_BOOTSTRAP_SERVERS, MENTORING_<SERVICE>_URL and MENTORING_TOKEN.",
            2,
        )
    return Target(
        f"the local stack in {place.data_dir}",
        tenant or DEFAULT_TENANT,
        place.urls,
        data_dir=place.data_dir,
        _kafka=_kafka_of_place(place.kafka),
        _sign=place.sign,
    )


def _kafka_of_place(values: Mapping[str, str]) -> KafkaSettings:
    """Settings of these values and the defaults alone: nothing of the environment may slip in between."""
    fields = KafkaSettings.model_fields.items()
    defaults = {name: field.default for name, field in fields if not field.is_required()}
    return KafkaSettings.model_validate(defaults | dict(values))


def _from_environment(tenant: str | None) -> Target | None:
    kafka = _kafka_of_environment()
    urls = {
        service: tuple(url.strip().rstrip("/") for url in given.split(","))
        for service in SERVICES
        if (given := os.environ.get(_variable(service), "").strip())
    }
    token = _token_of_environment()
    if kafka is None and not urls and token is None:
        return None
    return Target("the environment", _tenant(token, tenant), urls, _kafka=kafka, _token=token)


def _variable(service: str) -> str:
    return f"MENTORING_{service.upper()}_URL"


def _kafka_of_environment() -> KafkaSettings | None:
    try:
        return load_kafka_settings()
    except ValidationError as error:
        problems = {"_".join(map(str, entry["loc"])): entry["type"] for entry in error.errors()}
    if problems != {"kafka_bootstrap_servers": "missing"}:
        names = ", ".join(f"MENTORING_{name.upper()}" for name in problems)
        fail(f"Kafka settings are missing or wrong: {names}.", 2)
    return None


def _token_of_environment() -> str | None:
    if token := os.environ.get("MENTORING_TOKEN", "").strip():
        return token
    if not (path := os.environ.get("MENTORING_TOKEN_FILE")):
        return None
    try:
        token = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The token file {path} (MENTORING_TOKEN_FILE) cannot be read: {type(error).__name__}.", 2)
    return token or fail(f"The token file {path} (MENTORING_TOKEN_FILE) is empty.", 2)


def _tenant(token: str | None, wanted: str | None) -> str:
    """The tenant that the token is for: services take it from there and from nowhere else."""
    named: object = None
    if token is not None:
        try:
            named = jwt.decode(token, options={"verify_signature": False}).get("tenant")
        except jwt.PyJWTError:
            fail("The token (MENTORING_TOKEN or MENTORING_TOKEN_FILE) is not a bearer token (JWT).", 2)
    if isinstance(named, str) and wanted and wanted != named:
        fail(f"The token is for the tenant {named} and not for {wanted}.", 2)
    return named if isinstance(named, str) else wanted or DEFAULT_TENANT
