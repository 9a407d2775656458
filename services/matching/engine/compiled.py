"""The compiler, and where its machine code is kept between processes. Nothing else here imports numba.

Machine code lies in a directory named after the content of the files from which others compile something in: the
compiler itself looks only at the file of the function it compiles, and would take old code for new when a constant
of another file has changed. The directory is in ``NUMBA_CACHE_DIR``, else beside the sources. Where that is
read-only, as in a container, it is copied into the directory for temporary files; where nothing can be written, code
is compiled anew in each process.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any, Final, TypeVar, cast

import numpy as np
from numba import config, njit

wide: Final[Any] = np.int64
"""A number read from an array of narrower ones, widened: what is called with it is compiled for one kind of number and
not for each. (For mypy any whole number.)"""

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE: Final = Path(__file__).parent
_COMPILED_INTO_OTHERS: Final = ("arrays.py", "cohesion.py", "factors.py", "heap.py", "pairwise.py")


def _content() -> str:
    content = sha256()
    for name in _COMPILED_INTO_OTHERS:
        content.update(Path(_PACKAGE, name).read_bytes())
    return content.hexdigest()[:16]


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


def _own(directory: Path) -> bool:
    """Whether only this user writes there: what is loaded from it is run."""
    with suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        return (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.getuid()
            and not found.st_mode & 0o077
            and _writable(directory)
        )
    return False


def directory_of(kept: Path, temporary: Path) -> Path | None:
    """*kept* when it can be written, else its copy in *temporary*; None when that cannot be written either."""
    if _writable(kept):
        return kept
    if not _own(temporary):
        return None
    copy = temporary / kept.name
    if not copy.is_dir() and kept.is_dir():
        with tempfile.TemporaryDirectory(dir=temporary) as beside, suppress(OSError):
            # In one step, and whoever comes second finds the first one's copy.
            copytree(kept, Path(beside, "copy")).rename(copy)
    return copy if _writable(copy) else None


CACHE: Final = directory_of(
    Path(os.environ.get("NUMBA_CACHE_DIR") or _PACKAGE / "__pycache__", f"engine-{_content()}"),
    Path(tempfile.gettempdir(), f"mentoring-engine-{os.getuid()}"),
)
"""Where machine code is kept, or None."""

if CACHE is not None:
    config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]


def compiled(function: F) -> F:
    """The function as machine code, made when first called. It runs without Python's lock."""
    return cast(F, njit(cache=CACHE is not None, nogil=True)(function))


def inlined(function: F) -> F:
    """The same, put into whatever compiled function calls it."""
    return cast(F, njit(cache=CACHE is not None, nogil=True, inline="always")(function))
