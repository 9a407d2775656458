"""What the contract tests share: where the checked-in files are, and how a golden schema judges."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "shared" / "contracts" / "schemas"
SAMPLES = ROOT / "shared" / "contracts" / "samples"
DOCS = ROOT / "docs" / "contracts"

_FORMATS = FormatChecker(formats=("date",))


@_FORMATS.checks("date-time", raises=ValueError)
def _has_a_zone(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    return document


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return document


def objections(document: dict[str, Any], instance: object) -> list[str]:
    """What the JSON Schema *document* has against *instance*."""
    Draft202012Validator.check_schema(document)
    validator = Draft202012Validator(document, format_checker=_FORMATS)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]
