"""Only we make cursors, each for one customer and one day; secrets rotate without breaking one."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.errors import Misconfigured
from services.storefront.cursors import LIFETIME_S, MAX_CURSOR_CHARS, InvalidCursor, opened, signed
from services.storefront.secret_file import SecretFile

OLD, NEW = b"o" * 32, b"n" * 32
POSITION = "2011-11-20T10:00:00.000Z#shop#536365"
NOW_S = 1_700_000_000.0


def test_a_cursor_comes_back_for_its_customer_only() -> None:
    cursor = signed(NEW, "17850", POSITION, NOW_S)
    assert opened([NEW], "17850", cursor, NOW_S) == POSITION
    with pytest.raises(InvalidCursor):
        opened([NEW], "17851", cursor, NOW_S)


def test_a_cursor_lives_for_a_day() -> None:
    cursor = signed(NEW, "17850", POSITION, NOW_S)
    assert opened([NEW], "17850", cursor, NOW_S + LIFETIME_S) == POSITION
    with pytest.raises(InvalidCursor, match="expired"):
        opened([NEW], "17850", cursor, NOW_S + LIFETIME_S + 1)


def test_secrets_rotate_the_first_signs_all_verify() -> None:
    cursor = signed(OLD, "17850", POSITION, NOW_S)
    assert opened([NEW, OLD], "17850", cursor, NOW_S) == POSITION
    with pytest.raises(InvalidCursor):
        opened([NEW], "17850", cursor, NOW_S)


@given(st.data())
def test_no_altered_cursor_is_taken(data: st.DataObject) -> None:
    sealed = bytearray(base64.urlsafe_b64decode(signed(NEW, "17850", POSITION, NOW_S) + "=="))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    forged = base64.urlsafe_b64encode(bytes(sealed)).rstrip(b"=").decode()
    with pytest.raises(InvalidCursor):
        opened([NEW], "17850", forged, NOW_S)


@given(st.text(max_size=600))
def test_no_text_is_taken_or_breaks_the_reader(text: str) -> None:
    with pytest.raises(InvalidCursor):
        opened([NEW], "17850", text, NOW_S)


def test_one_cursor_has_one_spelling() -> None:
    cursor = signed(NEW, "17850", POSITION + "x", NOW_S)
    for other in (cursor + "=", cursor.replace("-", "+").replace("_", "/") + "\n", cursor + "AAAA"):
        with pytest.raises(InvalidCursor):
            opened([NEW], "17850", other, NOW_S)


def test_the_longest_position_fits() -> None:
    position = "2011-11-20T10:00:00.000Z#" + "s" * 64 + "#" + "o" * 64
    assert len(signed(NEW, "c" * 64, position, NOW_S)) <= MAX_CURSOR_CHARS


def test_a_changed_secret_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cursor-secret"
    path.write_bytes(OLD + b"\n")
    file = SecretFile(path)
    assert file.secrets() == (OLD,)
    path.write_bytes(NEW + b"\n" + OLD + b"\n")
    os.utime(path, ns=(1, 1))
    assert file.secrets() == (NEW, OLD)


def test_a_secret_file_that_breaks_later_leaves_the_secrets_in_force(tmp_path: Path) -> None:
    path = tmp_path / "cursor-secret"
    path.write_bytes(OLD)
    file = SecretFile(path)
    path.write_bytes(b"short")
    assert file.secrets() == (OLD,)
    path.unlink()
    assert file.secrets() == (OLD,)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"short\n", NEW + b"\nshort"])
def test_a_useless_secret_file_is_told_at_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cursor-secret"
    path.write_bytes(content)
    with pytest.raises(Misconfigured):
        SecretFile(path)
    with pytest.raises(Misconfigured):
        SecretFile(tmp_path / "none")
