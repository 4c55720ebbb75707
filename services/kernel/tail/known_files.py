"""The generations that are known: those that are followed, and those that are found nowhere any more."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import replace

from services.kernel.core import logs
from services.kernel.tail.followed_file import Chunk, FollowedFile, open_for_reading
from services.kernel.tail.generations import HEAD_BYTES, Generation, Key, is_of, tells_apart
from services.kernel.tail.limits import TailCounts, TailLimits

_MAX_GONE = 256

log = logs.get("tail")


class KnownFiles:
    """Keeps every generation, the descriptors within their bound, and account of what is lost.

    Args:
        limits: see there.
        counts: told what is lost.
    """

    def __init__(self, limits: TailLimits, counts: TailCounts) -> None:
        self._limits = limits
        self._counts = counts
        self._ids: dict[str, FollowedFile] = {}
        self._open_count = 0
        self.by_key: dict[Key, FollowedFile] = {}
        self.gone: dict[str, Generation] = {}
        self.last_words: list[Chunk] = []
        self.changed = False

    def __contains__(self, key: Key) -> bool:
        """Whether this file is followed."""
        return key in self.by_key

    def by_id(self, generation_id: str) -> FollowedFile | None:
        """The file of a generation, None where it is not followed any more."""
        return self._ids.get(generation_id)

    def snapshot(self) -> list[Generation]:
        """Everything that is to be stored."""
        return [one.snapshot() for one in self.by_key.values()] + list(self.gone.values())

    # Coming

    def follow(self, generation: Generation, *, stored: bool, now: float) -> FollowedFile:
        """Follows a generation; whoever was known by the same inode before is forgotten."""
        for other in [one.id for one in self.gone.values() if one.key == generation.key]:
            del self.gone[other]
        file = FollowedFile(generation, stored=stored, max_line_bytes=self._limits.max_line_bytes, now=now)
        self.by_key[generation.key] = file
        self._ids[generation.id] = file
        self.changed = True
        return file

    def revived(self, key: Key, fd: int, now: float) -> FollowedFile | None:
        """Follows a generation again that was found nowhere, if an open file has what was read of it.

        The same inode will do, or else a whole fingerprint: it was moved from another file system, or brought back.
        """
        head_sha256 = hashlib.sha256(os.pread(fd, HEAD_BYTES, 0)).hexdigest() if self.gone else ""
        for one in self.gone.values():
            same_file = one.key == key and one.head_bytes
            same_head = one.head_bytes == HEAD_BYTES and one.head_sha256 == head_sha256
            if (same_file or same_head) and is_of(one, fd):
                del self.gone[one.id]
                return self.follow(replace(one, key=key, gone=False), stored=True, now=now)
        return None

    def make_room(self, found: Collection[Key]) -> bool:
        """Forgets a finished file that the globs do not find if there is no room for one more; False for no room."""
        if len(self.by_key) < self._limits.max_files:
            return True
        for file in self.by_key.values():
            if file.generation.finished and file.key not in found:
                del self.by_key[file.key]
                self.end(file, "finished")
                return True
        return False

    # Going

    def vanished(self, file: FollowedFile) -> None:
        """Lets go of a file that is nowhere, and remembers it in case it comes back."""
        remembered = replace(file.snapshot(), gone=True)
        self.end(file, "vanished")
        self.gone[remembered.id] = remembered
        while len(self.gone) > _MAX_GONE:
            del self.gone[next(iter(self.gone))]

    def end(self, file: FollowedFile, how: str) -> None:
        """Lets go of a file of which nothing more can be read, and says what is lost with it."""
        self.close(file)
        self._ids.pop(file.generation.id, None)
        self.changed = True
        if not file.verified:
            if not file.generation.finished:
                self._counts.lost_possible += 1
                facts = {"path": file.path, "generation": file.generation.id, "offset": file.read_offset}
                log.error("lost_possible", None, how=how, **facts)
            return
        self.count_lost(file, file.size_bytes - file.read_offset, how)
        last = file.last_words()
        if last is None:
            return
        if tells_apart(file.head):
            self.last_words.append(last)
        else:  # so little that a copy with the whole line would not have been known for one
            self.count_lost(file, last.lines[0].size_bytes, how)

    def count_lost(self, file: FollowedFile, size_bytes: int, how: str) -> None:
        """Says that so many bytes of a file were seen and cannot be read any more; 0 or less says nothing."""
        if size_bytes > 0:
            self._counts.lost_bytes += size_bytes
            log.error("lost", bytes=size_bytes, how=how, path=file.path, generation=file.generation.id)

    # Descriptors

    def opened(self, file: FollowedFile) -> bool:
        """Opens a file if it is closed, closing another one where there are too many.

        Raises:
            ContentChanged, OSError: as FollowedFile.open.
        """
        if file.fd >= 0:
            return True
        self._spare_descriptors()
        if not file.open(file.path):
            return False
        self._open_count += 1
        return True

    def adopt(self, file: FollowedFile, fd: int, path: str, key: Key) -> None:
        """Goes on with a file in an open descriptor that was proven to be it."""
        self.close(file)
        self._spare_descriptors()
        file.adopt(fd, path, key)
        self._open_count += 1
        self.by_key[key] = file
        self.changed = True

    def close(self, file: FollowedFile) -> None:
        """Closes a file's descriptor; harmless when it is closed."""
        if file.fd >= 0:
            self._open_count -= 1
            file.close()

    def copy_found(self, file: FollowedFile, path: str, key: Key) -> bool:
        """Goes on with a file in this other one if that has everything that was read of it.

        Raises:
            OSError: it cannot be read.
        """
        fd = open_for_reading(path)
        try:
            found = Key.of(os.fstat(fd)) == key and file.is_continued_by(fd)
        except OSError:
            os.close(fd)
            raise
        if found:
            self.adopt(file, fd, path, key)
        else:
            os.close(fd)
        return found

    def _spare_descriptors(self) -> None:
        if self._open_count < self._limits.max_open_files:
            return
        spare = [one for one in self.by_key.values() if one.fd >= 0 and one.can_be_found_again]
        spare.sort(key=lambda one: (not one.at_end, one.last_read))
        for one in spare[: 1 + len(spare) // 8]:
            self.close(one)
