"""What became of a followed file since the last look: renamed, deleted, truncated, copied and truncated, replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from services.kernel.core import logs
from services.kernel.tail.followed_file import ContentChanged, FollowedFile
from services.kernel.tail.generations import Key
from services.kernel.tail.known_files import KnownFiles
from services.kernel.tail.limits import TailCounts
from services.kernel.tail.log_names import Look, Seen, beside, leads_to
from services.kernel.tail.newcomers import Newcomer

log = logs.get("tail")


class Rotations:
    """Keeps the known files up with what others do to them.

    Args:
        known: the files.
        counts: told of rotations and errors.
    """

    def __init__(self, known: KnownFiles, counts: TailCounts) -> None:
        self._known = known
        self._counts = counts

    def check_all(self, seen: Look, suspects: Iterable[Newcomer], now: float) -> list[FollowedFile]:
        """Looks at every known file.

        Args:
            seen: what the globs find.
            suspects: files without a generation, among which the copies are.

        Returns:
            The truncated ones of which no copy was found; they are let go of.
        """
        changed: list[FollowedFile] = []
        nowhere: list[FollowedFile] = []
        for file in self._known.by_key.values():
            try:
                if not self._check(file, seen.files.get(file.key), now):
                    nowhere.append(file)
            except ContentChanged:
                changed.append(file)
            except OSError as error:
                self.failed(file, error)
        # All of them first: the copy of one may lie in an inode that another one was known by.
        for file in changed + nowhere:
            del self._known.by_key[file.key]
        listed = list(suspects)
        truncated = [file for file in changed if not self._goes_on_in_copy(file, listed, now)]
        for file in nowhere:
            if not self._goes_on_in_copy(file, listed, now):
                self._known.vanished(file)
        return truncated

    def failed(self, file: FollowedFile, error: OSError) -> None:
        """Takes note that a file cannot be read now; it is tried again at every look."""
        self._counts.file_errors += 1
        if not file.unreadable:
            log.error("file_unreadable", error, path=file.path, generation=file.generation.id)
        file.unreadable = True

    def _check(self, file: FollowedFile, sight: Seen | None, now: float) -> bool:
        """Looks at one file; False where it is nowhere.

        Raises:
            ContentChanged, OSError: as FollowedFile.open.
        """
        if file.changed:
            raise ContentChanged(file.path)
        if file.fd < 0 and not self._found(file, sight):
            return False
        if file.fd < 0:  # nothing new in it
            if sight is not None:
                self._note_names(file, sight, 1, now)
            return True
        status = os.fstat(file.fd)
        if status.st_size < file.known_bytes or (status.st_mtime_ns != file.changed_ns and not file.intact()):
            raise ContentChanged(file.path)
        file.unreadable = False
        file.note_size(status, now)
        if file.grow_head():
            self._known.changed = True
        self._note_names(file, sight, status.st_nlink, now)
        return True

    def _found(self, file: FollowedFile, sight: Seen | None) -> bool:
        """Opens a closed file where there is something new in it; False where it is nowhere."""
        if sight is not None:
            paths: tuple[str, ...] = sight.paths
            same = (sight.size_bytes, sight.changed_ns) == (file.size_bytes, file.changed_ns)
            if file.verified and same and not file.unreadable:
                return True
        elif file.verified and file.generation.finished:
            return True  # a rotated one outside the globs, closed to make room for others
        else:
            paths = tuple(path for path, key in beside(Path(file.generation.path).parent) if key == file.key)
            if not paths:
                return False
        file.path = file.path if file.path in paths else paths[0]
        self._known.opened(file)
        return True

    def _note_names(self, file: FollowedFile, sight: Seen | None, links: int, now: float) -> None:
        if sight is not None:
            file.path = file.path if file.path in sight.paths else sight.paths[0]
        if not links and not file.deleted:
            file.deleted, file.quiet_since = True, now
            self._tell("deleted", file)
        renamed = not file.deleted and _left_its_name(file, sight)
        if renamed and not file.renamed:
            file.quiet_since = now
            if file.looked_at:
                self._tell("renamed", file)
        file.renamed, file.looked_at = renamed, True

    def _goes_on_in_copy(self, file: FollowedFile, suspects: Iterable[Newcomer], now: float) -> bool:
        """Goes on in the copy of a file that is no longer, if there is one with everything that was read of it."""
        for path, key in _places_of_copies(file, suspects):
            if key in self._known or key == file.key:
                continue
            with suppress(OSError):
                if self._known.copy_found(file, path, key):
                    status = os.fstat(file.fd)
                    self._known.count_lost(
                        file, file.size_bytes - status.st_size, "written after it was copied"
                    )
                    file.note_size(status, now)
                    file.renamed, file.quiet_since = True, now
                    self._tell("copied", file)
                    return True
        return False

    def _tell(self, kind: str, file: FollowedFile) -> None:
        self._counts.rotations[kind] += 1
        known = (
            {"now": file.path} if file.path != file.generation.path else {}
        )  # else no look found its new name yet
        log.info("rotated", how=kind, path=file.generation.path, generation=file.generation.id, **known)


def _left_its_name(file: FollowedFile, sight: Seen | None) -> bool:
    first = file.generation.path
    if sight is not None:
        return first not in sight.paths
    if file.renamed:
        return True
    try:
        return leads_to(first) != file.key
    except OSError:
        return False  # a folder that cannot be searched says nothing


def _places_of_copies(file: FollowedFile, suspects: Iterable[Newcomer]) -> Iterable[tuple[str, Key]]:
    yield from ((one.path, one.key) for one in suspects if one.suspect is file)
    for folder in dict.fromkeys([Path(file.generation.path).parent, Path(file.path).parent]):
        yield from beside(folder)
