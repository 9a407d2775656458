"""Where machine code is kept: also where nothing, or not everything, can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.matching.engine import compiled
from services.matching.engine.compiled import directory_of


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that was filled when the image was built. The tests may run as root, who writes everywhere."""
    kept = tmp_path / "image" / "engine-1"
    kept.mkdir(parents=True)
    (kept / "code").write_text("machine code")
    writable = compiled._writable
    monkeypatch.setattr(
        compiled, "_writable", lambda directory: "image" not in directory.parts and writable(directory)
    )
    return kept


def test_a_directory_that_can_be_written_is_used(tmp_path: Path) -> None:
    assert directory_of(tmp_path / "new", tmp_path / "temporary") == tmp_path / "new"
    assert not (tmp_path / "temporary").exists()


def test_a_read_only_directory_is_copied_once(read_only: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    copy = directory_of(read_only, temporary)
    assert copy == temporary / "engine-1"
    assert (copy / "code").read_text() == "machine code"
    (copy / "code").write_text("compiled meanwhile")
    assert directory_of(read_only, temporary) == copy
    assert (copy / "code").read_text() == "compiled meanwhile"
    assert [entry.name for entry in temporary.iterdir()] == ["engine-1"]


def test_a_directory_in_which_others_write_is_not_trusted(read_only: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert directory_of(read_only, tmp_path / "open") is None
    (tmp_path / "link").symlink_to(tmp_path)
    assert directory_of(read_only, tmp_path / "link") is None
    (tmp_path / "file").write_text("")
    assert directory_of(read_only, tmp_path / "file") is None


def test_without_any_directory_the_code_is_compiled_in_memory() -> None:
    program = (
        "import tempfile\n"
        "def refuse(*args, **more): raise OSError('read-only')\n"
        "tempfile.TemporaryFile = refuse\n"
        "from services.matching.engine import compiled\n"
        "assert compiled.CACHE is None\n"
        "assert compiled.compiled(lambda x: x + 1)(1) == 2\n"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
