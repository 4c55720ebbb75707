"""How a dead letter is made: the records of `rejected/1` for one rejected input, the same for services and jobs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.validate import MAX_DETAILS

CHUNK_BYTES = 512 * 1024
MAX_MESSAGE = 1_000
MAX_DETAIL = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where rejected bytes were; what is not known is None.

    Args:
        sub_sequence: which one inside an aggregated record: equal bytes in one aggregate are not one rejection.
        offset: where in `file` they begin, in bytes.
        source: the sender.
    """

    stream: str | None = None
    shard_id: str | None = None
    sequence_number: int | None = None
    sub_sequence: int = 0
    file: str | None = None
    offset: int | None = None
    source: str | None = None


def rejected_id(service: str, place: Place, reason: str, data: bytes) -> str:
    """The id of a rejection: made of place and content, so that a repeat is recognised as one."""
    record = f"{place.sequence_number}"
    if place.sub_sequence:
        record += f".{place.sub_sequence}"
    where = (service, place.stream, place.shard_id, record, place.file, place.offset, place.source, reason)
    return hashlib.sha256("".join(f"{part}|" for part in where).encode() + data).hexdigest()[:32]


def letters(
    service: str,
    place: Place,
    reason: str,
    message: str,
    data: bytes,
    details: Sequence[tuple[str, str]],
    rejected_at: str,
    trace: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Make the records of one rejection: one, or one for each 512 KiB of the bytes, all with one id.

    Args:
        service: who rejects.
        reason: a reason code of the contract.
        message: one sentence for people, without the content; cut at 1,000 characters.
        data: the bytes as they were received.
        details: JSON Pointer and fault; the first 100 are kept, each text cut at 256 characters.
        rejected_at: as contracts write times.
    """
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)] or [b""]
    common: dict[str, Any] = {
        "rejected_id": rejected_id(service, place, reason, data),
        "reason": reason,
        "message": message[:MAX_MESSAGE],
        "service": service,
        "stream": place.stream,
        "shard_id": place.shard_id,
        "sequence_number": None if place.sequence_number is None else str(place.sequence_number),
        "file": place.file,
        "offset": place.offset,
        "source": place.source,
        "details": [
            {"pointer": pointer[:MAX_DETAIL], "reason": fault[:MAX_DETAIL]}
            for pointer, fault in details[:MAX_DETAILS]
        ],
        "chunks": len(chunks),
        "size_bytes": len(data),
        "rejected_at": rejected_at,
        "trace": trace,
    }
    for ordinal, chunk in enumerate(chunks):
        yield {**common, "data": base64.b64encode(chunk).decode("ascii"), "chunk": ordinal}
