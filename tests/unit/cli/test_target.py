"""Where the command believes things to be, and that environments are never mixed."""

import json
from pathlib import Path

import jwt
import pytest

from deploy.local import Issuer
from deploy.local.record import Settings, write
from shared.cli.target import find_target
from tests.unit.cli.conftest import Run
from tests.unit.cli.fakes import ENVIRONMENT, SERVICES, TOKEN


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The record of a local stack of two replicas each."""
    folder = tmp_path / "stack"
    folder.mkdir()
    settings = Settings(SERVICES, False, False, "t.", "g.", "INFO", True, True)
    services = {
        name: [{"replica": str(n), "url": f"http://127.0.0.1:{number + n}"} for n in range(2)]
        for number, name in zip(range(8080, 8200, 10), SERVICES, strict=False)
    }
    content = {"kafka": {"bootstrap_servers": "127.0.0.1:9", "brokers": 1}, "services": services}
    write(folder, settings, content)
    return folder


def test_the_environment_is_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MENTORING_MATCHING_URL", "http://a:8080/, http://b:8080")
    target = find_target()
    assert (target.where, target.tenant, target.local) == ("the environment", "acme", False)
    assert target.kafka().kafka_bootstrap_servers == "kafka:9092"
    assert target.urls_of("matching") == ("http://a:8080", "http://b:8080")
    assert target.token("admin") == TOKEN


def test_the_local_stack_is_the_target_when_the_environment_names_none(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENTORING_LOCAL_DATA", str(stack))
    target = find_target("globex")
    assert target.local
    assert target.urls_of("profiles") == ("http://127.0.0.1:8080", "http://127.0.0.1:8081")
    settings = target.kafka()
    assert (settings.kafka_topic_prefix, settings.kafka_group_prefix) == ("t.", "g.")
    claims = jwt.decode(target.token("operator"), options={"verify_signature": False})
    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("mentoring-cli", "globex", ["operator"])
    assert claims["iss"] == Issuer.open(stack).issuer


def test_nothing_of_the_environment_slips_into_a_local_stack(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MENTORING_KAFKA_SECURITY_PROTOCOL", "SSL")
    target = find_target(None, stack)
    assert target.kafka().kafka_bootstrap_servers == "127.0.0.1:9"
    assert target.kafka().kafka_security_protocol == "PLAINTEXT"
    assert target.token("operator") != TOKEN


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"MENTORING_TOKEN": TOKEN}, "MENTORING_KAFKA_BOOTSTRAP_SERVERS"),
        ({"MENTORING_KAFKA_BOOTSTRAP_SERVERS": "k:9092", "MENTORING_TOKEN": TOKEN}, "MENTORING_PROFILES_URL"),
        ({k: v for k, v in ENVIRONMENT.items() if k != "MENTORING_TOKEN"}, "MENTORING_TOKEN"),
    ],
)
def test_what_the_environment_leaves_open_is_asked_for_by_name(
    run: Run, stack: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    monkeypatch.setenv("MENTORING_LOCAL_DATA", str(stack))
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    result = run("status")
    assert result.exit_code == 2
    assert missing in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_without_any_target_the_command_says_what_to_do(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 2
    assert "mentoring up" in result.stderr


def test_a_wrong_folder_is_named(run: Run, tmp_path: Path) -> None:
    result = run("status", "--data-dir", str(tmp_path / "x"))
    assert result.exit_code == 2
    assert f"mentoring up --data-dir {tmp_path}/x" in result.stderr


def test_the_token_may_be_in_a_file_and_says_the_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(jwt.encode({"tenant": "globex"}, "k" * 32, algorithm="HS256") + "\n")
    monkeypatch.setenv("MENTORING_TOKEN_FILE", str(file))
    assert find_target().tenant == "globex"


@pytest.mark.parametrize(
    ("content", "said"), [("", "is empty"), ("what", "is not a bearer token"), (None, "cannot be read")]
)
def test_a_bad_token_is_a_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("MENTORING_TOKEN_FILE", str(file))
    result = run("dlq", "list")
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_tenant_that_contradicts_the_token_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTORING_TOKEN", TOKEN)
    result = run("dlq", "list", "--tenant", "globex")
    assert (result.exit_code, "for the tenant acme and not for globex" in result.stderr) == (2, True)


def test_wrong_kafka_settings_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTORING_KAFKA_SECURITY_PROTOCOL", "TELEGRAPH")
    result = run("topics", "check")
    assert (result.exit_code, "MENTORING_KAFKA_SECURITY_PROTOCOL" in result.stderr) == (2, True)


def test_a_local_stack_may_run_only_some_services(run: Run, stack: Path) -> None:
    record = json.loads((stack / "stack.json").read_text())
    del record["services"]["matching"]
    (stack / "stack.json").write_text(json.dumps(record))
    assert find_target(None, stack).services == ("profiles", "feedback", "notifications")
    result = run("dlq", "list", "--service", "matching", "--data-dir", str(stack))
    assert (result.exit_code, result.stderr.count("runs without matching.")) == (2, 1)


def test_a_token_of_the_local_stack_is_printed(run: Run, stack: Path) -> None:
    result = run("token", "--subject", "p-1", "-r", "admin", "-r", "hr", "--data-dir", str(stack))
    claims = jwt.decode(result.stdout.strip(), options={"verify_signature": False})
    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("p-1", "acme", ["admin", "hr"])
    assert claims["exp"] - claims["iat"] == 3600
    document = json.loads(run("token", "--json", "--data-dir", str(stack)).stdout)
    assert document["subject"] == "mentoring-cli"


def test_a_token_is_only_for_the_local_stack(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTORING_TOKEN", TOKEN)
    assert run("token").exit_code == 2
