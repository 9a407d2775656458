"""Operating-system processes of the embedded stack: started, watched, frozen and stopped by identity.

A process is known by its pid *and* the moment at which it started, so that a pid which the system has given
to another program since is never signalled. Processes of an attached stack die with the program that started
them (Linux's parent-death signal); those of a detached stack outlive it.
"""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deploy.local.errors import StartFailed

POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_boot_id = Path("/proc/sys/kernel/random/boot_id")
_detached: list[subprocess.Popen[bytes]] = []  # kept so that no destructor complains about a live child


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account under which a process runs."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid and when it started (boot and clock ticks): what a pid file alone cannot say."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The identity of the live process with this pid, or None; a zombie counts as gone."""
        try:
            # The command's name may hold spaces and parentheses, so fields count from the last ")".
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # A main thread that has ended is a zombie too; the process is gone when no thread is left.
            if fields[0] in ("Z", "X") and int(fields[17]) <= 1:
                return None
            return cls(pid, f"{_boot_id.read_text().strip()}:{fields[19]}")
        except (FileNotFoundError, ProcessLookupError):
            if sys.platform == "linux":
                return None
        answer = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, started = answer.stdout.strip().partition(" ")
        return cls(pid, started.strip()) if started and not state.startswith("Z") else None


class Process:
    """One running program with its log; made by `spawn`, or by `attach` from what another program wrote."""

    def __init__(
        self, name: str, identity: Identity, log_path: Path, popen: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.name = name
        self.identity = identity
        self.log_path = log_path
        self._popen = popen
        self._log_start = 0

    @classmethod
    def spawn(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: Account | None = None,
        detached: bool = False,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> Self:
        """Start a program in a session of its own; its output is appended to `log_path`.

        `env` replaces the environment. `death_signal` is what an attached program gets when this one dies.
        """
        log_path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {}
        if account is not None:
            options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
        if not detached and _libc is not None:
            options["preexec_fn"] = _die_with_parent(death_signal)
        with log_path.open("ab") as log:
            log_start = log.tell()
            popen = subprocess.Popen(
                list(argv),
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        if detached:
            _detached.append(popen)
        identity = Identity.of(popen.pid) or Identity(popen.pid, "gone")
        process = cls(name, identity, log_path, popen)
        process._log_start = log_start
        return process

    @classmethod
    def attach(cls, name: str, pid: int, started: str, log_path: Path) -> Self:
        """A process that another program started; it may be gone by now."""
        return cls(name, Identity(pid, started), log_path)

    def remember(self, file: Path) -> None:
        """Write down which process this is, for `recall` in another program."""
        scratch = file.with_name(f".{file.name}.{os.getpid()}")
        scratch.write_text(json.dumps({"pid": self.pid, "started": self.identity.started}))
        scratch.replace(file)

    @classmethod
    def recall(cls, name: str, file: Path, log_path: Path) -> Self | None:
        """The process that `remember` wrote down; it may be gone by now. None if none was."""
        try:
            noted = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        return cls.attach(name, noted["pid"], noted["started"], log_path)

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def running(self) -> bool:
        """Whether this very process (not merely one with its pid) is alive."""
        if self._popen is not None:
            return self._popen.poll() is None
        return Identity.of(self.pid) == self.identity

    @property
    def exit_code(self) -> int | None:
        """The exit code (minus the signal's number after a signal); None while alive or not our child."""
        return self._popen.poll() if self._popen is not None else None

    def send_signal(self, number: signal.Signals) -> bool:
        """Send a signal if this very process is alive; whether it was sent."""
        if not self.running:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and nothing answers."""
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw it (SIGCONT)."""
        self.send_signal(signal.SIGCONT)

    async def wait(self, seconds: float) -> int | None:
        """Wait until it has ended; its exit code if it is our child. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} (pid {self.pid}) still runs after {seconds:g} s")
            await asyncio.sleep(POLL_SECONDS)
        return self.exit_code

    async def terminate(self, seconds: float, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Ask it to end; after `seconds` kill it. Returns the exit code if it is our child."""
        self.resume()  # a frozen process cannot hear
        self.send_signal(number)
        try:
            return await self.wait(seconds)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int | None:
        """End it at once (SIGKILL)."""
        self.send_signal(signal.SIGKILL)
        return await self.wait(10)

    def tail(self, lines: int = 40) -> str:
        """The last lines of its log, for an error message; nothing of what an earlier process wrote."""
        return tail(self.log_path, lines, start=self._log_start)

    async def until(
        self, condition: Callable[[], Awaitable[bool]], *, what: str, seconds: float, poll: float = 0.05
    ) -> None:
        """Wait until the condition holds. Raises StartFailed, with the log's tail, if it dies or is late."""
        deadline = time.monotonic() + seconds
        while True:
            if not self.running:
                raise StartFailed(
                    self._report(f"{self.name} ended (exit code {self.exit_code}) before {what}")
                )
            if await condition():
                return
            if time.monotonic() > deadline:
                raise StartFailed(self._report(f"{self.name} is not ready after {seconds:g} s: no {what}"))
            await asyncio.sleep(poll)

    def _report(self, problem: str) -> str:
        return f"{problem}; the log {self.log_path} ends:\n{self.tail()}"


async def run_once(
    name: str,
    argv: Sequence[str],
    *,
    log_path: Path,
    env: Mapping[str, str],
    cwd: Path,
    seconds: float,
) -> None:
    """Run a program to its end. Raises StartFailed, with its output's tail, if it fails or takes too long."""
    process = Process.spawn(name, argv, log_path=log_path, env=env, cwd=cwd)
    try:
        code = await process.wait(seconds)
    except TimeoutError:
        await process.kill()
        raise StartFailed(f"{name} took more than {seconds:g} s; it said:\n{process.tail()}") from None
    except BaseException:
        await process.kill()
        raise
    if code != 0:
        raise StartFailed(f"{name} failed (exit code {code}); it said:\n{process.tail()}")


def tail(path: Path, lines: int = 40, *, start: int = 0) -> str:
    """The last lines of a text file, of what follows byte `start`; at most 64 KiB are read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(start, file.tell() - 65_536))
            text = file.read().decode(errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """What runs in the child between fork and exec, after the change of user (which would clear it)."""
    assert _libc is not None
    prctl, parent, value = _libc.prctl, os.getpid(), int(number)

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, value, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call above
            os._exit(1)

    return arrange
