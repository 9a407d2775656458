"""Settings: from the environment, secrets also from files, and clear about what is missing."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.runtime.settings import load_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MENTORING_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("MENTORING_DATABASE_HOST", "db")
    monkeypatch.setenv("MENTORING_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_a_secret_may_be_a_mounted_file(environment: Path) -> None:
    (environment / "mentoring_database_app_password").write_text("from a file\n")
    (environment / "mentoring_kafka_sasl_password").write_text("also")
    settings = load_settings()
    assert settings.database_app_password is not None
    assert settings.database_app_password.get_secret_value() == "from a file"
    assert settings.kafka_sasl_password is not None
    assert "from a file" not in repr(settings)


def test_no_password_has_a_default(environment: Path) -> None:
    settings = load_settings()
    secrets = {
        name: getattr(settings, name) for name in type(settings).model_fields if name.endswith("password")
    }
    assert len(secrets) == 5
    assert set(secrets.values()) == {None}


def test_what_is_missing_is_named(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MENTORING_DATABASE_HOST")
    with pytest.raises(ValidationError, match="database_host"):
        load_settings()
