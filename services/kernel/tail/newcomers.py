"""Files that have no generation yet: is one a new log, or the copy that a rotation makes of a known one?

`copytruncate` copies a log and truncates it then. Until the truncation nothing tells the copy from another log that
begins with the same lines, so that such a file waits for a grace time. A log that is its own is told apart as soon as
its bytes differ from those of the other at its end.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from services.kernel.tail.followed_file import FollowedFile
from services.kernel.tail.generations import HEAD_BYTES, Key
from services.kernel.tail.log_names import Seen

_COMPARED_BYTES = 4096
_INDEXED_BYTES = 16


@dataclass(slots=True)
class Newcomer:
    """A file without a generation.

    Args:
        key: which file it is.
        path: its first name at first sight.
        first_seen_ms: when that was, since the epoch.
        seen_at: the same by the monotonic clock, seconds.
        size_bytes: its length now.
        still_since: since when it has had this length, monotonic seconds.
        suspect: the file that it may be a copy of.
        suspected: whether it was found to be like that file while the other was whole.
        unreadable: whether opening it failed.
    """

    key: Key
    path: str
    first_seen_ms: int
    seen_at: float
    size_bytes: int
    still_since: float
    suspect: FollowedFile | None = None
    suspected: bool = False
    unreadable: bool = False

    def note(self, seen: Seen, now: float) -> None:
        """Takes down what a look saw of it."""
        self.path = self.path if self.path in seen.paths else seen.paths[0]
        if seen.size_bytes != self.size_bytes:
            self.size_bytes, self.still_since = seen.size_bytes, now


class Likeness(Enum):
    """What a newcomer is beside the files that are followed."""

    OWN = "own"
    COPY = "copy"
    UNCLEAR = "unclear"


class Originals:
    """The followed files by their first bytes.

    Args:
        files: those whose first bytes are known.
        opened: opens one for a comparison; False where that is not possible now.
    """

    def __init__(self, files: Iterable[FollowedFile], opened: Callable[[FollowedFile], bool]) -> None:
        self._opened = opened
        self._files: list[FollowedFile] = []
        self._by_head: dict[bytes, list[FollowedFile]] = defaultdict(list)
        self._short: list[FollowedFile] = []
        for file in files:
            self.add(file)

    def add(self, file: FollowedFile) -> None:
        """Lets later newcomers be compared with this file too."""
        if not file.head:
            return
        self._files.append(file)
        if len(file.head) < _INDEXED_BYTES:
            self._short.append(file)
        else:
            self._by_head[file.head[:_INDEXED_BYTES]].append(file)

    def compare(self, newcomer: Newcomer, fd: int, size_bytes: int) -> Likeness:
        """Says what an open newcomer is; `newcomer.suspect` is the file that it resembles, None for none.

        Raises:
            OSError: one of the two cannot be read; try again later.
        """
        newcomer.suspect = None
        head = os.pread(fd, HEAD_BYTES, 0)
        for file in self._alike(head):
            if not self._opened(file) or not file.intact():
                newcomer.suspect = file  # the next look finds out what became of it
                return Likeness.UNCLEAR
            if _is_beginning_of(fd, size_bytes, file.fd):
                newcomer.suspect = file
                return Likeness.COPY
            if not file.intact():
                newcomer.suspect = file
                return Likeness.UNCLEAR
        return Likeness.OWN

    def _alike(self, head: bytes) -> Iterable[FollowedFile]:
        listed = self._files
        if len(head) >= _INDEXED_BYTES:
            listed = self._by_head.get(head[:_INDEXED_BYTES], []) + self._short
        return [one for one in listed if one.head.startswith(head) or head.startswith(one.head)]


def _is_beginning_of(fd: int, size_bytes: int, original_fd: int) -> bool:
    """Says whether a file's first and last bytes are those that the other has in the same places."""
    if os.fstat(original_fd).st_size < size_bytes:
        return False
    for offset in {0, max(0, size_bytes - _COMPARED_BYTES)}:
        size = min(_COMPARED_BYTES, size_bytes - offset)
        if os.pread(fd, size, offset) != os.pread(original_fd, size, offset):
            return False
    return True
