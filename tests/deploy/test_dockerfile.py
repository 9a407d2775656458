"""The Dockerfile has a target for each service and keeps its promises.

Every rule is shown to reject a broken copy.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from docker.utils.build import exclude_paths  # type: ignore[import-untyped]

from tests.deploy.dockerfile_rules import RULES, parse
from tests.deploy.sources import DOCKERFILE, ROOT, check_all, load_compose, tool

TEXT: Final = DOCKERFILE.read_text(encoding="utf-8")


def _lint(path: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("hadolint"), "--no-color", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_linter_finds_nothing() -> None:
    result = _lint(DOCKERFILE)
    assert result.returncode == 0, result.stdout


def test_the_linter_rejects_a_broken_copy(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(TEXT.replace("WORKDIR /src", "RUN cd src"), encoding="utf-8")
    assert _lint(broken).returncode != 0


def test_it_keeps_every_rule() -> None:
    assert check_all(RULES, parse(TEXT)) == []


# What is replaced by what, so that the rule has something to say.
BROKEN: Final = [
    ("every_target_exists", "FROM service AS matching", "FROM service AS matches"),
    ("every_target_exists", "FROM runtime AS tools", "FROM runtime AS toolbox"),
    ("bases_are_pinned", "python:3.11.15-slim-bookworm", "python:latest"),
    ("bases_are_pinned", "python:3.11.15-slim-bookworm", "python"),
    ("nobody_is_root", "USER 10001:10001", "USER root"),
    ("nobody_is_root", "USER 10001:10001", ""),
    ("nobody_is_root", "USER 10001:10001", "USER mentoring"),
    ("services_start_and_stop_as_agreed", "STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL"),
    (
        "services_start_and_stop_as_agreed",
        'ENTRYPOINT ["python", "-m", "services.feedback"]',
        "ENTRYPOINT python -m services.feedback",
    ),
    ("services_start_and_stop_as_agreed", '"services.feedback"]', '"services.matching"]'),
    ("services_start_and_stop_as_agreed", "EXPOSE 8080", "EXPOSE 80"),
    ("services_have_health", "HEALTHCHECK --interval", "LABEL --interval"),
    ("services_have_health", 'CMD ["python", "-c", ', 'CMD ["curl", "-f", '),
    ("images_hold_one_service", "COPY services/feedback/ services/feedback/", "COPY services/ services/"),
    ("images_hold_one_service", "COPY services/feedback/ services/feedback/", "COPY . ."),
    ("images_hold_one_service", "COPY shared/ shared/", ""),
    ("images_hold_one_service", "COPY requirements/feedback.txt", "COPY requirements/matching.txt"),
    ("images_hold_one_service", "COPY --from=build-feedback", "COPY --from=build-matching"),
    (
        "dependencies_are_installed_by_hash",
        "install --require-hashes --requirement matching.txt",
        "install matching",
    ),
    ("dependencies_are_installed_by_hash", "PIP_NO_CACHE_DIR=1", "PIP_NO_COLOR=1"),
    ("dependencies_are_installed_by_hash", "WORKDIR /src", "RUN apt-get update && apt-get install -y gcc"),
    ("images_are_fit_for_a_read_only_root", "PYTHONDONTWRITEBYTECODE=1", "PYTHONOPTIMIZE=1"),
    (
        "images_are_fit_for_a_read_only_root",
        "COPY --from=build-tools",
        "COPY --chown=10001:10001 --from=build-tools",
    ),
    ("no_secret_is_built_in", "ARG REVISION=unknown", "ARG INDEX_PASSWORD"),
    ("no_secret_is_built_in", "ARG REVISION=unknown", "ENV API_TOKEN=abc"),
    ("no_secret_is_built_in", "WORKDIR /src", "ADD archive.tar /src"),
]


@pytest.mark.parametrize(("rule", "part", "instead"), BROKEN)
def test_a_broken_copy_is_rejected(rule: str, part: str, instead: str) -> None:
    assert part in TEXT
    assert list(RULES[rule](parse(TEXT.replace(part, instead)))), f"{rule} found nothing wrong"


def test_every_rule_is_shown_to_reject_something() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


def test_compose_builds_every_target() -> None:
    targets = {
        container["build"]["target"]
        for container in load_compose()["services"].values()
        if "build" in container
    }
    assert targets == {"profiles", "matching", "feedback", "notifications", "tools"}


def _context() -> set[str]:
    """What the Docker client would send to the engine."""
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    return set(exclude_paths(str(ROOT), patterns))


def test_the_build_context_holds_what_is_copied() -> None:
    context = _context()
    file = parse(TEXT)
    copied = {source for stage in file.stages for source in file.copied(stage)}
    missing = {
        source
        for source in copied
        if not any(path == source or path.startswith(source.rstrip("/") + "/") for path in context)
    }
    assert missing == set()


def test_the_build_context_holds_nothing_else() -> None:
    allowed = (
        "services",
        "shared",
        "requirements",
        "pyproject.toml",
        "README.md",
        "deploy/docker/build-requirements.txt",
    )
    strangers = {
        path
        for path in _context()
        if (ROOT / path).is_file()
        and not path.startswith(allowed)
        and path not in ("Dockerfile", ".dockerignore")
    }
    assert strangers == set()


def test_data_files_are_installed_with_the_code() -> None:
    """A wheel holds Python files and what `package-data` names; the images are made from the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["tool"]["setuptools"].get("package-data", {}).get("*", [])
    data = {
        path
        for path in _context()
        if path.startswith(("services/", "shared/")) and (ROOT / path).is_file() and not path.endswith(".py")
    }
    assert {path for path in data if not any(fnmatch(Path(path).name, pattern) for pattern in named)} == set()


def _health_commands() -> dict[str, list[str]]:
    dockerfile = parse(TEXT).last("profiles", "HEALTHCHECK").partition(" CMD ")[2]
    return {
        "Dockerfile": json.loads(dockerfile),
        "Compose": load_compose()["services"]["profiles"]["healthcheck"]["test"][1:],
    }


@contextmanager
def _server(status: int) -> Iterator[int]:
    """Something that answers every request with this status; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def _ask(command: list[str], port: int) -> int:
    environment = {"MENTORING_HTTP_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    program = [sys.executable, *command[1:]]
    return subprocess.run(program, env=environment, capture_output=True, check=False, timeout=30).returncode


@pytest.mark.parametrize("where", ["Dockerfile", "Compose"])
def test_the_health_check_believes_the_answer(where: str) -> None:
    command = _health_commands()[where]
    with _server(200) as port:
        assert _ask(command, port) == 0
    assert _ask(command, port) != 0
    with _server(503) as port:
        assert _ask(command, port) != 0
