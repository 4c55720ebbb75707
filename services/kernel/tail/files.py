"""One file, followed from a position whose content before it is proven to be the same as ever."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from services.kernel.core.errors import CadabraError
from services.kernel.tail.discovery import Signature
from services.kernel.tail.lines import Line, LineSplitter
from services.kernel.tail.prefix import START, Mark, PrefixHash

_VERIFY_BLOCK_BYTES = 4 * 1024 * 1024
_SEAM_BYTES = 4096
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileChanged(CadabraError):
    """The bytes before the position are not those that were read: this is another file under the same name.

    Args:
        expected: the mark that was read up to.
        found_sha256: hash of as many bytes of the present file.
        head: the present file's first bytes, at most 4096.
    """

    def __init__(self, expected: Mark, found_sha256: str, head: bytes) -> None:
        super().__init__(f"other bytes before offset {expected.offset}")
        self.expected = expected
        self.found_sha256 = found_sha256
        self.head = head


class FileShort(CadabraError):
    """The file ends before the position: it is being copied again, or it is another one; nothing was read.

    Args:
        expected: the mark that was read up to.
        size_bytes: how long the file is now.
        head: its first bytes, at most 4096.
    """

    def __init__(self, expected: Mark, size_bytes: int, head: bytes) -> None:
        super().__init__(f"{size_bytes} bytes, fewer than the {expected.offset} that were read")
        self.expected = expected
        self.size_bytes = size_bytes
        self.head = head


class FileReplaced(CadabraError):
    """The file was rewritten, replaced or cut under the reader: verify again from the last durable position."""


class FileVanished(CadabraError):
    """The name is gone, or is no regular file any more."""


class FileTail:
    """Reads complete lines of one file; the file is open between `open` and `close` only.

    Memory: one block, one unfinished line and the bytes since the last mark. Blocking calls run in threads.

    Args:
        path: the file; a link in its last component is never followed.
        max_line_bytes: see LineSplitter.
        block_bytes: how much one `next_lines` reads at most.
    """

    def __init__(self, path: Path, *, max_line_bytes: int = 65_536, block_bytes: int = 65_536) -> None:
        self._path = path
        self._max_line_bytes = max_line_bytes
        self._block_bytes = block_bytes
        self._fd = -1
        self._seam = b""
        self._prefix = PrefixHash()
        self._lines = LineSplitter(0, max_line_bytes)
        self.signature = Signature(0, 0, 0, 0)

    @property
    def read_offset(self) -> int:
        """How many bytes of the file were read."""
        return self._lines.read_offset

    @property
    def unfinished_bytes(self) -> int:
        """Length of the last line, whose end has not been written yet."""
        return self._lines.read_offset - self._lines.line_start

    async def open(self, at: Mark = START) -> None:
        """Opens the file and proves that the bytes before the mark are the ones it was taken over.

        Raises:
            FileVanished, FileShort, FileChanged: see there; the file is closed again.
            OSError: it cannot be read; try again later.
        """
        self.close()
        try:
            self._fd = await asyncio.to_thread(self._open_regular)
            await self._verify(at)
        except BaseException:
            self.close()
            raise

    async def next_lines(self) -> list[Line]:
        """Reads the next block and returns the lines that it completes; [] at the end or inside a long line.

        Raises:
            FileReplaced, FileVanished: see there; call `open` again with the last durable mark.
            OSError: the read failed; likewise.
        """
        before = self._lines.read_offset
        data = await asyncio.to_thread(self._read_block)
        if not data:
            return []
        self._prefix.feed(data)
        self._seam = (self._seam + data)[-_SEAM_BYTES:]
        lines = self._lines.feed(data)
        if self._lines.overflowing and self._lines.line_start < before and not lines:
            self._prefix.absorb()
        return lines

    def mark(self, offset: int) -> Mark:
        """Returns the mark at a line start of the last block; offsets only rise from call to call."""
        return self._prefix.mark(offset)

    def mark_line_start(self) -> Mark:
        """Returns the mark at the start of the unfinished line; call it after the lines of a block are done."""
        return self._prefix.mark(self._lines.line_start)

    def close(self) -> None:
        """Closes the file; harmless when it is closed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open_regular(self) -> int:
        try:
            fd = os.open(self._path, _OPEN_FLAGS)
        except FileNotFoundError as error:
            raise FileVanished(self._path.name) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FileVanished(f"{self._path.name} is no regular file")
        return fd

    async def _verify(self, at: Mark) -> None:
        status = os.fstat(self._fd)
        self.signature = Signature.of(status)
        self._prefix = PrefixHash()
        self._seam = b""
        if status.st_size < at.offset:
            raise FileShort(at, status.st_size, os.pread(self._fd, _SEAM_BYTES, 0))
        offset = 0
        while offset < at.offset:
            size = min(_VERIFY_BLOCK_BYTES, at.offset - offset)
            data = await asyncio.to_thread(self._hash_block, size, offset)
            if not data:
                raise FileShort(at, offset, os.pread(self._fd, _SEAM_BYTES, 0))
            offset += len(data)
            self._seam = (self._seam + data)[-_SEAM_BYTES:]
        found = self._prefix.mark(at.offset)
        if found != at:
            raise FileChanged(at, found.sha256, os.pread(self._fd, _SEAM_BYTES, 0))
        self._lines = LineSplitter(at.offset, self._max_line_bytes)

    def _hash_block(self, size_bytes: int, offset: int) -> bytes:
        data = os.pread(self._fd, size_bytes, offset)
        self._prefix.feed(data)
        self._prefix.absorb()
        return data

    def _read_block(self) -> bytes:
        """Reads on, after a look at whether this is still the same file with the same end of what was read."""
        try:
            named = os.lstat(self._path)
        except FileNotFoundError as error:
            raise FileVanished(self._path.name) from error
        status = os.fstat(self._fd)
        now, before, offset = Signature.of(status), self.signature, self._lines.read_offset
        if (named.st_dev, named.st_ino) != (now.device, now.inode):
            raise FileReplaced("another file has the name")
        if now.size_bytes < offset:
            raise FileReplaced("shorter than what was read")
        if now.size_bytes == offset:
            if now != before and now.size_bytes == before.size_bytes:
                raise FileReplaced("written without growing")
            self.signature = now
            return b""
        data = os.pread(self._fd, len(self._seam) + self._block_bytes, offset - len(self._seam))
        if not data.startswith(self._seam):
            raise FileReplaced("other bytes before the read position")
        self.signature = now
        return data[len(self._seam) :]
