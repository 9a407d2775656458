"""docker-compose.yml is valid, and is hardened as it claims. Every rule is shown to reject a broken copy."""

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.deploy.compose_rules import RULES
from tests.deploy.sources import COMPOSE, Document, check_all, load_compose, tool


def _schema_says(path: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_is_valid_by_the_compose_specification() -> None:
    result = _schema_says(COMPOSE)
    assert result.returncode == 0, result.stdout


def test_the_schema_rejects_a_broken_copy(tmp_path: Path) -> None:
    document = load_compose()
    document["services"]["profiles"]["healthchek"] = {}
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert _schema_says(broken).returncode != 0


def test_it_keeps_every_rule() -> None:
    assert check_all(RULES, load_compose()) == []


def _set(container: str, key: str, value: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["services"][container][key] = value

    return change


def _drop(container: str, key: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        del document["services"][container][key]

    return change


def _environment(container: str, name: str, value: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["services"][container]["environment"][name] = value

    return change


def _inline_secret(document: Document) -> None:
    document["secrets"]["postgres_admin_password"] = {"environment": "POSTGRES_PASSWORD"}


def _undeclared_secret(document: Document) -> None:
    del document["secrets"]["postgres_admin_dsn"]


def _unused_secret(document: Document) -> None:
    document["secrets"]["forgotten"] = {"file": "deploy/compose/secrets/forgotten"}


def _foreign_secret(document: Document) -> None:
    document["services"]["matching"]["secrets"].append("profiles_database_app_password")


def _same_port(document: Document) -> None:
    document["services"]["matching"]["ports"] = document["services"]["profiles"]["ports"]


def _no_memory_limit(document: Document) -> None:
    del document["services"]["topics"]["deploy"]["resources"]["limits"]["memory"]


def _no_migration(document: Document) -> None:
    del document["services"]["feedback"]["depends_on"]["migrate-feedback"]


def _waits_for_another(document: Document) -> None:
    document["services"]["matching"]["depends_on"]["profiles"] = {"condition": "service_healthy"}


def _open_backend(document: Document) -> None:
    document["networks"]["backend"] = {}


def _no_service(document: Document) -> None:
    del document["services"]["feedback"]


BROKEN: list[tuple[str, Callable[[Document], None]]] = [
    ("images_are_pinned", _set("mail", "image", "axllent/mailpit:latest")),
    ("images_are_pinned", _set("kafka", "image", "apache/kafka")),
    ("images_are_pinned", _set("postgres", "image", "postgres:18")),
    ("images_are_pinned", _set("profiles", "image", "mentoring/profiles:${MENTORING_IMAGE_TAG:-latest}")),
    ("each_image_is_built_once", _set("topics", "build", {"context": "."})),
    ("each_image_is_built_once", _drop("bootstrap", "build")),
    ("each_image_is_built_once", _drop("matching", "pull_policy")),
    ("long_running_have_health", _drop("kafka", "healthcheck")),
    ("long_running_have_health", _set("profiles", "healthcheck", {"test": ["CMD", "true"]})),
    ("everything_has_limits", _drop("mail", "deploy")),
    ("everything_has_limits", _no_memory_limit),
    ("nobody_is_root", _drop("postgres", "user")),
    ("nobody_is_root", _set("mail", "user", "0:0")),
    ("nobody_is_root", _set("mail", "user", "mail")),
    ("file_systems_are_read_only", _set("feedback", "read_only", False)),
    ("file_systems_are_read_only", _drop("feedback", "tmpfs")),
    ("nobody_has_privileges", _drop("bootstrap", "cap_drop")),
    ("nobody_has_privileges", _set("bootstrap", "security_opt", [])),
    ("nobody_has_privileges", _set("kafka", "privileged", True)),
    ("nobody_has_privileges", _set("kafka", "volumes", ["/var/run/docker.sock:/var/run/docker.sock"])),
    ("secrets_are_files", _environment("profiles", "MENTORING_DATABASE_APP_PASSWORD", "hunter2")),
    (
        "secrets_are_files",
        _environment("bootstrap", "DSN_OF_ADMIN", "postgresql://postgres:hunter2@postgres/"),
    ),
    ("secrets_are_files", _inline_secret),
    ("mounts_are_declared_and_used", _undeclared_secret),
    ("mounts_are_declared_and_used", _unused_secret),
    ("secrets_are_the_least_needed", _foreign_secret),
    ("secrets_are_the_least_needed", _drop("migrate-profiles", "secrets")),
    ("ports_are_for_this_host_only", _set("profiles", "ports", ["8081:8080"])),
    ("ports_are_for_this_host_only", _same_port),
    ("services_are_alike", _environment("matching", "MENTORING_LOG_LEVEL", "DEBUG")),
    ("services_are_alike", _set("matching", "restart", "always")),
    ("jobs_run_before_the_services", _no_migration),
    ("jobs_run_before_the_services", _no_service),
    ("jobs_run_before_the_services", _waits_for_another),
    ("jobs_run_before_the_services", _set("migrate-matching", "restart", "always")),
    ("services_may_finish_their_work", _set("profiles", "stop_grace_period", "20s")),
    ("services_may_finish_their_work", _drop("profiles", "stop_grace_period")),
    ("kafka_and_postgres_stay_inside", _open_backend),
    ("kafka_and_postgres_stay_inside", _set("postgres", "ports", ["127.0.0.1:5432:5432"])),
]


@pytest.mark.parametrize(("rule", "change"), BROKEN)
def test_a_broken_copy_is_rejected(rule: str, change: Callable[[Document], None]) -> None:
    document = copy.deepcopy(load_compose())
    change(document)
    assert list(RULES[rule](document)), f"{rule} found nothing wrong"


def test_every_rule_is_shown_to_reject_something() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)
