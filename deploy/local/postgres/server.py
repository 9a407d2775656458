"""A real PostgreSQL server: ours as a plain process, or any other by `MENTORING_LOCAL_PG_DSN`.

Measured on a two-core machine: 2 s for the first start (with initdb), 0.2 s for a later one.
"""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import asyncpg

from deploy.local.errors import LocalStackError, PortInUse, StartFailed
from deploy.local.paths import absolute
from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.postgres.files import Files
from deploy.local.process import Process

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
_ATTEMPTS = 3  # with a new port each time, when another program took it between choosing and binding
_BIND_FAILED = "could not bind"


class Postgres:
    """A running server. `admin_dsn` is its superuser's; it is a secret."""

    def __init__(
        self,
        data_dir: Path | None,
        admin_dsn: str,
        *,
        version: str,
        process: Process | None = None,
        respawn: Callable[[], Process] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.admin_dsn = admin_dsn
        self.version = version
        self._process = process
        self._respawn = respawn

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        detached: bool = False,
        ready_seconds: float = READY_SECONDS,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Start the server on the data in this folder, which are made at the first start.

        Without `port` it is the one of the last start, or any free one. `settings` are more server settings.
        A detached server outlives this program. With `MENTORING_LOCAL_PG_DSN` nothing is started.

        Raises MissingProgram, PortInUse, or StartFailed with the tail of the server's log.
        """
        other = os.environ.get("MENTORING_LOCAL_PG_DSN")
        if other:
            progress("using the PostgreSQL server of MENTORING_LOCAL_PG_DSN")
            return cls(None, other, version=await _server_version(other))
        files = Files(absolute(data_dir))
        await files.prepare()
        progress(f"starting PostgreSQL {files.version}")
        for attempt in range(1, _ATTEMPTS + 1):
            chosen = port or files.last_port() or free_port()
            try:
                return await cls._launch(files, chosen, dict(settings or {}), detached, ready_seconds)
            except PortInUse:
                if port is not None or attempt == _ATTEMPTS:
                    raise
                files.forget_port()
        raise AssertionError("unreachable")

    @classmethod
    async def _launch(
        cls, files: Files, port: int, settings: dict[str, str], detached: bool, seconds: float
    ) -> Self:
        if not is_free(port):
            raise PortInUse(f"PostgreSQL cannot listen on port {port}: another program does")

        def spawn() -> Process:
            return files.spawn(port, settings, detached)

        dsn = files.dsn(port)
        process = spawn()
        try:
            await _wait_until_ready(process, dsn, seconds)
        except BaseException:
            await process.terminate(STOP_SECONDS, signal.SIGQUIT)
            raise
        files.remember_port(port)
        return cls(files.folder, dsn, version=files.version, process=process, respawn=spawn)

    @classmethod
    async def attach(cls, data_dir: Path) -> Self:
        """The server that another program started (or left) on this folder.

        With `MENTORING_LOCAL_PG_DSN` it is that one. Raises LocalStackError if there never was any.
        """
        if os.environ.get("MENTORING_LOCAL_PG_DSN"):
            return await cls.start(data_dir)
        files = Files(absolute(data_dir))
        await files.prepare()
        port, process = files.last_port(), files.last_process()
        if port is None or process is None:
            raise LocalStackError(f"no PostgreSQL server was ever started in {data_dir}")
        return cls(
            files.folder,
            files.dsn(port),
            version=files.version,
            process=process,
            respawn=lambda: files.spawn(port, {}, detached=True),
        )

    @property
    def ours(self) -> bool:
        """Whether the server is a process of this stack, and not one that MENTORING_LOCAL_PG_DSN names."""
        return self._process is not None

    @property
    def host(self) -> str:
        return urlsplit(self.admin_dsn).hostname or LOOPBACK

    @property
    def port(self) -> int:
        return urlsplit(self.admin_dsn).port or 5432

    @property
    def running(self) -> bool:
        """Whether the server's process is alive; someone else's server counts as alive."""
        return self._process is None or self._process.running

    @property
    def process(self) -> Process:
        """The server's process. Raises LocalStackError for a server that is not ours."""
        if self._process is None:
            raise LocalStackError(
                "this PostgreSQL server is not ours to stop: MENTORING_LOCAL_PG_DSN named it"
            )
        return self._process

    @property
    def log_path(self) -> Path:
        return self.process.log_path

    def dsn(self, database: str, user: str, password: str) -> str:
        """A connection string for a role of this server."""
        return f"postgresql://{quote(user)}:{quote(password)}@{self.host}:{self.port}/{quote(database)}"

    async def stop(self) -> None:
        """Stop: sessions are cut, transactions rolled back, data written. Another's server is left alone."""
        if self._process is not None:
            await self._process.terminate(STOP_SECONDS, signal.SIGINT)

    async def destroy(self) -> None:
        """Stop and delete the data, which may lie outside the data folder (see `files`)."""
        await self.stop()
        if self.data_dir is not None:
            Files(self.data_dir).delete()

    async def kill(self) -> None:
        """End at once as in a crash: nothing is written, the next start recovers from the log."""
        self.resume()
        await self.process.terminate(10, signal.SIGQUIT)

    async def restart(self, *, ready_seconds: float = READY_SECONDS) -> None:
        """Start again on the same port and data; a server that runs is stopped first."""
        await self.stop()
        if self._respawn is None:
            raise LocalStackError("this PostgreSQL server was started elsewhere and can only be stopped here")
        self._process = self._respawn()
        await _wait_until_ready(self._process, self.admin_dsn, ready_seconds)

    def pause(self) -> None:
        """Freeze the server with all its sessions: connections stay open, nothing answers."""
        self.process.pause()  # first: it must not start a session meanwhile
        for pid in _children(self.process.pid):
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw what `pause` froze."""
        for pid in _children(self.process.pid):
            _signal(pid, signal.SIGCONT)
        self.process.resume()


async def _wait_until_ready(process: Process, dsn: str, seconds: float) -> None:
    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        try:
            # Another server on our port would answer too, were ours not able to bind.
            pid_file = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
            return str(pid_file).split()[0] == str(process.pid)
        finally:
            await connection.close()

    try:
        await process.until(answers, what="answer to a query", seconds=seconds)
    except StartFailed as error:
        if _BIND_FAILED in str(error):
            raise PortInUse(str(error)) from None
        raise


async def _server_version(dsn: str) -> str:
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise LocalStackError(f"the server of MENTORING_LOCAL_PG_DSN does not let us in: {error}") from None
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
