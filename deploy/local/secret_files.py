"""The secrets of one platform: the key that signs tokens, the tokens of the usual roles, the secret of cursors."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from deploy.local.layout import Layout, read_json, write_whole
from services.kernel.core import tokens

LIFETIME_S = 7 * 24 * 3600
USUAL = {"operator": "operator", "sender": "shop", "analyst": "analyst"}
"""Subject of the token of each usual role; the sender's subject is the source of its orders."""


def ensure(layout: Layout) -> None:
    """Make the secrets that are missing, and new tokens of the usual roles.

    The key stays from one run to the next, so that a token lives as long as it says. Every file has mode 600.
    """
    layout.make()
    if not layout.signing_key_file.exists():
        keys = tokens.Keys.generate("local")
        _write(layout.jwks_file, json.dumps(tokens.jwks([keys.public_jwk]), indent=1))
        _write(layout.signing_key_file, json.dumps(keys.private_jwk))
    if not layout.cursor_secret_file.exists():
        _write(layout.cursor_secret_file, secrets.token_hex(32))
    signed = {role: token(layout, role, subject) for role, subject in USUAL.items()}
    _write(layout.tokens_file, json.dumps(signed, indent=1))


def token(layout: Layout, role: str, subject: str, lifetime_s: float = LIFETIME_S) -> str:
    """A token for this role and subject, signed with the platform's key."""
    return tokens.sign(read_json(layout.signing_key_file), subject, role, lifetime_s=lifetime_s)


def _write(path: Path, content: str) -> None:
    write_whole(path, content + "\n", mode=0o600)
