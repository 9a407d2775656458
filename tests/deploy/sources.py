"""The deployment files as the tests read them, and the tools that judge them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE: Final = ROOT / "docker-compose.yml"
DOCKERFILE: Final = ROOT / "deploy" / "docker" / "Dockerfile"
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"

SERVICES: Final = ("profiles", "matching", "feedback", "notifications")

Document = dict[str, Any]
Rule = Callable[[Any], Iterator[str]]
"""Says in one sentence each what is wrong with a document; nothing when all is well."""


def tool(name: str) -> str:
    """The path of a program, at best the one beside this Python. Fails the test when there is none."""
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    path = shutil.which(name, path=search)
    if path is None:
        pytest.fail(f"{name} is not installed; the development dependencies bring it", pytrace=False)
    return path


def load_compose(path: Path = COMPOSE) -> Document:
    """The Compose file with its anchors resolved, as every Compose reads it."""
    document: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def render(folder: Path) -> list[Document]:
    """The objects that `kubectl kustomize` makes of a folder."""
    result = subprocess.run(
        [tool("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    if result.returncode != 0:
        raise ValueError(f"{folder.name} does not render: {result.stderr.strip()}")
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def copy_with_secrets(target: Path) -> Path:
    """A copy of the Kubernetes folder in which the example overlay has its secret files."""
    copy = target / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    overlay = copy / "overlays" / "example"
    kustomization = yaml.safe_load((overlay / "kustomization.yaml").read_text(encoding="utf-8"))
    for secret in kustomization["secretGenerator"]:
        for entry in secret["files"]:
            (overlay / entry.partition("=")[2]).write_text("for this test only", encoding="utf-8")
    return copy


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name would hold a secret itself (and not the path of a file with it)."""
    return name.upper().endswith(("PASSWORD", "SECRET", "TOKEN", "DSN", "PRIVATE_KEY"))


def is_pinned(image: str) -> bool:
    """Whether the reference names one release: a tag that begins with a version, or a digest."""
    if "@sha256:" in image:
        return True
    tag = image.rpartition("/")[2].partition(":")[2].removeprefix("v")
    return tag[:1].isdigit() and "." in tag


def check_all(rules: Mapping[str, Rule], document: Any) -> list[str]:
    """What all the rules say, each with its name."""
    return [f"{name}: {problem}" for name, rule in rules.items() for problem in rule(document)]
