"""Signed requests to one OpenSearch over HTTP, without a client library: few kinds of call, and bodies that are bytes.

A domain on AWS checks the signature, the engine of one machine does not look at it: so every request is signed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from botocore.exceptions import NoCredentialsError
from botocore.utils import get_environ_proxies
from yarl import URL

from services.kernel.adapters import sdk
from services.kernel.adapters.opensearch_errors import Answer
from services.kernel.adapters.signer import RequestSigner
from services.kernel.core.errors import Misconfigured, Unavailable

JSON = "application/json"
NDJSON = "application/x-ndjson"
MAX_ANSWER_BYTES = 32 * 1024 * 1024
_SERVICE = "es"
_KEEPALIVE_S = 12.0  # as the other adapters; OpenSearch closes idle connections later
_CONNECT_TIMEOUT_S = 3.0


class Transport:
    """Sends requests to one endpoint; safe for concurrent calls.

    A POST is sent once. Of the others aiohttp repeats one that met a connection which the other side had just closed.

    Args:
        credentials: the SDK's, refreshed if need be; None where there are none.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: str,
        region: str,
        credentials: Any,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(endpoint.rstrip("/"))
        self._session = session
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base_path = parts.path
        self._proxy = get_environ_proxies(endpoint).get(parts.scheme)
        self._signer = RequestSigner(endpoint, region, _SERVICE)
        self._credentials = credentials
        self._clock = clock

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float,
        content_type: str = JSON,
    ) -> Answer:
        """Send one request and read its answer, whatever it is.

        Args:
            path: `/` and what follows, not encoded.
            timeout_s: for everything from a free connection to the answer's last byte.

        Raises:
            Retryable: no answer, none in time, or one that is too long; the request may have had its effect.
            Misconfigured: there are no credentials.
        """
        what = f"{method} {path}"
        encoded = self._base_path + quote(path, safe="/")
        asked = "&".join(
            f"{quote(name)}={quote(value, safe='')}" for name, value in sorted((query or {}).items())
        )
        try:
            if self._credentials is None:
                raise NoCredentialsError
            now = await self._credentials.get_frozen_credentials()
            headers = self._signer.headers(method, encoded, asked, content_type, body, now, self._clock())
            async with self._session.request(
                method,
                URL(f"{self._origin}{encoded}?{asked}", encoded=True),
                data=body,
                headers={**headers, "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_TIMEOUT_S),
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                return Answer(response.status, await _bounded(response, what))
        except sdk.SDK_ERRORS as error:
            raise sdk.translate(error, what) from error


@asynccontextmanager
async def opened(endpoint: str | None, region: str, max_connections: int) -> AsyncIterator[Transport]:
    """Open a transport with credentials by the SDK's usual chain.

    Raises:
        Misconfigured: the endpoint is not a URL without user and query.
    """
    if endpoint is None or not _is_endpoint(endpoint):
        raise Misconfigured(
            "opensearch: the endpoint has to be a URL, such as https://search-orders.eu-west-1.es.amazonaws.com"
        )
    found = sdk.new_session()
    connector = aiohttp.TCPConnector(
        limit=max_connections, keepalive_timeout=_KEEPALIVE_S, ssl=sdk.trust(found, endpoint)
    )
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield Transport(session, endpoint, region, await found.get_credentials())


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        well_formed = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        well_formed
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.username is None
        and not parts.query
        and not parts.fragment
    )


async def _bounded(response: aiohttp.ClientResponse, what: str) -> bytes:
    pieces: list[bytes] = []
    left = MAX_ANSWER_BYTES
    async for piece in response.content.iter_any():
        left -= len(piece)
        if left < 0:
            raise Unavailable(f"{what}: an answer above {MAX_ANSWER_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)
