"""AWS Signature Version 4: for the calls of the data plane, which differ in target and body alone, and for any request.

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
        self._key = SigningKey(region, service)
        self._content_type = content_type
        path = quote(_normalised(urlsplit(endpoint).path), safe="/~")
        self._head = f"POST\n{path}\n\ncontent-type:{content_type}\nhost:{self.host}\nx-amz-date:"

    def headers(self, target: str, body: bytes, credentials: Credentials, now_s: float) -> dict[str, str]:
        """Make the headers of a request that the service accepts.

        Args:
            target: value of `X-Amz-Target`.
            now_s: the service's time, seconds since the epoch.

        Returns:
            Every header that is signed and the signature.
        """
        stamp = self._key.stamp(now_s)
        token = credentials.token
        middle, names = "", "content-type;host;x-amz-date;x-amz-target"
        if token:
            middle = f"\nx-amz-security-token:{' '.join(token.split())}"
            names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        canonical = f"{self._head}{stamp}{middle}\nx-amz-target:{target}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
        authorization = self._key.authorization(canonical, names, stamp, credentials)
        signed = {
            "Host": self.host,
            "Content-Type": self._content_type,
            "X-Amz-Date": stamp,
            "X-Amz-Target": target,
            "Authorization": authorization,
        }
        if token:
            signed["X-Amz-Security-Token"] = token
        return signed


class RequestSigner:
    """Signs requests of any method and path to one endpoint.

    Args:
        endpoint: URL; its path and query are not looked at.
        region: the signing region, such as `eu-west-1`.
        service: the signing name, such as `es`.
    """

    def __init__(self, endpoint: str, region: str, service: str) -> None:
        self.host = host_header(endpoint)
        self._key = SigningKey(region, service)

    def headers(
        self,
        method: str,
        path: str,
        query: str,
        content_type: str,
        body: bytes,
        credentials: Credentials,
        now_s: float,
    ) -> dict[str, str]:
        """Make the headers of a request that the service accepts.

        Args:
            path: as it is sent: percent-encoded, without dot segments or empty ones.
            query: as it is sent: `name=value` pairs, percent-encoded and sorted, "" for none.
            now_s: the service's time, seconds since the epoch.

        Returns:
            Every header that is signed and the signature.
        """
        stamp = self._key.stamp(now_s)
        signed = {"Content-Type": content_type, "Host": self.host, "X-Amz-Date": stamp}
        if credentials.token:
            signed["X-Amz-Security-Token"] = credentials.token
        names = ";".join(signed).lower()
        lines = "".join(f"{name.lower()}:{' '.join(value.split())}\n" for name, value in signed.items())
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"{method}\n{quote(path, safe='/~')}\n{query}\n{lines}\n{names}\n{digest}"
        return {**signed, "Authorization": self._key.authorization(canonical, names, stamp, credentials)}


class SigningKey:
    """Makes signatures for one service in one region; one derivation of the key serves a whole day."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._second = -1
        self._stamp = ""
        self._key_of: tuple[str, str] | None = None
        self._key = b""

    def stamp(self, now_s: float) -> str:
        """The time as a signature writes it."""
        second = int(now_s)
        if second != self._second:
            self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._second = second
        return self._stamp

    def authorization(self, canonical: str, names: str, stamp: str, credentials: Credentials) -> str:
        """The `Authorization` of a request.

        Args:
            canonical: the request in the signature's canonical form.
            names: of the headers that are signed, in lower case, sorted, with `;` between them.
        """
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = _hmac(self._derived(credentials.secret_key, stamp[:8]), to_sign).hex()
        return (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )

    def _derived(self, secret: str, day: str) -> bytes:
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
