"""What a demonstration can be told."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """``hr`` and ``map`` replace the synthetic organisation by any HR extract and its column mapping."""

    people: int = 1500
    seed: int = 1
    hr: Path | None = None
    map: Path | None = None
    data_dir: Path | None = None
    keep: bool = False
    as_json: bool = False
