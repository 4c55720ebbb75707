"""Bytes into complete lines, each with its place in the file, whatever the pieces the bytes come in."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line of a file.

    Args:
        offset: where its first byte is, counted from the start of the file.
        text: its bytes without the newline; only the first ones when the line is too long.
        end: offset of the byte after its newline, so of the next line.
        ended: whether it has its newline; False for a last line that nobody writes on.
    """

    offset: int
    text: bytes
    end: int
    ended: bool = True

    @property
    def size_bytes(self) -> int:
        """Length of the line in the file, without its newline."""
        return self.end - self.offset - self.ended

    @property
    def too_long(self) -> bool:
        """Whether `text` is only the beginning."""
        return self.size_bytes > len(self.text)


class LineSplitter:
    """Gives the same lines for the same bytes, however they are cut and wherever at a line start it begins.

    It holds at most one unfinished line, of which it keeps no more than `max_line_bytes`.

    Args:
        offset: where in the file the first byte fed will be; the start of a line.
        max_line_bytes: longer lines (newline not counted) are given with this many of their first bytes.
    """

    def __init__(self, offset: int, max_line_bytes: int) -> None:
        self._start = offset
        self._read = offset
        self._rest = b""
        self._overflowing = False
        self._max_line_bytes = max_line_bytes

    @property
    def line_start(self) -> int:
        """Offset of the line that has not ended yet."""
        return self._start

    @property
    def read_offset(self) -> int:
        """Offset after the last byte fed."""
        return self._read

    @property
    def overflowing(self) -> bool:
        """Whether the unfinished line is already too long, so that its further bytes are dropped."""
        return self._overflowing

    def feed(self, data: bytes) -> list[Line]:
        """Takes the next bytes of the file and returns the lines that they complete, in file order."""
        self._read += len(data)
        lines: list[Line] = []
        if self._overflowing:
            data = self._end_overflow(data, lines)
        if not data:
            return lines
        self._split(data, lines)
        return lines

    def end_line(self) -> Line | None:
        """Gives up waiting for the newline of the unfinished line: what follows is a line of its own.

        Returns:
            The line, None when nothing is unfinished.
        """
        if self._start == self._read:
            return None
        line = Line(self._start, self._rest, self._read, ended=False)
        self._start, self._rest, self._overflowing = self._read, b"", False
        return line

    def _end_overflow(self, data: bytes, lines: list[Line]) -> bytes:
        newline = data.find(b"\n")
        if newline < 0:
            return b""
        end = self._read - len(data) + newline + 1
        lines.append(Line(self._start, self._rest, end))
        self._start, self._rest, self._overflowing = end, b"", False
        return data[newline + 1 :]

    def _split(self, data: bytes, lines: list[Line]) -> None:
        texts = (self._rest + data).split(b"\n")
        self._rest = texts.pop()
        offset, limit = self._start, self._max_line_bytes
        for text in texts:
            end = offset + len(text) + 1
            lines.append(Line(offset, text[:limit], end))
            offset = end
        self._start = offset
        if len(self._rest) > limit:
            self._rest, self._overflowing = self._rest[:limit], True
