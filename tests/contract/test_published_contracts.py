"""The checked-in schemas and documents are those of the models, and a breaking change is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.contracts import EVENTS
from shared.contracts.publish import broken_promises, main, render
from tests.contract.golden import DOCS, ROOT, SAMPLES, SCHEMAS

SESSION = Path("shared/contracts/schemas/mentoring.session.changed.v1.json")
HR = Path("shared/contracts/schemas/hr.person.recorded.v1.json")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of everything that the command reads and writes."""
    for folder in (SCHEMAS, SAMPLES, DOCS):
        shutil.copytree(folder, tmp_path / folder.relative_to(ROOT))
    return tmp_path


def edit(path: Path, change: dict[str, Any]) -> str:
    """Put *change* into the properties of the golden schema *path*; None removes one. Returns the text."""
    document = json.loads(path.read_text("utf-8"))
    for name, value in change.items():
        document["properties"].pop(name, None)
        if value is not None:
            document["properties"][name] = value
    path.write_text(json.dumps(document), "utf-8")
    return path.read_text("utf-8")


CURRENT = render()


@pytest.mark.parametrize("path", sorted(CURRENT), ids=str)
def test_a_generated_file_is_current(path: Path) -> None:
    assert (ROOT / path).read_text("utf-8") == CURRENT[path], "run: python -m shared.contracts.publish"


def test_the_check_agrees() -> None:
    assert main(["--check"]) == 0


def test_rendering_twice_gives_the_same() -> None:
    assert render() == CURRENT


def test_every_event_type_has_a_schema_and_a_sample_and_there_is_nothing_else() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{name}.json" for name in (*EVENTS, "envelope")}
    assert {path.name for path in SAMPLES.iterdir()} == {f"{name}.json" for name in EVENTS}


def test_drift_is_shown_as_a_diff(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = checkout / "docs/contracts/README.md"
    readme.write_text(
        readme.read_text("utf-8").replace("| `person` | profiles |", "| `person` | matching |"), "utf-8"
    )
    assert main(["--check"], checkout) == 1
    output = capsys.readouterr().out
    assert "-| `person` | matching |" in output
    assert "+| `person` | profiles |" in output


def test_hand_written_words_are_kept(checkout: Path) -> None:
    readme = checkout / "docs/contracts/README.md"
    readme.write_text("A word before.\n" + readme.read_text("utf-8"), "utf-8")
    assert main([], checkout) == 0
    assert readme.read_text("utf-8").startswith("A word before.\n")


def test_a_lost_marker_is_named(checkout: Path) -> None:
    readme = checkout / "docs/contracts/README.md"
    readme.write_text(readme.read_text("utf-8").replace("<!-- end: events -->", ""), "utf-8")
    with pytest.raises(SystemExit, match="end: events"):
        main([], checkout)


def test_a_missing_sample_is_named(checkout: Path) -> None:
    (checkout / "shared/contracts/samples/mentoring.session.changed.v1.json").unlink()
    with pytest.raises(SystemExit, match=r"mentoring\.session\.changed\.v1"):
        main([], checkout)


def test_a_breaking_change_is_refused_and_nothing_is_written(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = edit(checkout / SESSION, {"room": {"type": "string"}})
    (checkout / HR).unlink()
    assert main([], checkout) == 1
    assert "mentoring.session.changed.v1: room: removed." in capsys.readouterr().out
    assert (checkout / SESSION).read_text("utf-8") == golden
    assert not (checkout / HR).exists()


def test_a_breaking_change_can_be_insisted_on(checkout: Path) -> None:
    edit(checkout / SESSION, {"room": {"type": "string"}})
    assert main(["--allow-incompatible"], checkout) == 0
    assert (checkout / SESSION).read_text("utf-8") == (ROOT / SESSION).read_text("utf-8")


def test_an_added_optional_field_is_written_without_asking(checkout: Path) -> None:
    edit(checkout / SESSION, {"completed_at": None})
    assert main(["--check"], checkout) == 1
    assert main([], checkout) == 0
    assert (checkout / SESSION).read_text("utf-8") == (ROOT / SESSION).read_text("utf-8")


def test_what_hr_may_tell_can_grow(checkout: Path) -> None:
    level = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10}, {"type": "null"}], "default": None}
    edit(checkout / HR, {"job_level": level})
    assert broken_promises(checkout) == []


def test_a_vanished_event_is_refused(checkout: Path) -> None:
    stray = checkout / "shared/contracts/schemas/mentoring.session.changed.v0.json"
    stray.write_text("{}", "utf-8")
    assert any(problem.startswith("mentoring.session.changed.v0") for problem in broken_promises(checkout))
    assert main([], checkout) == 1
    assert main(["--allow-incompatible"], checkout) == 0
    assert not stray.exists()
