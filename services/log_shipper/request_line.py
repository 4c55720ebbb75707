"""The request line and its target, taken apart as HTTP defines them.

Source: RFC 9112, 3 (request line) and 3.2 (origin, absolute, authority and asterisk form of a target).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_REQUEST = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\s]+) HTTP/([0-9]{1,3}(?:\.[0-9]{1,3})?)")
# HTTP/0.9 knew neither versions nor any target but a path.
_OLD_REQUEST = re.compile(r"([A-Z]+) (/[^\s]*)")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::[0-9]*)?")


class Target(NamedTuple):
    """A request's target; what it does not name is None."""

    path: str | None
    query: str | None
    domain: str | None


class RequestLine(NamedTuple):
    """A request line that is method, target and version; HTTP/0.9 has no version."""

    method: str
    target: str
    version: str | None


def request_line(text: str) -> RequestLine | None:
    """Take a request line apart.

    Returns:
        None where it is not a method, one target and a version: scans, binary, another protocol.
    """
    match = _REQUEST.fullmatch(text)
    if match is not None:
        return RequestLine(match[1], match[2], match[3])
    match = _OLD_REQUEST.fullmatch(text)
    return None if match is None else RequestLine(match[1], match[2], None)


def target_parts(method: str, target: str) -> Target:
    """Split a target into path, query without its question mark, and the host in lower case without port."""
    if target.startswith("/"):
        return _path_and_query(target, None)
    if target == "*":
        return Target(None, None, None)
    if method == "CONNECT":
        return Target(None, None, _host(target))
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return _path_and_query(target, None)
    return _path_and_query(absolute[2], _host(absolute[1]))


def _path_and_query(text: str, domain: str | None) -> Target:
    path, mark, query = text.partition("?")
    return Target(path or None, query if mark else None, domain)


def _host(authority: str) -> str | None:
    match = _AUTHORITY.fullmatch(authority)
    return (match[1].strip("[]").lower() or None) if match is not None else authority.lower()
