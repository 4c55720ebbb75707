"""The few calls that every record passes, without the SDK between us and the socket.

The SDK spends 4 to 12 times the work itself on a call. Here a call is signed, written and read with aiohttp's pool and
its HTTP parser; credentials, endpoint and trust in certificates are the SDK's, and its parser reads every refusal, so
that both planes raise the same errors. Everything but the hot calls stays with the SDK.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.http import HttpProcessingError
from botocore import exceptions as sdk_exceptions
from botocore.awsrequest import HeadersDict
from botocore.parsers import ResponseParserError, create_parser
from botocore.utils import get_environ_proxies
from yarl import URL

from services.kernel.adapters import sdk
from services.kernel.adapters.signer import Signer
from services.kernel.core.errors import Misconfigured

T = TypeVar("T")
RAW = "raw"
SDK = "sdk"
DEFAULT = RAW

_KEEPALIVE_S = 12.0  # the SDK's own; the services close idle connections later
_ONE_WRITE_BYTES = 64 * 1024
_OF_THE_CLOCK = {"RequestTimeTooSkewed", "RequestExpired"}
_OF_THE_SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch"}
_WORDS_OF_THE_CLOCK = ("signature expired", "not yet current")


class DataPlane:
    """Sends hot calls to one service; safe for concurrent calls, and each is sent once.

    The one exception is a call that the service refuses for its time before it looks at it: the clock's error is
    learned from the answer and the call is sent a second time.

    Args:
        client: the SDK's, for the endpoint and the service's own description.
        credentials: asks for credentials as they are now, refreshed if need be; raises what the SDK raises.
        connector: the pool of connections.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        client: Any,
        credentials: Any,
        connector: aiohttp.TCPConnector,
        connect_timeout_s: float,
        read_timeout_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        url = str(client.meta.endpoint_url)
        self._model = client.meta.service_model
        metadata = self._model.metadata
        self._target = f"{metadata['targetPrefix']}."
        content_type = f"application/x-amz-json-{metadata['jsonVersion']}"
        self._signer = Signer(url, client.meta.region_name, self._model.signing_name, content_type)
        self._credentials = credentials
        self._connector = connector
        self._request = aiohttp.ClientRequest("POST", URL(url), loop=connector._loop)
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_s)
        self._read_timeout_s = read_timeout_s
        self._path = urlsplit(url).path or "/"
        self._encode = msgspec.json.Encoder().encode
        self._clock = clock
        self.clock_error_s = 0.0
        """How far the service's clock is ahead of ours, seconds, as its last refusal told."""

    async def call(
        self, operation: str, request: Any, decoder: msgspec.json.Decoder[T], max_answer_bytes: int
    ) -> T:
        """Send one call and decode its answer.

        Args:
            operation: such as `PutRecords`.
            request: anything that msgspec encodes; bytes go as base64.
            max_answer_bytes: a longer answer is not read.

        Raises:
            sdk.SDK_ERRORS: what the SDK would have raised; `sdk.translate` names it.
        """
        body = self._encode(request)
        status, headers, answer = await self._send(operation, body, max_answer_bytes)
        if status >= 300:
            error = self._refusal(operation, status, headers, answer)
            if not self._learn_time(error, headers):
                raise error
            status, headers, answer = await self._send(operation, body, max_answer_bytes)
            if status >= 300:
                raise self._refusal(operation, status, headers, answer)
        _check_sum(headers, answer)
        try:
            return decoder.decode(answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ResponseParserError(f"{operation}: an answer that is none") from error

    async def _send(
        self, operation: str, body: bytes, max_answer_bytes: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._credentials is None:
            raise sdk_exceptions.NoCredentialsError
        credentials = await self._credentials.get_frozen_credentials()
        signed = self._signer.headers(
            self._target + operation, body, credentials, self._clock() + self.clock_error_s
        )
        lines = [f"POST {self._path} HTTP/1.1", *(f"{name}: {value}" for name, value in signed.items())]
        lines.append(
            f"Content-Length: {len(body)}\r\nAccept-Encoding: identity\r\nUser-Agent: cadabra\r\n\r\n"
        )
        return await self._exchange("\r\n".join(lines).encode(), body, max_answer_bytes)

    async def _exchange(
        self, head: bytes, body: bytes, max_answer_bytes: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = await self._connector.connect(self._request, [], self._timeout)
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(
                read_until_eof=True, auto_decompress=False, read_timeout=self._read_timeout_s
            )
            if len(body) <= _ONE_WRITE_BYTES:
                transport.write(head + body)
            else:
                transport.write(head)
                transport.write(body)
            protocol.start_timeout()
            message, payload = await protocol.read()
            while message.code < 200:
                message, payload = await protocol.read()
            answer = await _bounded(payload, message.headers, max_answer_bytes)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientPayloadError("an answer that is not HTTP") from error
        except BaseException:
            # A cancelled call too: its answer is still on the way and belongs to nobody.
            connection.close()
            raise
        connection.release()
        return message.code, message.headers, answer

    def _refusal(
        self, operation: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> sdk_exceptions.ClientError:
        parser = create_parser("json")
        answer = {"status_code": status, "headers": HeadersDict(headers), "body": body}
        parsed = parser.parse(answer, self._model.operation_model(operation).output_shape)
        shape = self._model.shape_for_error_code(parsed["Error"].get("Code", ""))
        if shape is not None:
            parsed.update(parser.parse(answer, shape))
        return sdk_exceptions.ClientError(parsed, operation)

    def _learn_time(self, error: sdk_exceptions.ClientError, headers: Mapping[str, str]) -> bool:
        """Take over the service's time if that is what it refuses; tells whether to send again."""
        code, words = sdk.error_code(error), str(error.response["Error"].get("Message", "")).lower()
        of_the_clock = code in _OF_THE_SIGNATURE and any(one in words for one in _WORDS_OF_THE_CLOCK)
        if not of_the_clock and code not in _OF_THE_CLOCK:
            return False
        try:
            theirs = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        except ValueError:
            return False
        self.clock_error_s = theirs - self._clock()
        return True


async def _bounded(payload: aiohttp.StreamReader, headers: Mapping[str, str], most_bytes: int) -> bytes:
    said = headers.get("Content-Length")
    if said is not None:
        if int(said) > most_bytes:
            raise aiohttp.ClientPayloadError("an answer that is too long")
        return await payload.read()
    pieces: list[bytes] = []
    left = most_bytes
    while piece := await payload.readany():
        left -= len(piece)
        if left < 0:
            raise aiohttp.ClientPayloadError("an answer that is too long")
        pieces.append(piece)
    return b"".join(pieces)


def _check_sum(headers: Mapping[str, str], answer: bytes) -> None:
    # DynamoDB sends one, Kinesis does not. The SDK without retries of its own does not look at it; we do.
    said = headers.get("x-amz-crc32")
    if said is not None and said != str(zlib.crc32(answer)):
        raise ResponseParserError("an answer that was damaged on its way")


@asynccontextmanager
async def opened(
    plane: str,
    service: str,
    endpoint: str | None,
    region: str,
    max_connections: int,
    connect_timeout_s: float,
    read_timeout_s: float,
    timestamp_parser: Callable[[Any], Any] | None = None,
) -> AsyncIterator[tuple[Any, DataPlane | None]]:
    """Open an SDK client and, unless `plane` is "sdk", a data plane beside it with its own pool of the same size.

    Behind an HTTP proxy (HTTPS_PROXY and the like) everything goes by the SDK, which knows them.

    Raises:
        Misconfigured: no such plane, or the endpoint is not a URL.
    """
    if plane not in (RAW, SDK):
        raise Misconfigured(f"{service}: the data plane is {RAW} or {SDK}, not {plane}")
    session = sdk.new_session(timestamp_parser)
    async with sdk.client(
        session, service, endpoint, region, max_connections, connect_timeout_s, read_timeout_s
    ) as client:
        url = str(client.meta.endpoint_url)
        if plane == SDK or get_environ_proxies(url):
            yield client, None
            return
        if urlsplit(url).query:
            raise Misconfigured(f"{service}: an endpoint has no query")
        connector = aiohttp.TCPConnector(
            limit=max_connections, keepalive_timeout=_KEEPALIVE_S, ssl=sdk.trust(session, url)
        )
        try:
            yield (
                client,
                DataPlane(
                    client, await session.get_credentials(), connector, connect_timeout_s, read_timeout_s
                ),
            )
        finally:
            await connector.close()
