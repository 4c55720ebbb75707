"""What operators ask: bodies and parameters, checked. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from services.kernel.core import http_parameters
from services.kernel.core.errors import Detail, InvalidRecord
from services.kernel.core.http_parameters import InvalidParameter, matching

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_SILENCE_S = 30 * 24 * 3600

_T = TypeVar("_T", bound=Struct)
_INCIDENT_ID = re.compile(r"[0-9a-f]{32}\Z")
_MESSAGE_ID = re.compile(r"test-[0-9a-f]{32}\Z")
_SILENCE_ID = re.compile(r"[0-9a-f]{32}\Z")
_CURSOR = re.compile(r"[0-9TZ:.-]{24}#([0-9a-f]{32})\Z")
_AT = re.compile(r"`\$\.?([^`]*)`")
_PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f]+\Z"
_KEY = r"^(total|country:[^\u0000-\u001f\u007f-\u009f]+)\Z"


class SilenceRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of a new silence."""

    duration_s: Annotated[float, Meta(ge=60, le=MAX_SILENCE_S)]
    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=_PRINTABLE)]
    rule: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]{0,63}\Z")] | None = None
    key: Annotated[str, Meta(min_length=1, max_length=72, pattern=_KEY)] | None = None
    direction: Literal["surge", "drop", "silence"] | None = None


class TestRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of a test message: which severity's channels are tried."""

    severity: Literal["warning", "critical"] = "warning"


def silence_request(data: bytes) -> SilenceRequest:
    """Read the body of a new silence.

    Raises:
        InvalidRecord: `invalid_json` or `contract_violation`, with the fault's pointer.
    """
    asked = _body(data, SilenceRequest)
    if asked.rule is None and asked.key is None and asked.direction is None:
        fault = Detail("", "at least one of rule, key and direction")
        raise InvalidRecord("contract_violation", "a silence of everything is not taken", [fault])
    return asked


def test_request(data: bytes) -> TestRequest:
    """Read the body of a test message; none is a warning's."""
    return _body(data or b"{}", TestRequest)


def _body(data: bytes, type_: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise InvalidRecord("contract_violation", "the body is not valid", [_fault(str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRecord("invalid_json", "the body is not JSON") from None


def _fault(words: str) -> Detail:
    found = _AT.search(words)
    pointer = "/" + found[1].replace(".", "/") if found and found[1] else ""
    return Detail(pointer, words.partition(" - at ")[0])


def incident_id(text: str) -> str:
    """An incident's id in an address."""
    return matching("incident_id", _INCIDENT_ID, text, "32 hexadecimal digits")


def message_id(text: str) -> str:
    """A test message's id in an address."""
    return matching("message_id", _MESSAGE_ID, text, "the id that a test message was answered with")


def silence_id(text: str) -> str:
    """A silence's id in an address."""
    return matching("silence_id", _SILENCE_ID, text, "32 hexadecimal digits")


def listed_state(text: str | None) -> str:
    """The list that is asked for."""
    if text not in (None, "firing", "resolved"):
        raise InvalidParameter("state", "firing or resolved")
    return text or "firing"


def limit(text: str | None) -> int:
    """How many incidents a page holds at most."""
    return http_parameters.limit(text, default=DEFAULT_LIMIT, maximum=MAX_LIMIT)


def cursor_of(start_key: dict[str, Any] | None) -> str | None:
    """Where the next page starts, for the address of the next request."""
    if start_key is None:
        return None
    return base64.urlsafe_b64encode(start_key["started_sort"]["S"].encode()).rstrip(b"=").decode()


def start_key(cursor: str | None, state: str) -> dict[str, Any] | None:
    """Where the page of a cursor starts; operators may see every incident, so that it needs no signature.

    Raises:
        InvalidParameter: it is not one of ours.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    found = _CURSOR.match(text)
    if found is None:
        raise InvalidParameter("cursor", "`next_cursor` of the page before")
    return {"list": {"S": state}, "started_sort": {"S": text}, "incident_id": {"S": found[1]}}
