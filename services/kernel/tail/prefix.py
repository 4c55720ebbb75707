"""A running hash of everything before a position, so that a file with other content is noticed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

EMPTY_SHA256 = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file that says which content lies before it.

    Args:
        offset: bytes before the position.
        sha256: hash of these bytes, 64 lower-case hex digits.
    """

    offset: int
    sha256: str


START = Mark(0, EMPTY_SHA256)


class PrefixHash:
    """Hashes a file as it is read and gives marks at offsets behind the read position.

    It holds the bytes between the last mark and the read position, no more. Marks only move forward.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._raw = bytearray()
        self._last = START

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the file."""
        self._raw += data

    def absorb(self) -> None:
        """Lets go of the held bytes; afterwards only the last mark and marks from the read position on exist."""
        self._hash.update(self._raw)
        self._hashed += len(self._raw)
        self._raw.clear()

    def mark(self, offset: int) -> Mark:
        """Returns the mark at this offset.

        Raises:
            ValueError: the offset lies before the last mark or after the read position (a bug of the caller).
        """
        if offset == self._last.offset:
            return self._last
        ahead = offset - self._hashed
        if not 0 <= ahead <= len(self._raw):
            raise ValueError(
                f"no mark at {offset}: between {self._hashed} and {self._hashed + len(self._raw)}"
            )
        if ahead:
            with memoryview(self._raw) as raw:
                self._hash.update(raw[:ahead])
            del self._raw[:ahead]
            self._hashed = offset
        self._last = Mark(offset, self._hash.hexdigest())
        return self._last
