"""Tokens: who is calling and in which role, signed with Ed25519 and checked against a set of public keys.

Source: RFC 7519 (JWT), RFC 8037 (EdDSA keys as JWK).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from services.kernel.core.errors import CadabraError, Misconfigured

AUDIENCE = "cadabra"
ROLES = frozenset({"sender", "customer", "operator", "analyst"})
ALGORITHM = "EdDSA"
LEEWAY_S = 30
"""How far clocks may differ: a token is taken this long before its start and past its end."""
MAX_TOKEN_BYTES = 8 * 1024
MAX_CACHED = 4096
_RECHECK_KEYS_S = 1.0
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")


class Denied(CadabraError):
    """The caller may not do this; `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unauthorized(Denied):
    """There is no valid token (HTTP 401)."""


class Forbidden(Denied):
    """The token is valid and does not allow this (HTTP 403)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling.

    Args:
        subject: a sender's, customer's or person's id; 1 to 64 characters, safe in a key.
        role: one of ROLES.
        expires_at: seconds since the epoch.
    """

    subject: str
    role: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Keys:
    """A signing key as a JSON Web Key, and the public half that checks what it signed."""

    kid: str
    private_jwk: dict[str, Any] = field(repr=False)
    public_jwk: dict[str, Any]

    @classmethod
    def generate(cls, kid: str) -> Keys:
        """Make a new key pair under this key id."""
        private = Ed25519PrivateKey.generate()
        fixed = {"kid": kid, "use": "sig", "alg": ALGORITHM}
        return cls(
            kid,
            {**OKPAlgorithm.to_jwk(private, as_dict=True), **fixed},
            {**OKPAlgorithm.to_jwk(private.public_key(), as_dict=True), **fixed},
        )


def jwks(public_jwks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Bind public keys into the JSON Web Key Set that a Verifier reads.

    Raises:
        ValueError: one of them holds a private key.
    """
    keys = [dict(key) for key in public_jwks]
    if any("d" in key for key in keys):
        raise ValueError("a key set holds public keys only")
    return {"keys": keys}


def sign(
    private_jwk: Mapping[str, Any],
    subject: str,
    role: str,
    audience: str = AUDIENCE,
    lifetime_s: float = 3600,
    now_s: float | None = None,
) -> str:
    """Sign a token.

    Args:
        lifetime_s: seconds that it is valid; negative ones make an expired token, for tests.
        now_s: seconds since the epoch, by default the clock's.

    Raises:
        ValueError: the key cannot sign.
    """
    issued_at = int(time.time() if now_s is None else now_s)
    claims = {
        "sub": subject,
        "role": role,
        "aud": audience,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": int(issued_at + lifetime_s),
    }
    key = OKPAlgorithm.from_jwk(dict(private_jwk))
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not a private Ed25519 key")
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": private_jwk["kid"]})


class Verifier:
    """Checks tokens against a key set file, which may change while the process runs.

    A key that is added or taken away counts within a second. Answers are cached, so that a sender's next request
    costs a hash and not a signature.

    Args:
        jwks_file: JSON Web Key Set with Ed25519 public keys.
        clock: seconds since the epoch.

    Raises:
        Misconfigured: the file cannot be read or holds no usable key. After the start a broken file leaves the
            keys as they were.
    """

    def __init__(self, jwks_file: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = jwks_file
        self._clock = clock
        self._cache: OrderedDict[tuple[bytes, str], Principal] = OrderedDict()
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._seen: tuple[int, int, int] | None = None
        self._checked_at = 0.0
        self._load()

    def verify(
        self, authorization: str | None, audience: str = AUDIENCE, roles: Collection[str] = ROLES
    ) -> Principal:
        """Say who is calling.

        Args:
            authorization: the request's Authorization header, `Bearer <token>`.
            audience: whom the token must be meant for.
            roles: those that are allowed.

        Raises:
            Unauthorized: code `missing_token` or `invalid_token` or `expired_token`.
            Forbidden: code `wrong_role`.
        """
        token = _bearer(authorization)
        self._reload()
        cache_key = (hashlib.sha256(token).digest(), audience)
        principal = self._cache.get(cache_key)
        if principal is None:
            principal = self._principal(token, audience)
            self._cache[cache_key] = principal
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        elif principal.expires_at + LEEWAY_S <= self._clock():
            del self._cache[cache_key]
            raise Unauthorized("expired_token", "the token has expired")
        else:
            self._cache.move_to_end(cache_key)
        if principal.role not in roles:
            raise Forbidden("wrong_role", f"the role {principal.role} may not do this")
        return principal

    def _principal(self, token: bytes, audience: str) -> Principal:
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=audience,
                # Times are checked below, by the clock that was given.
                options={
                    "require": ["exp", "iat", "nbf", "sub", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError):
            # One answer for all: a forger learns nothing from it. `from None`, for the cause may quote the token.
            raise Unauthorized("invalid_token", "the token is not valid here") from None
        return self._checked(claims)

    def _checked(self, claims: Mapping[str, Any]) -> Principal:
        subject, role = claims["sub"], claims.get("role")
        times = [claims[name] for name in ("exp", "nbf", "iat")]
        well_formed = (
            isinstance(subject, str)
            and _SUBJECT.match(subject)
            and isinstance(role, str)
            and role in ROLES
            and all(type(one) is int for one in times)
        )
        now = self._clock()
        if not well_formed or max(times[1:]) > now + LEEWAY_S:
            raise Unauthorized("invalid_token", "the token is not valid here")
        if times[0] + LEEWAY_S <= now:
            raise Unauthorized("expired_token", "the token has expired")
        return Principal(subject, str(role), times[0])

    def _reload(self) -> None:
        now = time.monotonic()
        if now - self._checked_at < _RECHECK_KEYS_S:
            return
        self._checked_at = now
        try:
            changed = _identity(self._file) != self._seen
        except OSError:
            return
        if changed:
            try:
                self._load()
            except Misconfigured:
                return

    def _load(self) -> None:
        try:
            seen = _identity(self._file)
            keys = _public_keys(json.loads(self._file.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            raise Misconfigured(f"{self._file}: no JSON Web Key Set ({type(error).__name__})") from error
        if not keys:
            raise Misconfigured(f"{self._file}: no Ed25519 public key with a kid")
        self._keys, self._seen = keys, seen
        self._checked_at = time.monotonic()
        # A token signed by a key that is gone must not live on in the cache.
        self._cache.clear()


def _bearer(authorization: str | None) -> bytes:
    if not authorization:
        raise Unauthorized("missing_token", "send Authorization: Bearer <token>")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise Unauthorized("invalid_token", "the token is not valid here")
    return token.encode("ascii")


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _public_keys(key_set: Mapping[str, Any]) -> dict[str, Ed25519PublicKey]:
    keys: dict[str, Ed25519PublicKey] = {}
    for jwk in key_set["keys"]:
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519" and jwk.get("kid"):
            public = {name: jwk[name] for name in ("kty", "crv", "x")}
            key = OKPAlgorithm.from_jwk(public)
            if isinstance(key, Ed25519PublicKey):
                keys[str(jwk["kid"])] = key
    return keys
