"""Who is calling: bearer tokens (JWT), verified against the issuer's published keys.

Tenant and subject come from the token and from nowhere else.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
from jwt import PyJWK, PyJWKClient

from shared.runtime.settings import SettingsError

_KEY_SECONDS: Final = 300.0
_ALGORITHMS: Final = ["EdDSA", "RS256", "ES256"]
_MOST_TOKENS: Final = 10_000


class Unauthenticated(Exception):
    """No valid bearer token. The message says what is wrong with it, never what it says."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified caller. ``subject`` is a person id for people, a client id for systems."""

    subject: str
    tenant: str
    roles: frozenset[str]


class Authenticator:
    """Verifies bearer tokens.

    Keys come from a JWKS file (read again when an unknown key id appears) or a JWKS address; anything
    else raises :class:`SettingsError`.
    """

    def __init__(self, *, issuer: str, audience: str, jwks_file: Path | None, jwks_url: str | None) -> None:
        if not issuer:
            raise SettingsError("MENTORING_AUTH_ISSUER is not set")
        if (jwks_file is None) == (jwks_url is None):
            raise SettingsError("set exactly one of MENTORING_AUTH_JWKS_FILE and MENTORING_AUTH_JWKS_URL")
        self._issuer, self._audience = issuer, audience
        self._file = jwks_file
        self._client = PyJWKClient(jwks_url, cache_keys=True, lifespan=300, timeout=5) if jwks_url else None
        self._keys: dict[str, PyJWK] = {}
        self._keys_until = 0.0
        self._verified: dict[str, tuple[float, Caller]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """The caller behind an ``Authorization`` header. Raises :class:`Unauthenticated`.

        A token that has been verified is believed until it expires, and no longer than the keys are kept.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("a bearer token is needed")
        if time.monotonic() > self._keys_until:
            # A key that the issuer has withdrawn must not be trusted for ever.
            self._keys, self._verified = {}, {}
        expires, caller = self._verified.get(token, (0.0, None))
        if caller is not None and time.time() < expires:
            return caller
        claims = await self._verify(token)
        tenant, roles = claims.get("tenant"), claims.get("roles", [])
        if not isinstance(tenant, str) or not tenant or not isinstance(roles, list):
            raise Unauthenticated("the token names no tenant")
        caller = Caller(str(claims["sub"]), tenant, frozenset(str(role) for role in roles))
        if len(self._verified) >= _MOST_TOKENS:
            self._verified.clear()
        self._verified[token] = float(claims["exp"]), caller
        return caller

    async def _verify(self, token: str) -> dict[str, Any]:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            key = self._keys.get(key_id) or await self._fetch(key_id, token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=_ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid: {type(error).__name__}") from error
        return claims

    def _keep(self, keys: dict[str, PyJWK]) -> None:
        if time.monotonic() > self._keys_until:
            self._keys_until = time.monotonic() + _KEY_SECONDS
        self._keys, self._verified = keys, {}

    async def _fetch(self, key_id: str, token: str) -> PyJWK:
        if self._client is not None:
            key = await asyncio.to_thread(self._client.get_signing_key_from_jwt, token)
            self._keep(self._keys | {key_id: key})
            return key
        assert self._file is not None
        try:
            document = json.loads(await asyncio.to_thread(self._file.read_text))
        except (OSError, ValueError) as error:
            raise Unauthenticated("the issuer's keys cannot be read") from error
        self._keep({str(item.get("kid", "")): PyJWK.from_dict(item) for item in document["keys"]})
        if key_id not in self._keys:
            raise Unauthenticated("the token is signed with an unknown key")
        return self._keys[key_id]
