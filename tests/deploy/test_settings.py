"""What Compose and Kubernetes tell a process exists as a setting, and has a value that the setting takes."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.deploy.kubernetes_rules import Objects, name_of, of_kind
from tests.deploy.sources import SERVICES, Document, load_compose

PREFIX = "MENTORING_"


def _known_settings() -> set[str]:
    from shared.runtime.settings import Settings

    return {PREFIX + name.upper() for name in Settings.model_fields} | {"MENTORING_SECRETS_DIR"}


def _known_to_bootstrap() -> set[str]:
    from shared.contracts.topics import SERVICES as ALL_SERVICES
    from shared.persistence.bootstrap import ROLES

    names = {
        f"MENTORING_BOOTSTRAP_{service.upper()}_{role.upper()}_PASSWORD"
        for service in ALL_SERVICES
        for role in ROLES
    }
    names.add("MENTORING_BOOTSTRAP_ADMIN_DSN")
    return names | {f"{name}_FILE" for name in names}


def _unknown(names: set[str]) -> set[str]:
    ours = {name for name in names if name.startswith(PREFIX)}
    return ours - _known_settings() - _known_to_bootstrap()


def _compose_names(document: Document) -> set[str]:
    return {name for container in document["services"].values() for name in container.get("environment", {})}


def _kubernetes_names(objects: Objects) -> set[str]:
    names = {name for item in of_kind(objects, "ConfigMap") for name in item["data"]}
    for item in objects:
        if item["kind"] in ("Deployment", "Job"):
            for container in item["spec"]["template"]["spec"]["containers"]:
                names |= {variable["name"] for variable in container.get("env", [])}
    return names


def test_compose_uses_settings_that_exist() -> None:
    assert _unknown(_compose_names(load_compose())) == set()


def test_kubernetes_uses_settings_that_exist(example: Objects, bootstrap: Objects) -> None:
    assert _unknown(_kubernetes_names(example) | _kubernetes_names(bootstrap)) == set()


def test_a_setting_that_does_not_exist_is_found() -> None:
    document = load_compose()
    document["services"]["profiles"]["environment"]["MENTORING_LOGLEVEL"] = "INFO"
    assert _unknown(_compose_names(document)) == {"MENTORING_LOGLEVEL"}


def test_bootstrap_is_told_every_password(bootstrap: Objects) -> None:
    required = {name for name in _known_to_bootstrap() if name.endswith("_FILE")}
    assert set(load_compose()["services"]["bootstrap"]["environment"]) == required
    assert _kubernetes_names(bootstrap) == required


def _secret_files(objects: Objects) -> set[str]:
    compose = {
        mount["target"]
        for container in load_compose()["services"].values()
        for mount in container.get("secrets", [])
        if isinstance(mount, dict)
    }
    return compose | {name for item in of_kind(objects, "Secret") for name in item["data"]}


def test_secret_files_are_named_as_settings(example: Objects) -> None:
    names = _secret_files(example)
    assert {"mentoring_database_app_password", "mentoring_smtp_password"} <= names
    assert {name.upper() for name in names} <= _known_settings()


def _interpolated(value: object) -> str:
    return re.sub(r"\$\{[^}:]+:-([^}]*)\}", r"\1", str(value))


def _load(environment: Mapping[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from shared.runtime.settings import load_settings

    for name in _known_settings():
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MENTORING_SECRETS_DIR", str(folder))
    return load_settings()


def _compose_environment(container: str) -> dict[str, str]:
    environment = load_compose()["services"][container]["environment"]
    return {name: _interpolated(value) for name, value in environment.items() if value is not None}


@pytest.mark.parametrize("container", [*SERVICES, *(f"migrate-{service}" for service in SERVICES)])
def test_compose_gives_values_that_a_service_takes(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mount in load_compose()["services"][container]["secrets"]:
        (tmp_path / mount["target"]).write_text("from the file", encoding="utf-8")
    settings = _load(_compose_environment(container), tmp_path, monkeypatch)
    role = "owner" if container.startswith("migrate-") else "app"
    assert getattr(settings, f"database_{role}_password").get_secret_value() == "from the file"


def test_a_value_that_a_service_does_not_take_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = _compose_environment("profiles") | {"MENTORING_DATABASE_SSLMODE": "off"}
    with pytest.raises(ValidationError):
        _load(environment, tmp_path, monkeypatch)


def _kubernetes_environments(objects: Objects) -> Iterator[tuple[str, dict[str, str]]]:
    shared = {name: value for item in of_kind(objects, "ConfigMap") for name, value in item["data"].items()}
    for item in of_kind(objects, "Deployment"):
        container = item["spec"]["template"]["spec"]["containers"][0]
        own = {variable["name"]: variable.get("value", "a-pod") for variable in container["env"]}
        yield name_of(item), shared | own


def test_kubernetes_gives_values_that_a_service_takes(
    example: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = dict(_kubernetes_environments(example))
    assert len(environments) == len(SERVICES)
    for environment in environments.values():
        settings = _load(environment, tmp_path, monkeypatch)
        assert settings.replica == "a-pod"
        assert settings.kafka_security_protocol == "SASL_SSL"


def test_the_base_alone_cannot_start_a_service(
    base: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, environment = next(_kubernetes_environments(base))
    with pytest.raises(ValidationError, match="database_host"):
        _load(environment, tmp_path, monkeypatch)
