"""What OpenSearch refuses, in the words of the platform's errors.

Its own words often quote the document, so a message names the kind of the error and nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from services.kernel.core.errors import (
    CadabraError,
    InvalidRecord,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TimedOut,
    Unavailable,
)

UNMAPPABLE = "unmappable"
TOO_LARGE = "too_large"
_EXPIRED = "security token included in the request is expired"


class MissingIndex(CadabraError):
    """The index does not exist and is not made by writing to it: make it, or leave it be, and say so."""

    def __init__(self, index: str) -> None:
        super().__init__(f"there is no index {index}")
        self.index = index


class WholeRefused(Refused):
    """OpenSearch refuses a request without taking it apart: it is too long, or something in it is against the rules."""

    def __init__(self, message: str, too_long: bool = False) -> None:
        super().__init__(message)
        self.too_long = too_long


class QueryRefused(Refused):
    """OpenSearch cannot make sense of a query; `reason` is its own sentence, which may quote the query."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Answer(msgspec.Struct):
    """What OpenSearch, or something in front of it, answered to one request."""

    status: int
    body: bytes

    def error(self) -> dict[str, Any]:
        """The error that it holds; empty where it holds none that can be read."""
        try:
            document = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}
        error = document.get("error") if isinstance(document, dict) else None
        return error if isinstance(error, dict) else {}

    def error_type(self) -> str:
        """Its kind, such as `index_not_found_exception`; "" where that cannot be read."""
        return str(self.error().get("type", ""))


def translate(answer: Answer, what: str) -> CadabraError:
    """Our error for a request that was answered with a failure.

    Args:
        what: the operation and what it was about, for the message.
    """
    status, kind = answer.status, answer.error_type()
    words = f"{what}: {kind or 'no error of OpenSearch'} (HTTP {status})"
    if kind == "index_not_found_exception":
        return MissingIndex(str(answer.error().get("index", what)))
    if status == 429:
        return Throttled(words)
    if status in (408, 504):
        return TimedOut(words)
    if status >= 500 or kind == "cluster_block_exception" or _expired(answer):
        return Unavailable(words)
    if status in (401, 403):
        return Misconfigured(words)
    if status == 413 or (status == 400 and kind):
        return WholeRefused(words, too_long=status == 413)
    return Refused(words)


def of_item(status: int, kind: str, index: str) -> InvalidRecord | Retryable | MissingIndex:
    """Our error for one document of a bulk request.

    Raises:
        Misconfigured, Refused: what no other document of this request would fare better with.
    """
    words = f"bulk {index}: {kind} (HTTP {status})"
    if kind == "index_not_found_exception":
        return MissingIndex(index)
    if status == 429:
        return Throttled(words)
    if status >= 500 or kind in ("cluster_block_exception", "index_closed_exception"):
        return Unavailable(words)
    if status in (401, 403):
        raise Misconfigured(words)
    if status == 400 and kind != "invalid_index_name_exception":
        return InvalidRecord(UNMAPPABLE, f"the index does not take this document ({kind})")
    raise Refused(words)


def _expired(answer: Answer) -> bool:
    # Source: the words of AWS for credentials that ran out on the way; the next request has new ones.
    return answer.status == 403 and _EXPIRED in answer.body[:2000].decode(errors="replace").lower()
