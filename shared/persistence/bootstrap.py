"""Databases and login roles of the services: run once by an administrator before the first migration.

Every service gets a database ``mentoring_<service>`` and, as the only roles that may connect to it:

=============  ====================================================================================
``_owner``     owns the database; migrations only
``_app``       requests and events: under row-level security, owns nothing
``_plumbing``  outbox relay, timers, redrive: its own policies on the plumbing tables
``_check``     reads only
``_clock``     only when asked for (tests, demonstrations): may move business time
=============  ====================================================================================

It can be repeated at any time: what is missing is made, the rest is set as if new, so that another run with
another password rotates it. Passwords leave this program only as SCRAM verifiers, hence never in clear in
a server's log. The administrator needs CREATEDB and CREATEROLE, not necessarily SUPERUSER.

``python -m shared.persistence.bootstrap`` reads ``MENTORING_BOOTSTRAP_ADMIN_DSN`` and, for each service and
role, ``MENTORING_BOOTSTRAP_<SERVICE>_<ROLE>_PASSWORD``; each may be a file's path instead, in the same name
with ``_FILE``. ``MENTORING_BOOTSTRAP_SERVICES`` (by comma) names the services if not all are meant, and
``MENTORING_BOOTSTRAP_CLOCK=1`` asks for the clock roles.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from shared.contracts.topics import SERVICES

ROLES: Final = ("owner", "app", "plumbing", "check")
CLOCK_ROLE: Final = "clock"

_PREFIX: Final = "MENTORING_BOOTSTRAP_"
_LOCK: Final = 0x4D454E54_424F4F54  # two bootstraps at once wait for each other
_CONNECT_SECONDS: Final = 10
_SCRAM_ITERATIONS: Final = 4096  # PostgreSQL's own default

# A transaction left open holds locks and keeps dead rows; the plumbing's are short by design.
_ROLE_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "owner": {},
    # Generic plans of `= ANY(array)` made while a table was small become scans of a whole tenant once it has
    # grown; planning each time costs about 0.3 ms, the scan 0.5 s a batch. At the default cost of random pages (4,
    # for turning disks) a scan of thousands of rows looks as cheap as a hundred lookups.
    "app": {
        "idle_in_transaction_session_timeout": "60s",
        "lock_timeout": "10s",
        "statement_timeout": "60s",
        "plan_cache_mode": "force_custom_plan",
        "random_page_cost": "1.1",
    },
    "plumbing": {"idle_in_transaction_session_timeout": "15s", "lock_timeout": "10s"},
    "check": {"default_transaction_read_only": "on", "idle_in_transaction_session_timeout": "60s"},
    "clock": {"idle_in_transaction_session_timeout": "15s", "lock_timeout": "10s"},
}


class BootstrapError(RuntimeError):
    """The databases cannot be prepared; one sentence says what is missing or wrong."""


def database_name(service: str) -> str:
    """The name of a service's database."""
    return f"mentoring_{_checked(service)}"


def role_name(service: str, role: str) -> str:
    """The name of a login role of a service."""
    return f"mentoring_{_checked(service)}_{role}"


async def bootstrap(
    admin_dsn: str,
    *,
    services: Sequence[str],
    passwords: Mapping[tuple[str, str], str],
    with_clock: bool = False,
) -> None:
    """Make databases and roles, or bring them back to what they should be.

    `passwords` are by (service, role), for instance ``("profiles", "app")``. Without `with_clock` a clock
    role that an earlier run made loses its login. Raises BootstrapError, or asyncpg's error if the server
    refuses.
    """
    roles = (*ROLES, CLOCK_ROLE) if with_clock else ROLES
    verifiers = {
        (service, role): _scram_verifier(_password(passwords, service, role))
        for service in services
        for role in roles
    }
    admin = await _connect(admin_dsn)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for service in services:
            for role in roles:
                await _ensure_role(admin, service, role, verifiers[service, role])
            if not with_clock:
                await _disable_clock(admin, service)
            await _ensure_database(admin, service, roles)
            database = await _connect(admin_dsn, database=database_name(service))
            try:
                await _secure_schema(database, service, roles)
            finally:
                await database.close()
    finally:
        await admin.close()


