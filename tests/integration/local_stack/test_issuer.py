"""The embedded issuer signs what the platform's own check accepts."""

from pathlib import Path

import jwt
import pytest

from deploy.local import Issuer
from shared.http.auth import Authenticator, Unauthenticated


def _authenticator(issuer: Issuer) -> Authenticator:
    return Authenticator(
        issuer=issuer.issuer, audience=issuer.audience, jwks_file=issuer.jwks_file, jwks_url=None
    )


async def test_round_trip(tmp_path: Path) -> None:
    issuer = Issuer.open(tmp_path)
    token = issuer.token("p-1", "acme", ["coordinator"], ttl_seconds=60)
    caller = await _authenticator(issuer).caller(f"Bearer {token}")
    assert (caller.subject, caller.tenant, caller.roles) == ("p-1", "acme", frozenset({"coordinator"}))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60


async def test_the_key_is_private_and_kept(tmp_path: Path) -> None:
    token = Issuer.open(tmp_path).token("p-1", "acme")
    again = Issuer.open(tmp_path)
    assert (await _authenticator(again).caller(f"Bearer {token}")).subject == "p-1"
    assert (tmp_path / "issuer.key").stat().st_mode & 0o777 == 0o600
    assert "d" not in again.jwks()["keys"][0]


async def test_an_expired_token_and_anothers_are_refused(tmp_path: Path) -> None:
    issuer, stranger = Issuer.open(tmp_path / "ours"), Issuer.open(tmp_path / "theirs")
    for token in (issuer.token("p-1", "acme", ttl_seconds=-1), stranger.token("p-1", "acme")):
        with pytest.raises(Unauthenticated):
            await _authenticator(issuer).caller(f"Bearer {token}")
