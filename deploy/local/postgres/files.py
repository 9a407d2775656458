"""What PostgreSQL keeps on disk: `cluster/` (its own files), the superuser's password, the port and the log.

Only PostgreSQL's own files belong to the account that it runs under (see `programs`); the rest is ours.
"""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from deploy.local.errors import LocalStackError, StartFailed
from deploy.local.paths import write_private
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import programs
from deploy.local.process import Account, Process

ADMIN = "postgres"
_INITDB_SECONDS = 120
_FIRST_WITH_BUILTIN_LOCALES = 17

# fsync and synchronous_commit stay on, as in production: a test that passes without them proves nothing.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # TCP only: no socket files to collide or to be too long
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "min_wal_size": "1GB",  # of log files that are used again: making a new one holds up every commit
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_lock_waits": "on",
}


class Files:
    """The folder of one server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.account: Account | None = programs.server_account()
        self.version = ""
        self.log_path = folder / "postgres.log"
        self._bin = Path()
        self._cluster = Path()

    async def prepare(self) -> None:
        """Find the programs; make the database cluster if there is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._prepare)

    def _prepare(self) -> None:
        found = programs.programs()
        self.version = programs.version(found)
        self._bin = programs.reachable_programs(found, self.account, self.folder / "programs-copied-to")
        made_by = self.folder / "made-by"
        if made_by.exists():
            self._refuse_lost_data()
        self._cluster = programs.reachable_data(
            self.folder / "cluster", self.account, self.folder / "data-is-in"
        )
        if made_by.exists():
            self._refuse_other_version(made_by.read_text())
            return
        for leftover in self._cluster.iterdir():  # an initdb that was interrupted
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        self._initdb()
        made_by.write_text(self.version)

    def _refuse_lost_data(self) -> None:
        """Data that had to go under the system's temporary folder may be cleaned away by the system."""
        pointer = self.folder / "data-is-in"
        if pointer.exists() and programs.remembered(pointer) is None:
            raise LocalStackError(
                f"PostgreSQL's data in {pointer.read_text()} are gone: to start afresh delete the "
                f"stack's data folder, of which {self.folder} is a part"
            )

    def _refuse_other_version(self, made_by: str) -> None:
        if made_by.partition(".")[0] != self.version.partition(".")[0]:
            raise LocalStackError(
                f"the data in {self.folder} are PostgreSQL {made_by}'s, and this is {self.version}: delete "
                "the folder, or set MENTORING_LOCAL_PG_BIN to the older programs"
            )

    def _initdb(self) -> None:
        password = secrets.token_urlsafe(24)
        # initdb runs under another account, so the password goes through a pipe and not through a file.
        reader, writer = os.pipe()
        os.write(writer, f"{password}\n".encode())
        os.close(writer)
        if self.account is not None:
            os.fchown(reader, self.account.uid, self.account.gid)
        command = [
            str(self._bin / "initdb"),
            *("--pgdata", str(self._cluster), "--username", ADMIN, "--pwfile", f"/dev/fd/{reader}"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions", "--data-checksums"),
            *self._locale(),
        ]
        who = {} if self.account is None else {"user": self.account.uid, "group": self.account.gid}
        try:
            done = subprocess.run(  # type: ignore[call-overload]
                command,
                **who,
                extra_groups=None if self.account is None else [],
                cwd="/",
                env=self._environment(),
                pass_fds=[reader],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INITDB_SECONDS,
                check=False,
            )
        finally:
            os.close(reader)
        if done.returncode != 0:
            raise StartFailed(
                f"initdb failed in {self._cluster}: {(done.stdout + done.stderr).strip()[-1500:]}"
            )
        write_private(self.folder / "admin-password", password)

    def _locale(self) -> list[str]:
        if (
            int(self.version.partition(".")[0]) >= _FIRST_WITH_BUILTIN_LOCALES
        ):  # the same sorting on every machine
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def spawn(self, port: int, settings: Mapping[str, str], detached: bool) -> Process:
        argv = [str(self._bin / "postgres"), "-D", str(self._cluster), "-p", str(port)]
        for name, value in {**_SETTINGS, **settings}.items():
            argv += ["-c", f"{name}={value}"]
        process = Process.spawn(
            "postgres",
            argv,
            log_path=self.log_path,
            env=self._environment(),
            cwd=self._cluster,
            account=self.account,
            detached=detached,
            death_signal=signal.SIGQUIT,
        )
        process.remember(self.folder / "process.json")
        return process

    def last_process(self) -> Process | None:
        """The server that was started last, by whatever program; it may be gone."""
        return Process.recall("postgres", self.folder / "process.json", self.log_path)

    def delete(self) -> None:
        """Delete everything that `prepare` made, wherever it is."""
        for pointer in ("data-is-in", "programs-copied-to"):
            elsewhere = programs.remembered(self.folder / pointer)
            if elsewhere is not None:
                shutil.rmtree(elsewhere, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, port: int) -> str:
        password = (self.folder / "admin-password").read_text()
        return f"postgresql://{ADMIN}:{quote(password)}@{LOOPBACK}:{port}/postgres"

    def last_port(self) -> int | None:
        try:
            return int((self.folder / "port").read_text())
        except FileNotFoundError:
            return None

    def remember_port(self, port: int) -> None:
        (self.folder / "port").write_text(str(port))

    def forget_port(self) -> None:
        (self.folder / "port").unlink(missing_ok=True)
