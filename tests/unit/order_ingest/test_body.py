"""Bodies and lines as they come: cut anywhere, too long, too slow."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiohttp.streams import StreamReader
from hypothesis import given
from hypothesis import strategies as st

from services.order_ingest import body
from services.order_ingest.body import MAX_BODY_BYTES, OverlongLine, Pace, TooLarge, TooSlow

PACE = Pace(grace_s=5.0, min_bytes_per_s=1000, idle_s=5.0)
HASTY = Pace(grace_s=0.05, min_bytes_per_s=1_000_000, idle_s=0.05)


class Chunks:
    """A client's bytes in the pieces that they come in; after them the end, or nothing any more."""

    def __init__(self, chunks: tuple[bytes, ...], end: bool) -> None:
        self._chunks = list(chunks)
        self._end = end

    def is_eof(self) -> bool:
        return False

    async def readany(self) -> bytes:
        await asyncio.sleep(0)
        if not self._chunks and not self._end:
            await asyncio.Event().wait()
        return self._chunks.pop(0) if self._chunks else b""


def stream(*chunks: bytes, end: bool = True) -> StreamReader:
    return cast(StreamReader, Chunks(chunks, end))


async def lines_of(*chunks: bytes, pace: Pace = PACE, end: bool = True) -> list[Any]:
    return [line async for lines in body.read_lines(stream(*chunks, end=end), pace) for line in lines]


@given(
    lines=st.lists(
        st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line and line.strip())
    ),
    cuts=st.lists(st.integers(1, 40), min_size=1),
    last_newline=st.booleans(),
)
async def test_lines_do_not_hang_on_where_the_bytes_are_cut(
    lines: list[bytes], cuts: list[int], last_newline: bool
) -> None:
    whole = b"\n".join(lines) + (b"\n" if last_newline else b"")
    chunks: list[bytes] = []
    at = 0
    while at < len(whole):
        step = cuts[len(chunks) % len(cuts)]
        chunks.append(whole[at : at + step])
        at += step
    assert await lines_of(*chunks) == lines


async def test_empty_lines_are_left_out() -> None:
    assert await lines_of(b"\n\na\r\n \n\nb\n\n") == [b"a\r", b"b"]


async def test_an_overlong_line_is_told_once_and_the_next_is_read() -> None:
    half = b"x" * (MAX_BODY_BYTES // 2 + 1)
    found = await lines_of(b"a\n", half, half, half, b"y\nb\n", half, half + b"\nc")
    assert found == [b"a", OverlongLine(), b"b", OverlongLine(), b"c"]


async def test_a_line_of_exactly_the_bound_is_taken() -> None:
    assert [len(line) for line in await lines_of(b"x" * MAX_BODY_BYTES + b"\nab")] == [MAX_BODY_BYTES, 2]


@pytest.mark.parametrize("chunks", [(), (b"a\n",), (b"a\nhalf a li",)])
async def test_who_stops_in_a_batch_is_too_slow(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(TooSlow):
        await lines_of(*chunks, pace=HASTY, end=False)


async def test_a_body_that_stops_is_too_slow() -> None:
    with pytest.raises(TooSlow):
        await body.read_body(stream(b"half", end=False), HASTY)


async def test_a_body_past_the_bound_is_too_large() -> None:
    with pytest.raises(TooLarge):
        await body.read_body(stream(b"x" * MAX_BODY_BYTES, b"y", end=False), PACE)
    assert len(await body.read_body(stream(b"x" * MAX_BODY_BYTES), PACE)) == MAX_BODY_BYTES
