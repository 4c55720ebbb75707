"""The same bytes give the same lines, however they arrive and wherever reading begins again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.tail.lines import Line, LineSplitter

MAX_LINE_BYTES = 8
contents = st.binary(max_size=120).map(lambda data: data.replace(b"\x01", b"\n").replace(b"\x02", b"\n"))
newline_rich = st.lists(st.sampled_from([b"\n", b"a", b"\r\n", b"bcd", b"0123456789"]), max_size=40).map(
    b"".join
)
cuts = st.lists(st.integers(1, 30), min_size=1, max_size=20)


def expected(content: bytes) -> list[Line]:
    """The plain reading of the whole file at once."""
    lines, offset = [], 0
    for text in content.split(b"\n")[:-1]:
        lines.append(Line(offset, text[:MAX_LINE_BYTES], offset + len(text) + 1))
        offset += len(text) + 1
    return lines


def pieces(content: bytes, sizes: list[int]) -> list[bytes]:
    """The content cut into pieces of these sizes, over and over."""
    cut, at, turn = [], 0, 0
    while at < len(content):
        cut.append(content[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    return cut


@given(st.one_of(contents, newline_rich), cuts)
def test_any_chunks_give_the_same_lines(content: bytes, sizes: list[int]) -> None:
    splitter = LineSplitter(0, MAX_LINE_BYTES)
    lines = [line for piece in pieces(content, sizes) for line in splitter.feed(piece)]
    assert lines == expected(content)
    assert splitter.read_offset == len(content)
    assert splitter.line_start == (lines[-1].end if lines else 0)


@given(st.one_of(contents, newline_rich), cuts, st.data())
def test_a_restart_at_any_line_start_gives_the_rest(
    content: bytes, sizes: list[int], data: st.DataObject
) -> None:
    whole = expected(content)
    begun = data.draw(st.integers(0, len(whole)))
    offset = whole[begun].offset if begun < len(whole) else (whole[-1].end if whole else 0)
    splitter = LineSplitter(offset, MAX_LINE_BYTES)
    lines = [line for piece in pieces(content[offset:], sizes) for line in splitter.feed(piece)]
    assert lines == whole[begun:]


def test_a_line_of_the_limit_is_whole_and_one_byte_more_is_too_long() -> None:
    whole, cut = LineSplitter(0, 4).feed(b"abcd\nabcde\n")
    assert (whole.too_long, whole.text) == (False, b"abcd")
    assert (cut.too_long, cut.text, cut.size_bytes) == (True, b"abcd", 5)


def test_an_endless_line_is_held_by_its_first_bytes_only() -> None:
    splitter = LineSplitter(0, 4)
    for _ in range(100):
        assert splitter.feed(b"x" * 1000) == []
    assert splitter.overflowing
    assert splitter.line_start == 0
    long, after = splitter.feed(b"x\nok\n")
    assert (long.text, long.end) == (b"xxxx", 100_002)
    assert after == Line(100_002, b"ok", 100_005)
