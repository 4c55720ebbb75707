"""Which files a list of globs finds, each once however many names it has."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.kernel.tail.generations import Key

COMPRESSED = (".gz", ".xz", ".bz2", ".zst", ".zip")
MAX_BESIDE = 10_000
"""Names of one folder that are looked at in the search for a file that left its name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one file, without reading it.

    Args:
        paths: its names that the globs find, sorted.
        size_bytes: its length.
        changed_ns: when its content was last written.
    """

    paths: tuple[str, ...]
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Look:
    """One look at all globs.

    Args:
        files: by key, in the order of their first names.
        refused: names that match and are no regular files (links, folders, pipes); never opened.
    """

    files: dict[Key, Seen]
    refused: frozenset[str]


def look(globs: Sequence[str]) -> Look:
    """Finds what the globs match now; a folder that cannot be read has no files.

    Names of compressed files are passed over: what a rotation compresses was read before, and has no lines now.
    A link in the last part of a name is not followed, links in folders are.
    """
    found: dict[Key, Seen] = {}
    refused: set[str] = set()
    for path in sorted({path for pattern in globs for path in glob.iglob(pattern)}):  # noqa: PTH207 - absolute patterns
        if path.endswith(COMPRESSED):
            continue
        try:
            status = Path(path).lstat()
        except OSError:
            continue  # gone between listing and looking, or not ours to see yet
        if not stat.S_ISREG(status.st_mode):
            refused.add(path)
            continue
        key = Key.of(status)
        names = found[key].paths if key in found else ()
        found[key] = Seen((*names, path), status.st_size, status.st_mtime_ns)
    return Look(found, frozenset(refused))


def beside(folder: Path) -> Iterator[tuple[str, Key]]:
    """The regular files in a folder, whatever their names, at most 10,000: where rotations leave copies."""
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count == MAX_BESIDE:
                    return
                if entry.is_file(follow_symlinks=False):
                    yield entry.path, Key.of(entry.stat(follow_symlinks=False))
    except OSError:
        return  # what cannot be listed holds nothing that could be read


def leads_to(path: str) -> Key | None:
    """The file that a name leads to now, None for no file of any kind.

    Raises:
        OSError: nobody can say.
    """
    try:
        return Key.of(Path(path).lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None
