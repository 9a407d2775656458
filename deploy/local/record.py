"""`stack.json`: how a program finds the stack that another one started. It holds no secrets.

    {"version": 2, "data_dir": "...",
     "settings": {"services": ["profiles", ...], "sasl": false, "tls": false,
                  "topic_prefix": "mentoring.", "group_prefix": "mentoring.", "log_level": "INFO",
                  "with_clock": true, "detached": true},
     "kafka": {"bootstrap_servers": "...", "version": "4.4.0", "cluster_id": "...", "brokers": 1},
     "postgres": {"host": "127.0.0.1", "port": 5432, "version": "18.4"},
     "mail": {"host": "127.0.0.1", "port": 2525, "directory": "..."},
     "issuer": {"issuer": "mentoring-local", "audience": "mentoring", "jwks_file": "..."},
     "services": {"profiles": [{"replica": "0", "url": "http://127.0.0.1:8080", "pid": 1,
                                "started": "...", "log": "..."}], ...}}

`started` says which process had the pid (see `process.Identity`): a pid alone is never trusted. The servers
note their processes, which a restart may change, in their own folders. Beside this file, `ports.json` keeps
addresses the same from run to run, and `environment.json` (for this account only) keeps the variables that
whoever started the stack added.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalStackError
from deploy.local.paths import write_private

_FILE = "stack.json"
_PORTS = "ports.json"
_EXTRA = "environment.json"
VERSION = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stack was started with, and another program must know to go on with it."""

    services: tuple[str, ...]
    sasl: bool
    tls: bool
    topic_prefix: str
    group_prefix: str
    log_level: str
    with_clock: bool
    detached: bool


def write(data_dir: Path, settings: Settings, content: Mapping[str, Any]) -> None:
    """Replace the record as a whole."""
    _replace(data_dir / _FILE, {"version": VERSION, "settings": asdict(settings), **content})


def read(data_dir: Path) -> tuple[Settings, dict[str, Any]]:
    """The record. Raises LocalStackError if there is none, or another version's."""
    try:
        content: dict[str, Any] = json.loads((data_dir / _FILE).read_text())
    except FileNotFoundError:
        raise LocalStackError(f"no stack runs in {data_dir}: start one with `mentoring up`") from None
    if content.get("version") != VERSION:
        raise LocalStackError(f"{data_dir / _FILE} is of another version of the stack: delete it")
    settings = content["settings"]
    return Settings(**{**settings, "services": tuple(settings["services"])}), content


def exists(data_dir: Path) -> bool:
    """Whether there is a record, of a stack that runs or of one that was never stopped."""
    return (data_dir / _FILE).is_file()


def remove(data_dir: Path) -> None:
    """Forget the stack, as it no longer runs."""
    (data_dir / _FILE).unlink(missing_ok=True)


def last_port(data_dir: Path, name: str) -> int | None:
    """The port that this process had in the stack's last run: addresses stay the same if they can."""
    return _ports(data_dir).get(name)


def keep_ports(data_dir: Path, ports: Mapping[str, int]) -> None:
    """Remember these ports, beside those of earlier processes, for the stack's next run."""
    _replace(data_dir / _PORTS, _ports(data_dir) | dict(ports))


def write_extra(data_dir: Path, variables: Mapping[str, str]) -> None:
    """Keep the added variables, which may be secrets."""
    write_private(data_dir / _EXTRA, json.dumps(dict(variables)))


def read_extra(data_dir: Path) -> dict[str, str]:
    """The added variables."""
    file = data_dir / _EXTRA
    variables: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
    return variables


def _ports(data_dir: Path) -> dict[str, int]:
    file = data_dir / _PORTS
    ports: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    return ports


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(content, indent=2) + "\n")
    scratch.replace(path)
