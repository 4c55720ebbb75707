"""HTTP answers: one shape for every error, and a middleware that gives our errors that shape.

`{"error": {"code", "message", "details": [{"pointer", "reason"}]}}`; the code is stable, the message is for people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from services.kernel.core import logs, trace
from services.kernel.core.errors import (
    CadabraError,
    Detail,
    Fatal,
    InvalidRecord,
    Retryable,
    Throttled,
    TimedOut,
)
from services.kernel.core.tokens import Denied, Unauthorized

RETRY_AFTER_S = 1
_TOO_LARGE = 413
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logs.get("http")


def error_body(code: str, message: str, details: Sequence[Detail] = ()) -> dict[str, object]:
    """The document of an error."""
    listed = [{"pointer": detail.pointer, "reason": detail.reason} for detail in details]
    return {"error": {"code": code, "message": message, "details": listed}}


def error_response(
    status: int,
    code: str,
    message: str,
    details: Sequence[Detail] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with an error.

    Args:
        status: HTTP status, 400 to 599.
        code: stable, lower_case.
        details: every fault with its JSON Pointer.
    """
    return web.Response(
        body=json.dumps(error_body(code, message, details)).encode(),
        status=status,
        headers=dict(headers or {}),
        content_type="application/json",
    )


def response_of(error: CadabraError) -> web.Response:
    """The answer that one of our errors means to a client; any that is not theirs to know is 500 `internal`."""
    if isinstance(error, Denied):
        challenge = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
        status = 401 if isinstance(error, Unauthorized) else 403
        return error_response(status, error.code, error.message, headers=challenge)
    if isinstance(error, InvalidRecord):
        return error_response(422, error.reason, error.message, error.details)
    retry_after = {"Retry-After": str(RETRY_AFTER_S)}
    if isinstance(error, Throttled):
        return error_response(503, "throttled", "too busy; nothing was taken", headers=retry_after)
    if isinstance(error, TimedOut):
        return error_response(
            503, "timed_out", "no answer in time; sending it again is safe", headers=retry_after
        )
    if isinstance(error, Retryable | Fatal):
        return error_response(
            503, "unavailable", "cannot be reached; sending it again is safe", headers=retry_after
        )
    return _internal()


@web.middleware
async def errors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure of a handler in the one shape; a bug is logged and hidden.

    Also takes the caller's trace, or starts one, for the logs of this request.
    """
    trace.current.set(trace.parse(request.headers.get("traceparent")) or trace.new())
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _framework_error(error)
    except CadabraError as error:
        answer = response_of(error)
        if not isinstance(error, Denied | InvalidRecord | Retryable):
            log.error("failed", error=error, method=request.method, route=_route(request))
        return answer
    except ConnectionResetError:
        raise  # the client has gone: there is nobody to answer
    except Exception as error:  # noqa: BLE001 - a bug must not show itself to a client
        log.error("bug", error=error, method=request.method, route=_route(request))
        return _internal()


def _internal() -> web.Response:
    return error_response(500, "internal", "a fault of ours; it has been recorded")


def _framework_error(error: web.HTTPException) -> web.Response:
    phrase = HTTPStatus(error.status).phrase
    code = "too_large" if error.status == _TOO_LARGE else re.sub("[^a-z]+", "_", phrase.lower())
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return error_response(error.status, code, phrase, headers=headers)


def _route(request: web.Request) -> str:
    """The route's pattern, never the path: a path may name a customer."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
