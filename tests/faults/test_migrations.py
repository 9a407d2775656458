"""F1 in a migration, and F22 with two migrators: whatever happens, the next migration makes the same schema."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.paths import CHECKOUT
from deploy.local.postgres import Postgres
from deploy.local.postgres.programs import programs
from shared.contracts import SERVICES
from shared.persistence.bootstrap import ROLES, bootstrap, database_name

pytestmark = pytest.mark.stack

_PASSWORDS = {(service, role): "secret-of-a-test" for service in SERVICES for role in ROLES}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    server = await Postgres.start(tmp_path_factory.mktemp("migrations") / "postgres")
    yield server
    await server.destroy()


async def _anew(postgres: Postgres, service: str) -> None:
    """An empty database with its roles."""
    admin = await asyncpg.connect(postgres.admin_dsn)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{database_name(service)}"')
    finally:
        await admin.close()
    await bootstrap(postgres.admin_dsn, services=[service], passwords=_PASSWORDS)


def _migration(postgres: Postgres, service: str, failpoint: str | None = None) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}
    environment |= {
        "MENTORING_DATABASE_HOST": postgres.host,
        "MENTORING_DATABASE_PORT": str(postgres.port),
        "MENTORING_DATABASE_SSLMODE": "disable",
        "MENTORING_DATABASE_OWNER_PASSWORD": "secret-of-a-test",
        "MENTORING_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    if failpoint is not None:
        environment |= {"MENTORING_FAILPOINT": failpoint, "MENTORING_FAILPOINTS_ALLOWED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", f"services.{service}", "migrate"],
        env=environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def _ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = await asyncio.to_thread(process.communicate, None, 400)
    return process.returncode, said


def _schema(postgres: Postgres, service: str) -> str:
    """Everything that the database is, without its rows, but for the revision."""
    done = subprocess.run(
        [
            str(programs() / "pg_dump"),
            "--schema-only",
            f"--dbname={postgres.admin_dsn.rpartition('/')[0]}/{database_name(service)}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    # A dump bears a random word against injection; everything else must be the same.
    return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
async def test_killed_between_two_statements_then_migrated_again(postgres: Postgres, service: str) -> None:
    await _anew(postgres, service)
    empty = _schema(postgres, service)
    assert (await _ended(_migration(postgres, service)))[0] == 0
    whole = _schema(postgres, service)
    assert whole != empty
    await _anew(postgres, service)
    for statement in (1, 9, 40):
        code, said = await _ended(_migration(postgres, service, f"in_migration:{statement}"))
        assert code == -signal.SIGKILL, said
        assert _schema(postgres, service) == empty  # DDL is transactional: all of it or nothing
    assert (await _ended(_migration(postgres, service)))[0] == 0
    assert _schema(postgres, service) == whole


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
async def test_two_migrators_at_once(postgres: Postgres, service: str) -> None:
    await _anew(postgres, service)
    ended = await asyncio.gather(*(_ended(_migration(postgres, service)) for _ in range(2)))
    assert [code for code, _ in ended] == [0, 0], ended
    both = _schema(postgres, service)
    await _anew(postgres, service)
    assert (await _ended(_migration(postgres, service)))[0] == 0
    assert _schema(postgres, service) == both
