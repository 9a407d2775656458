"""One replica of a service as a process: started until it says that it is ready, and mistreated on demand."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.local.errors import LocalStackError, PortInUse, StartFailed
from deploy.local.paths import CHECKOUT
from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.process import Process

READY_SECONDS = 60.0
STOP_SECONDS = 40.0  # more than a service's own bound for finishing what it has in hand
_ATTEMPTS = 3
_BIND_FAILED = "address already in use"


class ServiceProcess:
    """A replica. It keeps its port, its name and its log file through every restart."""

    def __init__(
        self,
        service: str,
        replica: str,
        *,
        log_path: Path,
        environment: Callable[[int], Mapping[str, str]],
        port: int | None = None,
        detached: bool = False,
        process: Process | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`environment` makes the variables for an HTTP port; `changed` hears of every new process."""
        self.service = service
        self.replica = replica
        self.log_path = log_path
        self.port = port or free_port()
        self._environment = environment
        self._detached = detached
        self._process = process
        self._changed = changed
        self.extra_environment: dict[str, str] = {}
        """More variables for its next starts, such as a failpoint."""

    @property
    def name(self) -> str:
        return f"{self.service}-{self.replica}"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def process(self) -> Process:
        """Its process; the last one if it is not running."""
        if self._process is None:
            raise LocalStackError(f"{self.name} has not been started")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def started(self) -> bool:
        """Whether there ever was a process."""
        return self._process is not None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    @property
    def exit_code(self) -> int | None:
        """The last process's exit code, minus the signal's number after a signal; None while it runs."""
        return self.process.exit_code

    def record(self) -> dict[str, Any]:
        """What stack.json says of it."""
        return {
            "replica": self.replica,
            "url": self.url,
            "pid": self.pid,
            "started": self.process.identity.started,
            "log": str(self.log_path),
        }

    async def start(self, *, ready_seconds: float | None = READY_SECONDS) -> None:
        """Start it and wait until it is ready (None: do not wait). Raises StartFailed with its log's tail."""
        if self.running:
            raise LocalStackError(f"{self.name} runs already (pid {self.pid})")
        for attempt in range(1, _ATTEMPTS + 1):
            if not is_free(self.port):
                self.port = free_port()
            self._process = Process.spawn(
                self.name,
                [sys.executable, "-m", f"services.{self.service}"],
                log_path=self.log_path,
                env={**self._environment(self.port), **self.extra_environment},
                cwd=CHECKOUT,
                detached=self._detached,
            )
            self._changed()
            if ready_seconds is None:
                return
            try:
                await self.wait_ready(ready_seconds)
            except PortInUse:
                await self._process.kill()
                self.port = free_port()
                if attempt == _ATTEMPTS:
                    raise
            except BaseException:
                await self._process.kill()
                raise
            else:
                return

    async def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until `/health/ready` answers 200. Raises StartFailed if it ends before, or is too late."""
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:

            async def ready() -> bool:
                try:
                    return (await client.get(f"{self.url}/health/ready")).status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            try:
                await self.process.until(ready, what="200 from /health/ready", seconds=seconds, poll=0.1)
            except StartFailed as error:
                if _BIND_FAILED in str(error).lower():
                    raise PortInUse(str(error)) from None
                raise

    async def kill(self) -> None:
        """SIGKILL, as when its machine goes."""
        await self.process.kill()

    async def terminate(self, seconds: float = STOP_SECONDS) -> int | None:
        """SIGTERM; the exit code. After `seconds` it is killed, and the code is -9."""
        return await self.process.terminate(seconds)

    def pause(self) -> None:
        """Freeze: it stays a member of its groups and a client of its database, and does nothing."""
        self.process.pause()

    def resume(self) -> None:
        """Thaw what `pause` froze."""
        self.process.resume()

    async def restart(self, *, ready_seconds: float | None = READY_SECONDS) -> None:
        """Start again; terminate it first if it runs."""
        if self.running:
            await self.terminate()
        await self.start(ready_seconds=ready_seconds)
