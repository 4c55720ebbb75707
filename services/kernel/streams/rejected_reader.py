"""Reading dead letters back, for operators and tests: each once, its chunks put together."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import msgspec

from contracts import codec
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Position, Record

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters of a stream.

    Args:
        whole: one mapping a rejection with the fields of `rejected/1`, in order of rejection; `data` holds the
            bytes.
        incomplete: how many chunks there are of how many, by rejection whose bytes are not all there.
    """

    whole: list[dict[str, Any]]
    incomplete: dict[str, tuple[int, int]]


async def read_all(kinesis: Kinesis, stream: str) -> list[dict[str, Any]]:
    """Read every dead letter that the stream still holds.

    Returns:
        One mapping a rejection with the fields of `rejected/1`, in order of rejection; `data` holds the bytes,
        whole. A rejection that was written twice comes once, one whose chunks are not all there does not come.
    """
    return (await read_letters(kinesis, stream)).whole


async def read_letters(kinesis: Kinesis, stream: str) -> Letters:
    """Read every dead letter that the stream still holds, and tell which are not whole."""
    decode = codec.decoder("rejected", 1)
    chunks: dict[str, dict[int, codec.Rejected]] = {}
    retry = Retry(budget_s=PATIENCE_S)
    for shard in await retry.call(lambda: kinesis.list_shards(stream)):
        for record in await _read_shard(kinesis, stream, shard.shard_id, retry):
            letter = decode(record.data)
            chunks.setdefault(letter.rejected_id, {}).setdefault(letter.chunk, letter)
    counts = {letter_id: (len(parts), parts[min(parts)].chunks) for letter_id, parts in chunks.items()}
    incomplete = {letter_id: count for letter_id, count in counts.items() if count[0] < count[1]}
    whole = [_joined(parts) for letter_id, parts in chunks.items() if letter_id not in incomplete]
    whole.sort(key=lambda one: (str(one["rejected_at"]), str(one["rejected_id"])))
    return Letters(whole, incomplete)


async def _read_shard(kinesis: Kinesis, stream: str, shard_id: str, retry: Retry) -> list[Record]:
    records: list[Record] = []
    iterator: str | None = await retry.call(
        lambda: kinesis.shard_iterator(stream, shard_id, Position.trim_horizon())
    )
    while iterator is not None:
        at = iterator
        fetch = await retry.call(lambda at=at: kinesis.get_records(at, stream=stream, shard_id=shard_id))  # type: ignore[misc]
        records += fetch.records
        iterator = fetch.next_iterator
        if not fetch.records and fetch.millis_behind_latest == 0:
            break
    return records


def _joined(parts: dict[int, codec.Rejected]) -> dict[str, Any]:
    letter: dict[str, Any] = msgspec.to_builtins(parts[0])
    letter["data"] = b"".join(base64.b64decode(parts[chunk].data) for chunk in sorted(parts))
    return letter
