"""Anything that can be pickled as small pieces and back, for a way that takes no large ones. Needs no Spark.

NumPy arrays are not copied into the pickle; every piece is compressed by itself.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

PIECE_BYTES = 256 * 1024
_CODEC = pa.Codec("zstd", 1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a parcel.

    Args:
        part: which buffer of the pickle it is of; 0 is the pickle itself.
        parts: how many there are.
        size: of the whole part, in bytes.
        body: compressed; what it holds is `PIECE_BYTES` long, the last of a part may be shorter.
    """

    part: int
    parts: int
    size: int
    body: bytes


def pack(value: Any) -> Iterator[Piece]:
    """The pieces of a value, in the order in which `unpack` takes them."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    for number, part in enumerate(parts):
        for start in range(0, max(1, len(part)), PIECE_BYTES):
            body = _CODEC.compress(part[start : start + PIECE_BYTES], asbytes=True)
            yield Piece(number, len(parts), len(part), body)


def unpack(pieces: Iterable[Piece]) -> Iterator[Any]:
    """The values whose pieces these are, one after the other, each as soon as its last piece has come."""
    parts: list[bytearray] = []
    filled = 0
    for piece in pieces:
        if piece.part == len(parts):
            parts.append(bytearray(piece.size))
            filled = 0
        length = min(PIECE_BYTES, piece.size - filled)
        parts[-1][filled : filled + length] = memoryview(_CODEC.decompress(piece.body, length))
        filled += length
        if piece.part + 1 == piece.parts and filled == piece.size:
            yield pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - what our own executors wrote
            parts = []
