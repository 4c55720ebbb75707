"""AWS Signature Version 4 for the calls of the data plane: POST with a JSON body and a fixed set of headers.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Protocol
from urllib.parse import quote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Credentials(Protocol):
    """Who signs; the SDK's frozen credentials are such."""

    @property
    def access_key(self) -> str:
        """Public name of the key."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret itself."""
        ...

    @property
    def token(self) -> str | None:
        """Session token of temporary credentials, None for lasting ones."""
        ...


class Signer:
    """Signs requests to one endpoint; one derivation of the signing key serves a whole day.

    Args:
        endpoint: URL without query.
        region: the signing region, such as `eu-west-1`.
        service: the signing name, such as `kinesis`.
        content_type: of every request.
    """

    def __init__(self, endpoint: str, region: str, service: str, content_type: str) -> None:
        self.host = host_header(endpoint)
        self._region = region
        self._service = service
        self._content_type = content_type
        path = quote(_normalised(urlsplit(endpoint).path), safe="/~")
        self._head = f"POST\n{path}\n\ncontent-type:{content_type}\nhost:{self.host}\nx-amz-date:"
        self._second = -1
        self._stamp = ""
        self._key_of: tuple[str, str] | None = None
        self._key = b""

    def headers(self, target: str, body: bytes, credentials: Credentials, now_s: float) -> dict[str, str]:
        """Make the headers of a request that the service accepts.

        Args:
            target: value of `X-Amz-Target`.
            now_s: the service's time, seconds since the epoch.

        Returns:
            Every header that is signed and the signature.
        """
        stamp = self._stamped(int(now_s))
        token = credentials.token
        middle, names = "", "content-type;host;x-amz-date;x-amz-target"
        if token:
            middle = f"\nx-amz-security-token:{' '.join(token.split())}"
            names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        canonical = f"{self._head}{stamp}{middle}\nx-amz-target:{target}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = _hmac(self._signing_key(credentials.secret_key, stamp[:8]), to_sign).hex()
        signed = {
            "Host": self.host,
            "Content-Type": self._content_type,
            "X-Amz-Date": stamp,
            "X-Amz-Target": target,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
                f"SignedHeaders={names}, Signature={signature}"
            ),
        }
        if token:
            signed["X-Amz-Security-Token"] = token
        return signed

    def _stamped(self, second: int) -> str:
        if second != self._second:
            self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._second = second
        return self._stamp

    def _signing_key(self, secret: str, day: str) -> bytes:
        if self._key_of != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._key, self._key_of = key, (secret, day)
        return self._key


def host_header(endpoint: str) -> str:
    """The `Host` of an endpoint: its port only where it is not the scheme's own."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme):
        return host
    return f"{host}:{parts.port}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _normalised(path: str) -> str:
    """Remove dot segments and empty segments, as the signature's rule asks."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    text = "/".join(kept)
    return f"/{text}/" if kept and path.endswith("/") else f"/{text}"
