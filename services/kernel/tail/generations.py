"""What is durably known of a followed log file: an identity of its own, and the proof that a file is still it.

A log file's name changes when it is rotated, its inode is given to others when it is deleted, and its content moves
to another inode when it is copied and truncated. So each content gets a random id when it is first seen, its
*generation*; name and inode only help to find it again, and its first bytes and the bytes before the position prove it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from typing import NamedTuple

HEAD_BYTES = 1024
"""How many of a file's first bytes its fingerprint covers."""
SEAM_BYTES = 1024
"""How many bytes before a position prove the position."""
MIN_HEAD_BYTES = 64
"""A fingerprint of so many bytes tells two logs apart: a line's client and time are among them."""


class Key(NamedTuple):
    """Which file a name leads to now; given to another file once this one is deleted."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Key:
        """Takes the two numbers out of a stat."""
        return cls(status.st_dev, status.st_ino)


@dataclass(frozen=True, slots=True)
class Place:
    """A position, with a check of the bytes just before it.

    Args:
        offset: bytes before the position.
        seam_sha256: hash of the last min(offset, 1024) of them, 64 hex digits.
    """

    offset: int
    seam_sha256: str

    @classmethod
    def after(cls, offset: int, before: bytes) -> Place:
        """The place at this offset.

        Args:
            before: at least the last min(offset, 1024) bytes before it.
        """
        seam = before[-SEAM_BYTES:] if offset else b""
        return cls(offset, hashlib.sha256(seam).hexdigest())


BEGINNING = Place.after(0, b"")


@dataclass(frozen=True, slots=True)
class Generation:
    """One content of a log file through all its names.

    Args:
        id: 32 hex digits, random, given when it was first seen.
        path: its name then.
        first_seen_ms: when that was, milliseconds since the epoch; never changes, whatever the clock does.
        key: where it was last found.
        head_bytes: length of the fingerprint, 0 to 1,024.
        head_sha256: hash of so many first bytes.
        place: everything before it is durable where it had to go.
        cut: offset at which a line without newline was taken for whole; 0 for none.
        finished: rotated away or deleted, read to its end and quiet.
        gone: found nowhere any more.
    """

    id: str
    path: str
    first_seen_ms: int
    key: Key
    head_bytes: int = 0
    head_sha256: str = hashlib.sha256().hexdigest()
    place: Place = BEGINNING
    cut: int = 0
    finished: bool = False
    gone: bool = False


def tells_apart(head: bytes) -> bool:
    """Says whether a file's first bytes are enough to take another file with the same ones for its copy."""
    return len(head) >= MIN_HEAD_BYTES or b"\n" in head


def new_id() -> str:
    """A random id that no other file has."""
    return secrets.token_hex(16)


def is_of(generation: Generation, fd: int) -> bool:
    """Says whether an open file has the bytes that were read of a generation.

    Raises:
        OSError: it cannot be read; try again later.
    """
    place = generation.place
    if os.fstat(fd).st_size < max(generation.head_bytes, place.offset):
        return False
    head = os.pread(fd, generation.head_bytes, 0)
    if len(head) < generation.head_bytes or hashlib.sha256(head).hexdigest() != generation.head_sha256:
        return False
    return Place.after(place.offset, seam_before(fd, place.offset)) == place


def seam_before(fd: int, offset: int) -> bytes:
    """The last min(offset, 1024) bytes before an offset; fewer when the file is shorter."""
    size = min(offset, SEAM_BYTES)
    return os.pread(fd, size, offset - size) if size else b""
