"""The embedded stack's token issuer: what a company's identity provider is in production."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from deploy.local.paths import write_private

ISSUER = "mentoring-local"
AUDIENCE = "mentoring"


class Issuer:
    """Signs bearer tokens with an Ed25519 key that is made once; services verify them by `jwks_file`."""

    def __init__(self, key: Ed25519PrivateKey, jwks_file: Path) -> None:
        self.issuer = ISSUER
        self.audience = AUDIENCE
        self.jwks_file = jwks_file
        self._key = key
        self._jwk: dict[str, str] = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        # The key's thumbprint as RFC 7638 has it would do as well; x is as unique, and needs no digest.
        self._key_id = self._jwk["x"][:16]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The issuer of this folder; its key (`issuer.key`, for this account only) is made if missing."""
        key_file = folder / "issuer.key"
        if key_file.is_file():
            key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise TypeError(f"{key_file} does not hold an Ed25519 key")
        else:
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_private(key_file, pem.decode())
        issuer = cls(key, folder / "jwks.json")
        issuer.jwks_file.write_text(json.dumps(issuer.jwks(), indent=2))
        return issuer

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key as a JSON Web Key Set."""
        return {"keys": [{**self._jwk, "kid": self._key_id, "use": "sig", "alg": "EdDSA"}]}

    def token(self, subject: str, tenant: str, roles: Sequence[str] = (), ttl_seconds: int = 3600) -> str:
        """A bearer token. It is valid by the machine's own clock, which simulated time does not move."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "tenant": tenant,
            "roles": list(roles),
            "iat": now,
            "exp": now + ttl_seconds,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})
