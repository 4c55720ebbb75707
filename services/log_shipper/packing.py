"""Records of one chunk of a file into aggregates for the stream, one partition key in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from services.kernel.streams.aggregation import ENVELOPE_BYTES, MEMBER_BYTES, Member, aggregate
from services.log_shipper.envelope import BLOCK_BYTES

MAX_AGGREGATE_BYTES = 256 * 1024


def packed(
    generation: str, offsets: Sequence[int], records: Sequence[bytes]
) -> Iterator[tuple[str, bytes, int]]:
    """Packs the records of one generation, in their order.

    Args:
        offsets: of their lines, rising.
        records: as many.

    Yields:
        The partition key, the aggregate and how many records are in it. An aggregate has at most 256 KiB, or one
        record; all its records are of one block of 64 KiB of the file.
    """
    pairs = zip(offsets, records, strict=True)
    for block, group in groupby(pairs, key=lambda pair: pair[0] // BLOCK_BYTES):
        key = f"{generation}/{block}"
        empty = ENVELOPE_BYTES + MEMBER_BYTES + len(key)
        members: list[Member] = []
        size = empty
        for _, record in group:
            needed = MEMBER_BYTES + len(record)
            if members and size + needed > MAX_AGGREGATE_BYTES:
                yield key, aggregate(members), len(members)
                members, size = [], empty
            members.append(Member(key, record))
            size += needed
        yield key, aggregate(members), len(members)
