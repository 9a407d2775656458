"""Bearer tokens: a key that the issuer withdraws is trusted five minutes longer at most."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local.issuer import Issuer
from shared.http import auth
from shared.http.auth import Authenticator, Unauthenticated


async def test_a_withdrawn_key_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer.open(tmp_path)
    authenticator = Authenticator(
        issuer=issuer.issuer, audience=issuer.audience, jwks_file=issuer.jwks_file, jwks_url=None
    )
    header = f"Bearer {issuer.token('ada', 'acme', ['hr'])}"
    caller = await authenticator.caller(header)
    assert (caller.subject, caller.tenant, caller.roles) == ("ada", "acme", frozenset({"hr"}))
    issuer.jwks_file.write_text('{"keys": []}')
    assert await authenticator.caller(header) == caller
    monkeypatch.setattr(authenticator, "_keys_until", 0.0)
    with pytest.raises(Unauthenticated, match="unknown key"):
        await authenticator.caller(header)


async def test_a_token_that_was_believed_still_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer.open(tmp_path)
    authenticator = Authenticator(
        issuer=issuer.issuer, audience=issuer.audience, jwks_file=issuer.jwks_file, jwks_url=None
    )
    header = f"Bearer {issuer.token('ada', 'acme', ttl_seconds=60)}"
    assert (await authenticator.caller(header)).subject == "ada"
    later = time.time() + 61
    monkeypatch.setattr("shared.http.auth.time.time", lambda: later)
    frozen = datetime.fromtimestamp(later, UTC)
    monkeypatch.setattr("jwt.api_jwt.datetime", type("Clock", (), {"now": staticmethod(lambda tz: frozen)}))
    with pytest.raises(Unauthenticated, match="ExpiredSignatureError"):
        await authenticator.caller(header)


async def test_tokens_are_remembered_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer.open(tmp_path)
    authenticator = Authenticator(
        issuer=issuer.issuer, audience=issuer.audience, jwks_file=issuer.jwks_file, jwks_url=None
    )
    monkeypatch.setattr(auth, "_MOST_TOKENS", 3)
    for number in range(10):
        await authenticator.caller(f"Bearer {issuer.token(f'p-{number}', 'acme')}")
        assert len(authenticator._verified) <= 3


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x.y.z", "Basic abc"])
async def test_anything_else_is_refused(tmp_path: Path, header: str | None) -> None:
    issuer = Issuer.open(tmp_path)
    authenticator = Authenticator(
        issuer=issuer.issuer, audience=issuer.audience, jwks_file=issuer.jwks_file, jwks_url=None
    )
    with pytest.raises(auth.Unauthenticated):
        await authenticator.caller(header)
