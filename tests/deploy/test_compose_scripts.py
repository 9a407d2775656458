"""The scripts beside the Compose stack make secrets that fit it, and tokens that the services accept."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import jwt
import pytest

from tests.deploy.sources import ROOT, load_compose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the scripts that has made its secrets."""
    for script in ("make-secrets.sh", "token.sh"):
        shutil.copy(ROOT / "deploy" / "compose" / script, tmp_path)
    _run(tmp_path / "make-secrets.sh")
    return tmp_path


def _run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (folder / "secrets").iterdir()}


def test_every_file_that_compose_mounts_is_made(folder: Path) -> None:
    document = load_compose()
    mounted = {
        Path(entry["file"]).name for kind in ("secrets", "configs") for entry in document[kind].values()
    }
    assert set(_contents(folder)) == mounted | {"signing_key.pem"}


def test_containers_may_read_them_and_other_users_of_the_host_may_not(folder: Path) -> None:
    secrets = folder / "secrets"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert modes.pop("signing_key.pem") == 0o400
    assert set(modes.values()) == {0o444}


def test_passwords_are_long_and_all_different(folder: Path) -> None:
    passwords = [text for name, text in _contents(folder).items() if name.endswith("_password")]
    assert len(set(passwords)) == len(passwords) == 17
    assert min(map(len, passwords)) >= 48


def test_the_administrators_address_holds_the_administrators_password(folder: Path) -> None:
    contents = _contents(folder)
    assert contents["postgres_admin_dsn"] == (
        f"postgresql://postgres:{contents['postgres_admin_password']}@postgres:5432/postgres"
    )


def test_a_second_run_changes_nothing(folder: Path) -> None:
    before = _contents(folder)
    _run(folder / "make-secrets.sh")
    assert _contents(folder) == before


def test_a_new_key_has_its_new_public_half(folder: Path) -> None:
    before = _contents(folder)
    (folder / "secrets" / "signing_key.pem").unlink()
    _run(folder / "make-secrets.sh")
    assert _contents(folder)["jwks.json"] != before["jwks.json"]
    assert _contents(folder)["postgres_admin_password"] == before["postgres_admin_password"]


def _claims(token: str, folder: Path) -> dict[str, object]:
    """What a service of docker-compose.yml reads in the token, by the keys and names that it is given."""
    environment = load_compose()["services"]["profiles"]["environment"]
    keys = jwt.PyJWKSet.from_dict(json.loads((folder / "secrets" / "jwks.json").read_text(encoding="utf-8")))
    claims: dict[str, object] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        issuer=environment["MENTORING_AUTH_ISSUER"],
        audience=environment["MENTORING_AUTH_AUDIENCE"],
        options={"require": ["exp", "iat", "sub", "aud", "iss"]},
    )
    return claims


def test_a_token_names_tenant_subject_and_roles(folder: Path) -> None:
    claims = _claims(_run(folder / "token.sh", "acme", "42", "coordinator", "operator").strip(), folder)
    assert claims["tenant"] == "acme"
    assert claims["sub"] == "42"
    assert claims["roles"] == ["coordinator", "operator"]


def test_a_token_of_another_key_is_not_accepted(folder: Path) -> None:
    token = _run(folder / "token.sh", "acme", "42").strip()
    (folder / "secrets" / "signing_key.pem").unlink()
    _run(folder / "make-secrets.sh")
    with pytest.raises(jwt.InvalidSignatureError):
        _claims(token, folder)


def test_a_name_that_would_break_the_token_is_refused(folder: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        _run(folder / "token.sh", 'acme","admin":"', "42")


def test_the_scripts_can_be_run() -> None:
    assert all(os.access(path, os.X_OK) for path in (ROOT / "deploy" / "compose").glob("*.sh"))


def test_secrets_are_never_committed() -> None:
    for folder in ("deploy/compose/secrets", "deploy/kubernetes/overlays/example/secrets"):
        result = subprocess.run(["git", "check-ignore", f"{folder}/anything"], cwd=ROOT, check=False)
        assert result.returncode == 0
