"""Escapes and encodings: what is kept says exactly what the log says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.log_shipper.apache_text import decode, readable, unquoted, written


def _apache(sent: bytes) -> str:
    """What Apache logs for bytes that somebody sent."""
    escapes = {ord(c): f"\\{e}" for c, e in zip('"\\\b\n\r\t\v', '"\\bnrtv', strict=True)}
    return "".join(escapes.get(b, chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}") for b in sent)


@given(st.binary())
def test_the_log_s_form_comes_back_from_what_is_kept(sent: bytes) -> None:
    logged = _apache(sent)
    assert written(unquoted(logged)) == logged


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (rb"a \"great\" browser", 'a "great" browser'),
        (rb"ends with \\", r"ends with \\"),
        (rb"\\\"", '\\\\"'),
        (rb"caf\xc3\xa9 \x16", r"caf\xc3\xa9 \x16"),
        ("café".encode(), "café"),
        ("café".encode("latin-1"), r"caf\xe9"),
        (b"a\x00b\x7fc\x85", r"a\x00b\x7fc\x85"),
        ("\u0085\u2028".encode(), r"\xc2\x85\xe2\x80\xa8"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    ],
)
def test_only_a_quote_is_read_back_and_what_is_no_text_is_escaped(line: bytes, kept: str) -> None:
    assert unquoted(decode(line)) == kept


@given(st.binary())
def test_no_control_character_is_left(line: bytes) -> None:
    assert not [
        c for c in readable(decode(line)) if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029"
    ]
