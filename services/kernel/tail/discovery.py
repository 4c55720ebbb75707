"""Which files of a folder are ours to read."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORED_ENDINGS = (".tmp", ".part")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a look at a file tells without reading it; another one means: read again.

    Args:
        device, inode: which file it is, only to notice a change, never an identity.
        size_bytes: its length.
        changed_ns: when its content was last written, nanoseconds since the epoch.
    """

    device: int
    inode: int
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """Takes the four numbers out of a stat."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Found:
    """One look at a folder.

    Args:
        files: what is to be read, by name, in the order of the names.
        refused: names that match the glob and that are not read, with the reason: `name` (outside the allowed
            pattern) or `type` (a link, folder, device or pipe).
    """

    files: dict[str, Signature]
    refused: dict[str, str]


def scan(folder: Path, glob: str, allowed_name: re.Pattern[str]) -> Found:
    """Looks at a folder once; follows no link and opens nothing.

    Names that begin with a dot or end in .tmp or .part are being written by somebody and are ignored.

    Raises:
        OSError: the folder cannot be read; try again later.
    """
    files: dict[str, Signature] = {}
    refused: dict[str, str] = {}
    for entry, reason in _judged(folder, glob, allowed_name):
        if reason:
            refused[entry.name] = reason
            continue
        try:
            files[entry.name] = Signature.of(entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue  # deleted between listing and looking
    return Found(dict(sorted(files.items())), refused)


def _judged(folder: Path, glob: str, allowed_name: re.Pattern[str]) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(".") or name.endswith(IGNORED_ENDINGS) or not fnmatch.fnmatchcase(name, glob):
                continue
            if not allowed_name.fullmatch(name):
                yield entry, "name"
            elif not entry.is_file(follow_symlinks=False):
                yield entry, "type"
            else:
                yield entry, ""
