"""The committed list of an engine's files with their SHA-256, and the comparison of a folder with it.

Standard library only: set-up runs this before any environment exists.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(path: Path) -> str:
    """The SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(manifest: Path) -> dict[str, str]:
    """Path to SHA-256 of every file that the manifest names, paths relative to the engine's folder."""
    entries: dict[str, str] = {}
    for line in manifest.read_text(encoding="utf-8").splitlines():
        sha256, _, path = line.partition("  ")
        entries[path] = sha256
    return entries


def write(manifest: Path, folder: Path) -> None:
    """Put down every file of the folder, in the format of `sha256sum`."""
    lines = [f"{digest(folder / path)}  {path}\n" for path in sorted(_files(folder))]
    manifest.write_text("".join(lines), encoding="utf-8")


def faults(folder: Path, manifest: Path) -> list[str]:
    """What differs between the folder and its manifest, one sentence per file; empty when they agree."""
    expected, found = read(manifest), _files(folder)
    problems = [f"{path} is missing" for path in sorted(expected.keys() - found)]
    problems += [f"{path} is not in the manifest" for path in sorted(found - expected.keys())]
    for path in sorted(expected.keys() & found):
        if digest(folder / path) != expected[path]:
            problems.append(f"{path} has other content than the manifest says")
    return problems


def _files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()
    }
