"""Parameters of a request: the checks that services share, and the one fault that they all raise. Pure."""

from __future__ import annotations

import re

_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,8}\Z")


class InvalidParameter(Exception):
    """A parameter of the request is not what the specification says: 400 `invalid_parameter`.

    Args:
        name: of the parameter, as the address has it.
        reason: what it should be, for people.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.name = name
        self.reason = reason


def matching(name: str, pattern: re.Pattern[str], text: str, reason: str) -> str:
    """Give back a text that matches from its beginning on; the pattern says where it ends.

    Raises:
        InvalidParameter: it does not match.
    """
    if pattern.match(text) is None:
        raise InvalidParameter(name, reason)
    return text


def limit(text: str | None, *, default: int, maximum: int) -> int:
    """Read how many things a page may hold.

    Args:
        text: the parameter as given, None where it was left out.
        maximum: inclusive, below a billion.

    Raises:
        InvalidParameter: it is no whole number from 1 to `maximum`.
    """
    if text is None:
        return default
    if _WHOLE_NUMBER.match(text) is None or int(text) > maximum:
        raise InvalidParameter("limit", f"a whole number from 1 to {maximum}")
    return int(text)