async def _ensure_role(admin: "asyncpg.Connection[Any]", service: str, role: str, verifier: str) -> None:
    name = role_name(service, role)
    if not await _exists(admin, "SELECT FROM pg_roles WHERE rolname = $1", name):
        await admin.execute(f"CREATE ROLE {name}")
    attributes = "LOGIN NOCREATEDB NOCREATEROLE"
    is_super = await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if is_super:  # nobody else may even say these; a role starts without them
        attributes += " NOSUPERUSER NOREPLICATION NOBYPASSRLS"
    # A verifier holds base64, "$" and ":" only, so that it needs no quoting.
    await admin.execute(f"ALTER ROLE {name} {attributes} PASSWORD '{verifier}'")
    await admin.execute(f"ALTER ROLE {name} RESET ALL")
    for setting, value in _ROLE_SETTINGS[role].items():
        await admin.execute(f"ALTER ROLE {name} SET {setting} = '{value}'")
    if role == "owner" and not is_super:  # to make a database for it, one must be a member of it
        await admin.execute(f"GRANT {name} TO CURRENT_USER")


async def _disable_clock(admin: "asyncpg.Connection[Any]", service: str) -> None:
    name = role_name(service, CLOCK_ROLE)
    if await _exists(admin, "SELECT FROM pg_roles WHERE rolname = $1", name):
        await admin.execute(f"ALTER ROLE {name} NOLOGIN PASSWORD NULL")


async def _ensure_database(admin: "asyncpg.Connection[Any]", service: str, roles: Sequence[str]) -> None:
    name, owner = database_name(service), role_name(service, "owner")
    if not await _exists(admin, "SELECT FROM pg_database WHERE datname = $1", name):
        await admin.execute(f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'")
    await admin.execute(f"ALTER DATABASE {name} OWNER TO {owner}")
    await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    members = ", ".join(role_name(service, role) for role in roles)
    await admin.execute(f"GRANT CONNECT ON DATABASE {name} TO {members}")


async def _secure_schema(database: "asyncpg.Connection[Any]", service: str, roles: Sequence[str]) -> None:
    users = ", ".join(role_name(service, role) for role in roles if role != "owner")
    await database.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    await database.execute(f"GRANT ALL ON SCHEMA public TO {role_name(service, 'owner')}")
    await database.execute(f"GRANT USAGE ON SCHEMA public TO {users}")


async def _exists(connection: "asyncpg.Connection[Any]", query: str, name: str) -> bool:
    return await connection.fetchrow(query, name) is not None


async def _connect(dsn: str, database: str | None = None) -> "asyncpg.Connection[Any]":
    try:
        return await asyncpg.connect(dsn, database=database, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        where = f"database {database}" if database else "the server"
        raise BootstrapError(
            f"The administrator cannot connect to {where}: {error or type(error).__name__}"
        ) from None


def _checked(service: str) -> str:
    """Names go into SQL as they are, so only plain ones are allowed."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", service):
        raise BootstrapError(f"{service!r} cannot be a service's name: small letters, digits and _ only")
    return service


def _password(passwords: Mapping[tuple[str, str], str], service: str, role: str) -> str:
    password = passwords.get((service, role))
    if not password:
        raise BootstrapError(f"There is no password for the role {role_name(service, role)}.")
    if not (password.isascii() and password.isprintable()):
        raise BootstrapError(
            f"The password of {role_name(service, role)} must be printable ASCII characters."
        )
    return password


def _scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5803), so that it never has to be told the password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _secret(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that the same name with _FILE points to."""
    value, file = environ.get(name), environ.get(f"{name}_FILE")
    if value and file:
        raise BootstrapError(f"Set either {name} or {name}_FILE, not both.")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise BootstrapError(f"{name}_FILE cannot be read: {error.strerror} ({file}).") from None
        if not value:
            raise BootstrapError(f"The file that {name}_FILE names is empty ({file}).")
    if not value:
        raise BootstrapError(f"Set {name}, or {name}_FILE to a file that holds it.")
    return value


async def bootstrap_from_environment(environ: Mapping[str, str]) -> Sequence[str]:
    """Do what the variables say (see the module); returns the services. Raises BootstrapError."""
    listed = environ.get(f"{_PREFIX}SERVICES", "")
    services = [name.strip() for name in listed.split(",") if name.strip()] or list(SERVICES)
    with_clock = environ.get(f"{_PREFIX}CLOCK", "0") == "1"
    admin_dsn = _secret(environ, f"{_PREFIX}ADMIN_DSN")
    passwords = {
        (service, role): _secret(environ, f"{_PREFIX}{_checked(service).upper()}_{role.upper()}_PASSWORD")
        for service in services
        for role in ((*ROLES, CLOCK_ROLE) if with_clock else ROLES)
    }
    await bootstrap(admin_dsn, services=services, passwords=passwords, with_clock=with_clock)
    return services


def main() -> int:
    """Run as a one-shot job: 0 when done, 1 with one sentence on standard error otherwise."""
    try:
        services = asyncio.run(bootstrap_from_environment(os.environ))
    except (BootstrapError, asyncpg.PostgresError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    print(f"bootstrap: databases and roles are ready: {', '.join(services)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
