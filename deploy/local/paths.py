"""Where the embedded stack keeps its things; both folders are ignored by git."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where `services`, `shared` and `deploy` lie."""


def _base() -> Path:
    """The checkout, or the working directory when the platform runs from an installed package."""
    return CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else Path.cwd()


def cache_dir() -> Path:
    """Downloads that every stack of this checkout shares (`MENTORING_LOCAL_CACHE` to move it)."""
    return Path(os.environ.get("MENTORING_LOCAL_CACHE") or _base() / ".cache").absolute()


def default_data_dir() -> Path:
    """The state of the one stack that `mentoring up` runs (`MENTORING_LOCAL_DATA` to move it)."""
    return Path(os.environ.get("MENTORING_LOCAL_DATA") or _base() / ".local").absolute()


def absolute(path: Path) -> Path:
    """The path from the root: what another program, with another working directory, can use."""
    return path.absolute()


def write_private(path: Path, text: str) -> None:
    """Write a file that only this account may read (0600), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)
