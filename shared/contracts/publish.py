"""Write the published form of the contracts: golden JSON Schemas, AsyncAPI and the event catalogue.

``python -m shared.contracts.publish`` writes them, ``--check`` only says whether they are current. A
golden schema that would break somebody who speaks the existing version is not overwritten: give the
event a new ``.vN`` instead, or insist with ``--allow-incompatible`` while nobody depends on it yet.

A command for a checkout with the ``dev`` extra; no service imports it. The output depends on the models
and the samples alone, so that a difference is always a change of the contract.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from shared.contracts.compatibility import incompatibilities
from shared.contracts.published.asyncapi import as_yaml, asyncapi
from shared.contracts.published.catalogue import catalogue
from shared.contracts.published.schemas import Schema, as_json, golden_schemas
from shared.contracts.topics import EVENTS, TOPIC

ROOT: Final = Path(__file__).resolve().parents[2]
_SCHEMAS: Final = Path("shared/contracts/schemas")
_SAMPLES: Final = Path("shared/contracts/samples")
_ASYNCAPI: Final = Path("docs/contracts/asyncapi.yaml")
_README: Final = Path("docs/contracts/README.md")


def read_samples(root: Path = ROOT) -> dict[str, Schema]:
    """The hand-written sample of every event type. Raises ``SystemExit`` naming those that are missing."""
    missing = [name for name in EVENTS if not (root / _SAMPLES / f"{name}.json").is_file()]
    if missing:
        raise SystemExit(f"Write a sample first: {', '.join(f'{_SAMPLES}/{name}.json' for name in missing)}")
    return {name: json.loads((root / _SAMPLES / f"{name}.json").read_text("utf-8")) for name in EVENTS}


def render(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file, relative to *root*, as it should be."""
    samples = read_samples(root)
    files = {_SCHEMAS / f"{name}.json": as_json(schema) for name, schema in golden_schemas().items()}
    files[_ASYNCAPI] = as_yaml(asyncapi(samples))
    files[_README] = catalogue((root / _README).read_text("utf-8"), samples, root)
    return files


def broken_promises(root: Path = ROOT) -> list[str]:
    """What in the models breaks the golden schemas under *root*; each sentence begins with the type."""
    current = golden_schemas()
    problems = []
    for path in sorted((root / _SCHEMAS).glob("*.json")):
        if path.stem not in current:
            problems.append(f"{path.stem}: the event is gone, but others still speak of it.")
            continue
        event = EVENTS.get(path.stem)
        published = event is None or not TOPIC[event.TOPIC].intake
        found = incompatibilities(
            json.loads(path.read_text("utf-8")), current[path.stem], published=published
        )
        problems += [f"{path.stem}: {problem}" for problem in found]
    return problems


def _drift(root: Path, files: Mapping[Path, str]) -> Iterator[str]:
    for path, text in files.items():
        present = (root / path).read_text("utf-8") if (root / path).is_file() else ""
        yield from difflib.unified_diff(
            present.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"{path} (file)",
            f"{path} (models)",
        )
    for stray in sorted((root / _SCHEMAS).glob("*.json")):
        if stray.relative_to(root) not in files:
            yield f"{stray.relative_to(root)} belongs to no event.\n"


def _write(root: Path, files: Mapping[Path, str]) -> int:
    written = 0
    for stray in sorted((root / _SCHEMAS).glob("*.json")):
        if stray.relative_to(root) not in files:
            stray.unlink()
            written += 1
    for path, text in files.items():
        target = root / path
        if not target.is_file() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
            written += 1
    return written


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command: 0 when all is well, 1 on drift or on a refusal."""
    parser = argparse.ArgumentParser(prog="python -m shared.contracts.publish", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with a diff on drift")
    parser.add_argument(
        "--allow-incompatible",
        action="store_true",
        help="overwrite golden schemas although readers may break",
    )
    options = parser.parse_args(arguments)
    broken = broken_promises(root)
    files = render(root)
    if options.check:
        drift = "".join(_drift(root, files))
        sys.stdout.write(drift)
        for problem in broken:
            print("Incompatible:", problem)
        if drift:
            print("The published contracts are not current: run `python -m shared.contracts.publish`.")
        return 1 if drift or broken else 0
    if broken and not options.allow_incompatible:
        for problem in broken:
            print("Incompatible:", problem)
        print("Nothing was written. Give the event a new version, or insist with --allow-incompatible.")
        return 1
    print(f"{_write(root, files)} of {len(files)} files written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
