"""Why a request, or an order in a batch, is not taken."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from aiohttp import web

from services.kernel.core.errors import CadabraError, Detail, Retryable, TimedOut
from services.kernel.core.http import RETRY_AFTER_S, error_body, error_response


class Refusal(Exception):
    """An answer that is no 202.

    Args:
        status: HTTP status.
        code: stable.
        message: one sentence for people, without the body's content.
        details: every fault with its JSON Pointer.
        order_id: the order's own, as far as it can be told; for the answer line of a batch.
        retry_after_s: when it may work; None if it never will.
        close: whether the connection ends with it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Detail] = (),
        *,
        order_id: str | None = None,
        retry_after_s: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.details = status, code, message, tuple(details)
        self.order_id = order_id
        self.retry_after_s = retry_after_s
        self.close = close

    def response(self) -> web.Response:
        """The answer to a whole request."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        answer = error_response(self.status, self.code, self.message, self.details, headers)
        if self.close:
            answer.force_close()
        return answer

    def line(self) -> bytes:
        """The answer line in a batch; without an order_id where the order's own cannot be told."""
        known = {} if self.order_id is None else {"order_id": self.order_id}
        answer = {**known, "status": self.status, **error_body(self.code, self.message, self.details)}
        return json.dumps(answer).encode() + b"\n"


def not_stored(error: CadabraError, order_id: str) -> Refusal:
    """The refusal that a failed put means: 503, and sending the order again is always safe.

    Raises:
        CadabraError: `error` itself, where it is a fault of ours.
    """
    if not isinstance(error, Retryable):
        raise error
    timed_out = isinstance(error, TimedOut)
    message = "no answer from the stream in time" if timed_out else "the stream cannot take the order now"
    return Refusal(
        503,
        "timed_out" if timed_out else "unavailable",
        f"{message}; nothing was acknowledged, sending the order again is safe",
        order_id=order_id,
        retry_after_s=RETRY_AFTER_S,
    )
