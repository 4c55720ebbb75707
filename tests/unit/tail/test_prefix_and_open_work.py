"""Marks prove the content before them; the position never passes what is open."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.tail.open_work import OpenWork
from services.kernel.tail.prefix import START, Mark, PrefixHash


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=10), st.integers(1, 50))
def test_marks_are_the_hash_of_everything_before(content: bytes, offsets: list[int], piece: int) -> None:
    prefix, fed = PrefixHash(), 0
    for offset in sorted(min(one, len(content)) for one in offsets):
        while fed < offset:
            prefix.feed(content[fed : fed + piece])
            fed = min(fed + piece, len(content))
        assert prefix.mark(offset) == Mark(offset, hashlib.sha256(content[:offset]).hexdigest())


def test_absorbed_bytes_leave_the_last_mark_and_what_comes_after() -> None:
    prefix = PrefixHash()
    prefix.feed(b"line\nlong")
    start = prefix.mark(5)
    prefix.feed(b"er and longer")
    prefix.absorb()
    assert prefix.mark(5) == start
    with pytest.raises(ValueError, match="no mark at 7"):
        prefix.mark(7)
    prefix.feed(b"\n")
    assert prefix.mark(23) == Mark(23, hashlib.sha256(b"line\nlonger and longer\n").hexdigest())


@given(st.integers(0, 2**32))
def test_the_position_is_the_first_open_piece_and_never_moves_back(seed: int) -> None:
    rng = random.Random(seed)
    work, open_now, offset, last = OpenWork(START), set[int](), 0, 0
    for _ in range(100):
        if open_now and rng.random() < 0.5:
            ended = rng.choice(sorted(open_now))
            open_now.remove(ended)
            work.end(ended)
        else:
            offset += rng.randint(1, 9)
            work.begin(Mark(offset, ""))
            open_now.add(offset)
        assert work.position.offset == min(open_now, default=offset)
        assert work.position.offset >= last
        last = work.position.offset


def test_lines_without_a_piece_are_passed_once_nothing_before_is_open() -> None:
    work = OpenWork(START)
    work.begin(Mark(10, ""))
    work.reach(Mark(30, ""))
    assert work.position == Mark(10, "")
    work.end(10)
    assert work.position == Mark(30, "")
    assert len(work) == 0
