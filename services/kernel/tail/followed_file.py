"""One log file that is followed: read on through an open descriptor, whatever its name is by then."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from dataclasses import dataclass, replace

from services.kernel.core.errors import CadabraError
from services.kernel.tail.generations import (
    HEAD_BYTES,
    MIN_HEAD_BYTES,
    SEAM_BYTES,
    Generation,
    Key,
    Place,
    is_of,
    seam_before,
    tells_apart,
)
from services.kernel.tail.lines import Line, LineSplitter
from services.kernel.tail.open_work import OpenWork

_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_GROWTH_NOTES = 64


class ContentChanged(CadabraError):
    """The file has no longer the bytes that were read: it was truncated, or its inode is another file's now."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines of one generation, to be made durable together.

    Args:
        generation: whose lines they are.
        lines: at least one, in the order of the file.
        start: names the chunk when it is done.
        size_bytes: how much of the file was read for it.
    """

    generation: Generation
    lines: list[Line]
    start: int
    size_bytes: int


def open_for_reading(path: str) -> int:
    """Opens a file without waiting for anything and without following a link in its last part."""
    return os.open(path, _OPEN_FLAGS)


class FollowedFile:
    """Reads one generation; says what of it is durable and what its file looks like now.

    Args:
        generation: as stored, or just made.
        stored: whether it is durable.
        max_line_bytes: see LineSplitter.
        now: monotonic seconds.
    """

    def __init__(self, generation: Generation, *, stored: bool, max_line_bytes: int, now: float) -> None:
        self.generation = generation
        self.durable_head = generation.head_bytes if stored else 0
        self.durable_cut = generation.cut if stored else 0
        self.path = generation.path
        self.fd = -1
        self.verified = False
        self.changed = False
        self.unreadable = False
        self.renamed = False
        self.deleted = False
        self.looked_at = False  # in this run, so that a rotation of long ago is not counted
        self.size_bytes = 0
        self.changed_ns = 0
        self.quiet_since = now
        self.last_read = now
        self.head = b""
        self._seam = b""
        self._lines = LineSplitter(generation.place.offset, max_line_bytes)
        self._work = OpenWork(generation.place)
        self._line_place = generation.place
        self._growth: deque[tuple[int, float]] = deque()

    @property
    def key(self) -> Key:
        """Which file it is now."""
        return self.generation.key

    @property
    def read_offset(self) -> int:
        """How many bytes were read."""
        return self._lines.read_offset

    @property
    def unfinished(self) -> bool:
        """Whether a line was begun whose newline was not read."""
        return self._lines.line_start < self._lines.read_offset

    @property
    def at_end(self) -> bool:
        """Whether everything that the last look saw was read."""
        return self._lines.read_offset >= self.size_bytes

    @property
    def known_bytes(self) -> int:
        """How long it is at least while it is the same."""
        return max(self.read_offset, len(self.head))

    @property
    def can_be_found_again(self) -> bool:
        """Whether it may be closed: it is found by its name, or needs not be."""
        return self.generation.finished or not (self.deleted or self.renamed)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is on its way."""
        return not len(self._work)

    @property
    def position(self) -> Place:
        """Everything before it is durable where it had to go."""
        return self._work.position

    def snapshot(self) -> Generation:
        """The generation as it is to be stored."""
        return replace(self.generation, place=self._work.position)

    def open(self, path: str) -> bool:
        """Opens it under this name and proves that it has the bytes that were read; no effect where it is open.

        Returns:
            False where the name leads to another file by now, or to none: look again.

        Raises:
            ContentChanged: the inode is the same and the bytes are not; it is closed.
            OSError: it cannot be read; try again later.
        """
        if self.fd >= 0:
            return True
        try:
            fd = open_for_reading(path)
        except FileNotFoundError:
            return False
        try:
            if Key.of(os.fstat(fd)) != self.key:
                os.close(fd)
                return False
            if not self._proves(fd):
                raise ContentChanged(path)
        except BaseException:
            os.close(fd)
            raise
        self.adopt(fd, path, self.key)
        return True

    def adopt(self, fd: int, path: str, key: Key) -> None:
        """Goes on in this open file, which was proven to hold what was read: the same one, or a copy."""
        self.close()
        self.fd, self.path = fd, path
        self.generation = replace(self.generation, key=key, gone=False)
        self.unreadable = self.changed = self.deleted = False
        if not self.verified:
            self.head = os.pread(fd, self.generation.head_bytes, 0)
            self._seam = seam_before(fd, self.read_offset)
            self.verified = True

    def is_continued_by(self, fd: int) -> bool:
        """Says whether another open file is a copy: it has all that was read, and that is enough to tell logs apart."""
        return self._proves(fd) and tells_apart(os.pread(fd, self.generation.head_bytes, 0))

    def intact(self) -> bool:
        """Says whether the open file still has the bytes that were read."""
        return self._proves(self.fd)

    def _proves(self, fd: int) -> bool:
        if not self.verified:
            return is_of(self.generation, fd)
        if os.fstat(fd).st_size < self.known_bytes:
            return False
        same_head = os.pread(fd, len(self.head), 0) == self.head
        return same_head and seam_before(fd, self.read_offset) == self._seam

    def note_size(self, status: os.stat_result, now: float) -> None:
        """Takes down how long the file is; the caller has seen that it did not shrink."""
        if status.st_size > self.size_bytes:
            self.quiet_since = now
            self._growth.append((status.st_size, now))
            if len(self._growth) > _MAX_GROWTH_NOTES:
                self._merge_growth()
            if self.generation.finished and status.st_size > self.read_offset:
                self.generation = replace(self.generation, finished=False)
        elif status.st_size < self.size_bytes:
            self._growth.clear()  # a copy that is shorter than what was read of its original
        self.size_bytes, self.changed_ns = status.st_size, status.st_mtime_ns

    def unread_since(self) -> float | None:
        """When the oldest byte that is not durable yet was first seen; never later than that. None for no such byte."""
        offset = self.position.offset
        while self._growth and self._growth[0][0] <= offset:
            self._growth.popleft()
        return self._growth[0][1] if self._growth else None

    def _merge_growth(self) -> None:
        pairs = list(self._growth)
        self._growth = deque(
            (later[0], earlier[1]) for earlier, later in zip(pairs[::2], pairs[1::2], strict=False)
        )
        if len(pairs) % 2:
            self._growth.append(pairs[-1])

    def grow_head(self) -> bool:
        """Lets the fingerprint cover what the file has by now, up to 1,024 bytes; says whether it grew.

        Raises:
            ContentChanged: the bytes that it covered are others now.
        """
        if len(self.head) >= min(HEAD_BYTES, self.size_bytes):
            return False
        head = os.pread(self.fd, min(HEAD_BYTES, self.size_bytes), 0)
        if not head.startswith(self.head) or len(head) < self.read_offset < HEAD_BYTES:
            raise ContentChanged(self.path)
        grown = len(head) > len(self.head)
        self.head = head
        digest = hashlib.sha256(head).hexdigest()
        self.generation = replace(self.generation, head_bytes=len(head), head_sha256=digest)
        return grown

    def readable_to(self, saving_fails: bool) -> int:
        """Up to which offset it may be read: no line is sent that the stored fingerprint does not stand for.

        Args:
            saving_fails: then a fingerprint that tells logs apart will do, so that a full disk stops no known file.
        """
        enough = MIN_HEAD_BYTES if saving_fails else HEAD_BYTES
        return self.size_bytes if self.durable_head >= enough else min(self.size_bytes, self.durable_head)

    def has_more(self, saving_fails: bool) -> bool:
        """Whether `read` would get on."""
        if self.changed or (self.fd < 0 and self.unreadable):
            return False
        cut_due = self.unfinished and self.durable_cut == self.read_offset
        return cut_due or self.read_offset < self.readable_to(saving_fails)

    def read(self, block_bytes: int, saving_fails: bool) -> Chunk | None:
        """Reads the next block; None where it completes no line.

        Raises:
            ContentChanged: nothing was taken.
            OSError: likewise.
        """
        offset, seam = self._lines.read_offset, self._seam
        end = min(self.readable_to(saving_fails), offset + block_bytes)
        if offset < self.durable_cut:
            end = min(end, self.durable_cut)
        held = os.pread(self.fd, len(seam) + max(0, end - offset), offset - len(seam))
        data = held[len(seam) :]
        expected = self.head[offset:end]
        if not held.startswith(seam) or not data.startswith(expected):
            raise ContentChanged(self.path)
        lines = self._lines.feed(data)
        self._seam = held[-SEAM_BYTES:]
        if self._lines.read_offset == self.durable_cut and (last := self._lines.end_line()) is not None:
            lines.append(last)
        if not lines:
            return None
        return self._begin(lines, held[: len(seam) + self._lines.line_start - offset], len(data))

    def _begin(self, lines: list[Line], before: bytes, size_bytes: int) -> Chunk:
        start = self._line_place
        self._line_place = Place.after(self._lines.line_start, before)
        self._work.begin(start)
        self._work.reach(self._line_place)
        return Chunk(self.generation, lines, start.offset, size_bytes)

    def end(self, start: int) -> None:
        """Takes note that a chunk is durable."""
        self._work.end(start)

    def cut(self) -> bool:
        """Decides that the unfinished line will not be written on; says whether that is new."""
        if not self.unfinished or self.generation.cut == self.read_offset:
            return False
        self.generation = replace(self.generation, cut=self.read_offset)
        return True

    def stored(self, generation: Generation) -> None:
        """Takes note that this is durable."""
        self.durable_head, self.durable_cut = generation.head_bytes, generation.cut

    def last_words(self) -> Chunk | None:
        """The unfinished line of a file that is lost, from memory, as its last chunk."""
        line = self._lines.end_line()
        return None if line is None else self._begin([line], b"", 0)

    def close(self) -> None:
        """Closes the descriptor; harmless when it is closed."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
