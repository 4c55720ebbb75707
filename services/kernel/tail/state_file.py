"""The generations of one host in two files, one written after the other, so that one whole copy always exists."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services.kernel.core.errors import Misconfigured
from services.kernel.tail.generations import Generation, Key, Place

VERSION = 1
SLOTS = ("positions.0.json", "positions.1.json")
_LOCK = "lock"


class StateFile:
    """Keeps generations in a folder; each write is whole or leaves what was there.

    A write replaces the older of two files by way of a temporary one: written, synced, renamed, the folder synced.
    What must not be lost with one broken file is written to both (`save_twice`).

    Args:
        folder: must exist; it is never made here, because an empty folder in the place of a lost volume would
            begin every file anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sequence = 0

    def load(self) -> list[Generation]:
        """Reads the newest whole copy; [] where none was ever written.

        Raises:
            Misconfigured: there are copies and none is whole, or they are of a newer version; nothing was changed.
        """
        found: list[tuple[int, list[Generation]]] = []
        broken: list[str] = []
        for name in SLOTS:
            try:
                found.append(_decoded((self._folder / name).read_bytes()))
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError) as error:
                broken.append(f"{name} ({type(error).__name__})")
            except OSError as error:
                raise Misconfigured(
                    f"CADABRA_STATE_FOLDER: {self._folder / name}: {error.strerror}"
                ) from error
        if broken and not found:
            raise Misconfigured(
                f"CADABRA_STATE_FOLDER: no whole copy of the positions in {self._folder}: {', '.join(broken)}. Bring"
                f" {SLOTS[0]} or {SLOTS[1]} back from a backup, or delete both: every file that is still there is then"
                " sent once more, as new"
            )
        if not found:
            return []
        self._sequence, generations = max(found, key=lambda one: one[0])
        return generations

    def save(self, generations: Iterable[Generation]) -> None:
        """Writes the older copy anew.

        Raises:
            OSError: full disk, no permission; both copies are as they were.
        """
        sequence = self._sequence + 1
        _write_whole(self._folder, SLOTS[sequence % len(SLOTS)], _encoded(sequence, generations))
        self._sequence = sequence

    def save_twice(self, generations: Iterable[Generation]) -> None:
        """Writes both copies; after it no single broken file takes a generation away.

        Raises:
            OSError: as `save`; one copy may be written.
        """
        listed = list(generations)
        for _ in SLOTS:
            self.save(listed)


class StateLock:
    """Keeps a second shipper away from a state folder; freed by the system when the process ends, however it ends.

    Source: flock(2).
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOCK
        self._fd = -1

    def acquire(self) -> bool:
        """Takes the lock if nobody has it.

        Raises:
            Misconfigured: the folder is missing or cannot be written to.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(f"CADABRA_STATE_FOLDER: {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise Misconfigured(
                f"CADABRA_STATE_FOLDER: {self._path} cannot be locked: {error.strerror}"
            ) from error
        self._fd = fd
        return True

    def release(self) -> None:
        """Lets the next one have it; harmless when it is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _encoded(sequence: int, generations: Iterable[Generation]) -> bytes:
    state = {
        "version": VERSION,
        "sequence": sequence,
        "generations": [_fields(one) for one in generations],
    }
    body = json.dumps(state, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{{"sha256":"{digest}","state":\n{body}\n}}\n'.encode()


def _decoded(data: bytes) -> tuple[int, list[Generation]]:
    envelope = json.loads(data)
    body = data[data.index(b"\n") + 1 : data.rindex(b"\n}")]
    if hashlib.sha256(body).hexdigest() != envelope["sha256"]:
        raise ValueError("checksum")
    state = envelope["state"]
    if state["version"] != VERSION:
        raise Misconfigured(
            f"CADABRA_STATE_FOLDER: positions of version {state['version']}, this program reads {VERSION}: start the"
            " version that wrote them"
        )
    return state["sequence"], [_generation(one) for one in state["generations"]]


def _fields(one: Generation) -> dict[str, Any]:
    return {
        "id": one.id,
        "path": one.path,
        "first_seen_ms": one.first_seen_ms,
        "key": one.key,
        "head_bytes": one.head_bytes,
        "head_sha256": one.head_sha256,
        "place": {"offset": one.place.offset, "seam_sha256": one.place.seam_sha256},
        "cut": one.cut,
        "finished": one.finished,
        "gone": one.gone,
    }


def _generation(fields: dict[str, Any]) -> Generation:
    fields["key"] = Key(*fields["key"])
    fields["place"] = Place(**fields["place"])
    return Generation(**fields)


def _write_whole(folder: Path, name: str, data: bytes) -> None:
    temporary = folder / f".{name}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(fd)
        temporary.replace(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
