"""Text as Apache writes it: which escapes are read, and what becomes of bytes that are no text.

Apache writes `"` as `\\"`, `\\` as `\\\\` and whatever is not printable ASCII as `\\n`, `\\t` or `\\xHH`. Only `\\"` is
read back. The rest stays as it stands: were `\\\\` read as `\\`, nobody could tell a sent `\\x41` from an escaped
byte. So a kept text says exactly what the log says, and `written` gives the log's form back.

Source: `ap_escape_logitem`, Apache httpd 2.4, server/util.c.
"""

from __future__ import annotations

import re

_ESCAPED_QUOTE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def decode(line: bytes) -> str:
    """Read a line as UTF-8; a byte that is none stands as `\\xHH`, as Apache itself would have escaped it."""
    return line.decode("utf-8", "backslashreplace")


def readable(text: str) -> str:
    """Write control characters as Apache does, `\\xHH` for each of their UTF-8 bytes."""
    return text if text.isprintable() else _CONTROL.sub(_escape, text)


def unquoted(text: str) -> str:
    r"""Read `\"` as `"`; every other escape stays as it is, and control characters are made readable."""
    text = readable(text)
    return _ESCAPED_QUOTE.sub(_unescape, text) if '\\"' in text else text


def written(text: str) -> str:
    r"""Give the form that Apache logs for what `unquoted` returned: `"` is `\"` again."""
    return text.replace('"', '\\"')


def _escape(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match.group().encode("utf-8"))


def _unescape(match: re.Match[str]) -> str:
    return '"' if match.group(1) == '"' else match.group()
