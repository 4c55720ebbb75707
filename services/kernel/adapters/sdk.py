"""How an adapter opens an SDK client, and how the SDK's errors become ours.

The SDK's own retries are off: there is one retry policy, ours. A message of an error names the operation and
the service's code, and the service's words only where they cannot quote a record.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as sdk
from botocore.httpsession import get_cert_path
from botocore.parsers import ResponseParserError

from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)

# Everything a call can raise that is not a fault of its arguments.
SDK_ERRORS = (
    sdk.ClientError,
    sdk.BotoCoreError,
    ResponseParserError,
    aiohttp.ClientError,
    TimeoutError,
    OSError,
)

_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "TransactionInProgressException",
    "TooManyRequestsException",
    "SlowDown",
}
_UNAVAILABLE = {
    "InternalFailure",
    "InternalServerError",
    "InternalFailureException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "ResourceInUseException",
    "ExpiredNextTokenException",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "KMSDisabledException",
    "KMSInvalidStateException",
}
_MISCONFIGURED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestTimeTooSkewed",
    "KMSAccessDeniedException",
    "KMSNotFoundException",
    "KMSOptInRequired",
}
_MISSING = {"ResourceNotFoundException", "TableNotFoundException"}


def new_session(timestamp_parser: Callable[[Any], Any] | None = None) -> Any:
    """A session of the SDK: it finds the credentials of every client opened from it.

    Args:
        timestamp_parser: makes our values of the service's timestamps.
    """
    session = get_session()
    if timestamp_parser is not None:
        session.get_component("response_parser_factory").set_parser_defaults(
            timestamp_parser=timestamp_parser
        )
    return session


@asynccontextmanager
async def client(
    session: Any,
    service: str,
    endpoint: str | None,
    region: str,
    max_connections: int,
    connect_timeout_s: float,
    read_timeout_s: float,
) -> AsyncIterator[Any]:
    """Open an SDK client without retries of its own; credentials come by the SDK's usual chain.

    Raises:
        Misconfigured: the endpoint is not a URL, or there are no credentials.
    """
    config = AioConfig(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        max_pool_connections=max_connections,
        # Our types are checked by mypy; the SDK's own walk over every record costs more than the request.
        parameter_validation=False,
        tcp_keepalive=True,
    )
    try:
        opened = session.create_client(service, endpoint_url=endpoint, region_name=region, config=config)
        entered = await opened.__aenter__()
    except (ValueError, sdk.BotoCoreError) as error:
        raise Misconfigured(f"{service}: cannot open a client ({type(error).__name__})") from error
    try:
        yield entered
    finally:
        await opened.__aexit__(None, None, None)


def trust(session: Any, url: str) -> ssl.SSLContext | bool:
    """Verify certificates as the SDK does: by AWS_CA_BUNDLE, else by the roots that it carries."""
    if not url.startswith("https:"):
        return True
    return ssl.create_default_context(cafile=session.get_config_variable("ca_bundle") or get_cert_path(True))


def error_code(error: BaseException) -> str:
    """The service's own code of a failed call, "" when the call never got an answer."""
    if isinstance(error, sdk.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def translate(error: BaseException, what: str) -> CadabraError:
    """Name an SDK error in our vocabulary.

    A call that ends in TimedOut or Unavailable may have had its effect: whoever repeats it says why that is
    harmless.

    Args:
        error: one of SDK_ERRORS.
        what: operation and resource, for the message.
    """
    if isinstance(error, sdk.ClientError):
        return _answered(error, what)
    name = type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unavailable(f"{what}: {name}")  # nothing was sent
    if isinstance(error, sdk.ReadTimeoutError | aiohttp.ServerTimeoutError | TimeoutError):
        return TimedOut(f"{what}: {name}")
    if isinstance(error, sdk.NoCredentialsError | sdk.PartialCredentialsError | sdk.NoRegionError):
        return Misconfigured(f"{what}: {name}")
    return Unavailable(f"{what}: {name}")


def _answered(error: Any, what: str) -> CadabraError:
    response: Mapping[str, Any] = error.response
    code = error_code(error)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    words = f"{what}: {code}: {response.get('Error', {}).get('Message', '')}"
    if code in _MISSING:
        return MissingResource(words)
    if code in _MISCONFIGURED:
        return Misconfigured(words)
    short = f"{what}: {code} (HTTP {status})"
    if code in _THROTTLED or status == 429:
        return Throttled(short)
    if code in _UNAVAILABLE or status >= 500:
        return Unavailable(short)
    return Refused(short)
