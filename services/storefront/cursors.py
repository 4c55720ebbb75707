"""Cursors: where a customer's next page begins, signed so that nobody can make or alter one.

A cursor is base64url of version, expiry, position and an HMAC-SHA256 over these and the customer; it does not
name the customer, and is worth nothing with another's history. Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from services.kernel.core.errors import CadabraError

LIFETIME_S = 24 * 3600
MIN_SECRET_BYTES = 32
MAX_CURSOR_CHARS = 512

_VERSION = b"\x01"
_EXPIRY_BYTES = 5
_MAC_BYTES = hashlib.sha256().digest_size
_POSITION_AT = len(_VERSION) + _EXPIRY_BYTES
_PURPOSE = b"cadabra storefront cursor\x00"


class InvalidCursor(CadabraError):
    """Forged, altered, expired, or another customer's: the client begins again without one."""


def signed(secret: bytes, customer_id: str, position: str, now_s: float, lifetime_s: int = LIFETIME_S) -> str:
    """Make the cursor of a customer's page that begins after `position`.

    Args:
        secret: at least 32 bytes.
        position: sort key of the last entry that the page before has dealt with.
        now_s: seconds since the epoch.
    """
    expiry = int(now_s + lifetime_s).to_bytes(_EXPIRY_BYTES, "big")
    payload = _VERSION + expiry + position.encode()
    return _text(payload + _mac(secret, customer_id, payload))


def opened(secrets: Sequence[bytes], customer_id: str, cursor: str, now_s: float) -> str:
    """Read a cursor back into its position.

    Args:
        secrets: all that are in force; any of them may have signed it.

    Raises:
        InvalidCursor: it is not one that we gave this customer, or it is too old.
    """
    sealed = _bytes(cursor)
    payload, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
    genuine = [hmac.compare_digest(mac, _mac(secret, customer_id, payload)) for secret in secrets]
    if not any(genuine) or not payload.startswith(_VERSION):
        raise InvalidCursor("not a cursor for this customer")
    if now_s > int.from_bytes(payload[len(_VERSION) : _POSITION_AT], "big"):
        raise InvalidCursor("expired")
    return payload[_POSITION_AT:].decode()


def _mac(secret: bytes, customer_id: str, payload: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + customer_id.encode() + b"\x00" + payload, "sha256")


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _bytes(cursor: str) -> bytes:
    if len(cursor) > MAX_CURSOR_CHARS or not cursor.isascii():
        raise InvalidCursor("not a cursor")
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("not a cursor") from error
    if len(sealed) <= _POSITION_AT + _MAC_BYTES or _text(sealed) != cursor:
        raise InvalidCursor("not a cursor")
    return sealed
