"""Tokens: a table of what a hostile or careless caller may send, and keys that rotate."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.kernel.core import tokens
from services.kernel.core.errors import Misconfigured
from services.kernel.core.tokens import Forbidden, Keys, Unauthorized, Verifier, jwks, sign

NOW = 1_800_000_000
KEYS = Keys.generate("k1")
OTHER = Keys.generate("k1")


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now_s = float(NOW)

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(jwks([KEYS.public_jwk])))
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(key_file: Path, clock: Clock) -> Verifier:
    return Verifier(key_file, clock)


def good(**changes: Any) -> str:
    arguments: dict[str, Any] = {"subject": "shop-1", "role": "sender", "now_s": NOW, **changes}
    return sign(KEYS.private_jwk, **arguments)


def claims(**changes: Any) -> dict[str, Any]:
    whole = {
        "sub": "shop-1",
        "role": "sender",
        "aud": "cadabra",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def signed(payload: dict[str, Any], keys: Keys = KEYS, **header: Any) -> str:
    key = OKPAlgorithm.from_jwk(keys.private_jwk)
    assert isinstance(key, Ed25519PrivateKey)
    return jwt.encode(payload, key, "EdDSA", headers={"kid": keys.kid, **header})


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(header: dict[str, Any]) -> str:
    return f"{part(header)}.{part(claims())}."


def hs256_with_the_public_key() -> str:
    secret = base64.urlsafe_b64decode(KEYS.public_jwk["x"] + "==")
    return jwt.encode(claims(), secret, "HS256", headers={"kid": "k1"})


def tampered() -> str:
    header, _, signature = good().split(".")
    return f"{header}.{part(claims(sub='somebody-else'))}.{signature}"


HOSTILE: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "junk": lambda: "junk",
    "three junk parts": lambda: "a.b.c",
    "not ascii": lambda: "ä.ö.ü",
    "alg none": lambda: unsigned({"alg": "none", "typ": "JWT", "kid": "k1"}),
    "alg None in capitals": lambda: unsigned({"alg": "NONE", "kid": "k1"}),
    "alg EdDSA without signature": lambda: unsigned({"alg": "EdDSA", "kid": "k1"}),
    "HS256 with the public key as secret": hs256_with_the_public_key,
    "another key under our kid": lambda: signed(claims(), OTHER),
    "unknown kid": lambda: signed(claims(), kid="k2"),
    "kid is not a text": lambda: f"{part({'alg': 'EdDSA', 'kid': ['k1']})}.{part(claims())}.AAAA",
    "no kid": lambda: f"{part({'alg': 'EdDSA'})}.{part(claims())}.AAAA",
    "header is a list": lambda: f"{part([1])}.{part(claims())}.AAAA",
    "payload tampered with": tampered,
    "embedded key": lambda: signed(claims(), OTHER, jwk=OTHER.public_jwk),
    "over 8 KiB": lambda: good(subject="a") + "x" * 8192,
    "deeply nested": lambda: f"{'W' * 7000}.{part(claims())}.AAAA",
    "another audience": lambda: signed(claims(aud="another")),
    "no audience": lambda: signed(claims(aud=None)),
    "no subject": lambda: signed(claims(sub=None)),
    "no role": lambda: signed(claims(role=None)),
    "no expiry": lambda: signed(claims(exp=None)),
    "no start": lambda: signed(claims(nbf=None)),
    "no time of issue": lambda: signed(claims(iat=None)),
    "expiry is a text": lambda: signed(claims(exp="never")),
    "expiry is true": lambda: signed(claims(exp=True)),
    "expiry is infinite": lambda: signed(claims(exp=1e999)),
    "role is a list": lambda: signed(claims(role=["sender", "operator"])),
    "unknown role": lambda: signed(claims(role="root")),
    "subject is a number": lambda: signed(claims(sub=7)),
    "subject is empty": lambda: signed(claims(sub="")),
    "subject with a slash": lambda: signed(claims(sub="a/b")),
    "subject with a newline": lambda: signed(claims(sub="a\n")),
    "subject too long": lambda: signed(claims(sub="a" * 65)),
    "not valid yet": lambda: signed(claims(nbf=NOW + 31)),
    "issued in the future": lambda: signed(claims(iat=NOW + 31)),
    "expired": lambda: signed(claims(exp=NOW - 30)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_token_is_unauthorized(verifier: Verifier, case: str) -> None:
    token = HOSTILE[case]()
    for _ in range(2):  # the cache must not turn a second try into a yes
        with pytest.raises(Unauthorized) as raised:
            verifier.verify(f"Bearer {token}")
        assert raised.value.code == ("expired_token" if case == "expired" else "invalid_token")
        assert not token or token not in str(raised.value)


@pytest.mark.parametrize("header", [None, ""])
def test_no_header_is_missing(verifier: Verifier, header: str | None) -> None:
    with pytest.raises(Unauthorized) as raised:
        verifier.verify(header)
    assert raised.value.code == "missing_token"


@pytest.mark.parametrize("scheme", ["Basic {}", "{}", "Bearer{}", "Bearer  {}", "Bearer {} x"])
def test_another_scheme_is_unauthorized(verifier: Verifier, scheme: str) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(scheme.format(good()))


def test_a_good_token_says_who_it_is(verifier: Verifier) -> None:
    for scheme in ("Bearer", "bearer"):
        principal = verifier.verify(f"{scheme} {good(lifetime_s=60)}", roles={"sender"})
        assert principal == tokens.Principal("shop-1", "sender", NOW + 60)


def test_the_wrong_role_is_forbidden(verifier: Verifier) -> None:
    for _ in range(2):
        with pytest.raises(Forbidden) as raised:
            verifier.verify(f"Bearer {good()}", roles={"operator"})
        assert raised.value.code == "wrong_role"


def test_an_audience_is_not_another_by_way_of_the_cache(verifier: Verifier) -> None:
    verifier.verify(f"Bearer {good()}")
    with pytest.raises(Unauthorized):
        verifier.verify(f"Bearer {good()}", audience="another")


def test_thirty_seconds_of_leeway_and_no_more(verifier: Verifier, clock: Clock) -> None:
    token = good(lifetime_s=10)
    clock.now_s = NOW - 30
    verifier.verify(f"Bearer {token}")
    clock.now_s = NOW + 39
    verifier.verify(f"Bearer {token}")
    clock.now_s = NOW + 40
    for _ in range(2):
        with pytest.raises(Unauthorized) as raised:
            verifier.verify(f"Bearer {token}")
        assert raised.value.code == "expired_token"


def test_the_cache_is_bounded(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_CACHED", 3)
    for number in range(6):
        verifier.verify(f"Bearer {good(subject=f's{number}')}")
    assert len(verifier._cache) == 3


def test_a_rotated_key_counts_and_a_removed_one_does_not(
    key_file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_RECHECK_KEYS_S", 0.0)
    verifier = Verifier(key_file, clock)
    new = Keys.generate("k2")
    old_token, new_token = good(), sign(new.private_jwk, "shop-1", "sender", now_s=NOW)
    verifier.verify(f"Bearer {old_token}")
    with pytest.raises(Unauthorized):
        verifier.verify(f"Bearer {new_token}")
    key_file.write_text(json.dumps(jwks([KEYS.public_jwk, new.public_jwk])))
    verifier.verify(f"Bearer {new_token}")
    verifier.verify(f"Bearer {old_token}")
    replacement = key_file.with_suffix(".new")
    replacement.write_text(json.dumps(jwks([new.public_jwk])))
    os.replace(replacement, key_file)  # noqa: PTH105 - as a deployment does
    with pytest.raises(Unauthorized):
        verifier.verify(f"Bearer {old_token}")
    key_file.write_text("{")
    verifier.verify(f"Bearer {new_token}")
    key_file.unlink()
    verifier.verify(f"Bearer {new_token}")


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "RSA", "kid": "x"}]}', "[1]"])
def test_a_key_file_without_keys_is_a_wrong_setting(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text)
    with pytest.raises(Misconfigured):
        Verifier(path)
    with pytest.raises(Misconfigured):
        Verifier(tmp_path / "none.json")


def test_a_private_key_never_gets_into_a_key_set() -> None:
    with pytest.raises(ValueError, match="public"):
        jwks([KEYS.private_jwk])
    assert KEYS.private_jwk["d"] not in repr(KEYS)


def test_a_public_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="private"):
        sign(KEYS.public_jwk, "a", "sender")
