"""Signed tokens, in the shape of Entra ID's version 1 and 2 tokens."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.clock import Clock
from simulator.http import Principal
from simulator.settings import Application, Identity, Person

LIFETIME_SECONDS = 3600
_CACHE_LIMIT = 4096


class TokenError(Exception):
    """Says in ARM's words why a token is not accepted."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Tokens:
    """Issues and checks tokens. Times are those of the simulation's clock."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        key = serialization.load_pem_private_key(identity.signing_key.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - made by this package
        self._key = key
        self._accepted: dict[str, dict[str, Any]] = {}
        self._generation = 0
        numbers = key.public_key().public_numbers()
        self._modulus = _base64url(numbers.n.to_bytes(256))
        self._exponent = _base64url(numbers.e.to_bytes(3).lstrip(b"\0"))
        self.key_id = hashlib.sha256(self._modulus.encode()).hexdigest()[:24]

    @property
    def key_set(self) -> dict[str, Any]:
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": self._modulus,
            "e": self._exponent,
        }
        return {"keys": [key]}

    def access_token(
        self, *, issuer: str, audience: str, application: Application, person: Person | None = None
    ) -> str:
        """Issue an access token to an application, or to a person who uses it."""
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": issuer,
            "tid": self._identity.tenant_id,
            "appid": application.client_id,
            "azp": application.client_id,
            "oid": application.object_id,
            "sub": application.object_id,
            "idtyp": "app",
            "ver": "1.0",
            "uti": uuid.uuid4().hex,
        }
        if person is not None:
            claims |= {
                "oid": person.object_id,
                "sub": person.object_id,
                "upn": person.user_name,
                "unique_name": person.user_name,
                "name": person.name,
                "idtyp": "user",
                "scp": "user_impersonation",
            }
        return self._sign(claims)

    def id_token(
        self, *, issuer: str, application: Application, person: Person, nonce: str | None
    ) -> str:
        claims: dict[str, Any] = {
            "aud": application.client_id,
            "iss": issuer,
            "tid": self._identity.tenant_id,
            "oid": person.object_id,
            "sub": person.object_id,
            "name": person.name,
            "given_name": person.given_name,
            "family_name": person.name.split()[-1],
            "preferred_username": person.user_name,
            "email": person.user_name,
            "ver": "2.0",
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign(claims)

    def check(self, authorization: str | None) -> dict[str, Any]:
        """Return the claims of a bearer token; raises ``TokenError``.

        The signature of a token is checked once, its times on every call.
        """
        if not authorization:
            raise TokenError(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError(
                "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid "
                "format.",
            )
        claims = self._accepted.get(token) or self._verify(token)
        now = self._clock.now().timestamp()
        if claims["exp"] <= now or claims["generation"] < self._generation:
            raise TokenError(
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time.",
            )
        return claims

    def expire_all(self) -> None:
        """Make every token issued so far count as expired."""
        self._generation += 1

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise TokenError("InvalidAuthenticationToken", "The access token is invalid.") from (
                error
            )
        if claims.get("tid") != self._identity.tenant_id:
            raise TokenError(
                "InvalidAuthenticationTokenTenant",
                "The access token is from the wrong issuer.",
            )
        if len(self._accepted) >= _CACHE_LIMIT:
            self._accepted.clear()
        self._accepted[token] = claims
        return claims

    def _sign(self, claims: dict[str, Any]) -> str:
        now = self._clock.now().timestamp()
        times = {
            "generation": self._generation,
            "iat": now,
            "nbf": int(now) - 300,
            "exp": int(now) + LIFETIME_SECONDS,
        }
        return jwt.encode(
            {**claims, **times}, self._key, algorithm="RS256", headers={"kid": self.key_id}
        )


def principal_of(claims: dict[str, Any]) -> Principal:
    """Return who a token speaks for: an application by its client id, a person by user name."""
    if claims.get("idtyp") == "app":
        return Principal(claims["oid"], claims["appid"], is_application=True)
    return Principal(claims["oid"], claims["upn"], is_application=False)


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of PKCE (RFC 7636, section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
