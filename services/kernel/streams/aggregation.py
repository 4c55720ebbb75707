"""Many small records in one record of the stream, in the format of the Kinesis Producer Library (KPL). Pure.

Source: https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
4 bytes of magic, a protobuf message, the MD5 of the message. The message has a table of partition keys (field 1), a
table of explicit hash keys (2) and records (3): index of the partition key (1), index of the explicit hash key
(2, optional), data (3), tags (4, used by nobody).

What looks like an aggregate and has another checksum is a record of its own, as for the Kinesis Client Library
(KCL). What has the right checksum and cannot be read was written so: it is rejected whole, with its bytes. KCL takes
it for a record of its own, or hands out its first part and drops the rest.

Where KCL drops: it passes over a whole aggregate of which one record's hash key lies outside the shard's range, since
KPL puts those records again after a reshard. Other producers do not, so here every record is handed out: with KPL
one may come twice after a reshard, as every record may. Aggregates of ours never lie across a reshard
(`producer_packs`).
Source: https://github.com/awslabs/amazon-kinesis-client, AggregatorUtil.deaggregate
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.records import Record

MAGIC = b"\xf3\x89\x9a\xc2"
MAX_MEMBERS = 65_536
"""Of one aggregate: each costs memory beside its bytes, and an empty one has 6 bytes."""

_DIGEST_BYTES = 16
ENVELOPE_BYTES = len(MAGIC) + _DIGEST_BYTES
MEMBER_BYTES = 24
"""The most that a member needs beside key and data: four tags, two lengths and two indices up to 1 MiB."""

_VARINT_BITS = 70  # ten bytes at most, seven bits in each
_KEY, _HASH_KEY, _MEMBER = 0x0A, 0x12, 0x1A  # tags of the message: field number and wire type 2
_KEY_INDEX, _HASH_KEY_INDEX, _DATA = 0x08, 0x10, 0x1A  # tags of a member


class Member(NamedTuple):
    """One record to be packed.

    Args:
        explicit_hash_key: decimal number of 128 bits that stands for the partition key's hash, None for none.
    """

    partition_key: str
    data: bytes
    explicit_hash_key: str | None = None


class _Place(NamedTuple):
    key_index: int
    hash_key_index: int | None
    data: bytes


def aggregate(members: Sequence[Member]) -> bytes:
    """Pack records into one; each distinct key is written once.

    Args:
        members: 1 to 65,536, in the order in which they are to be read.
    """
    keys: dict[str, int] = {}
    hash_keys: dict[str, int] = {}
    body = bytearray()
    for key, data, hash_key in members:
        head = b"\x08" + _encoded(keys.setdefault(key, len(keys)))
        if hash_key is not None:
            head += b"\x10" + _encoded(hash_keys.setdefault(hash_key, len(hash_keys)))
        head += b"\x1a" + _encoded(len(data))
        body += b"\x1a" + _encoded(len(head) + len(data)) + head + data
    tables = _table(b"\x0a", keys) + _table(b"\x12", hash_keys)
    message = bytes(tables + body)
    return MAGIC + message + _md5(message)


def deaggregate(record: Record) -> list[Record]:
    """Take a record apart.

    Returns:
        The records inside with sub-sequences 0, 1, ..; the record itself when it is no aggregate; nothing for an
        aggregate of nothing.

    Raises:
        InvalidRecord: `bad_aggregate`: it cannot be read; nothing of it was handed out.
    """
    if not record.data.startswith(MAGIC):
        return [record]
    message = record.data[len(MAGIC) : -_DIGEST_BYTES]
    if len(record.data) <= ENVELOPE_BYTES or _md5(message) != record.data[-_DIGEST_BYTES:]:
        return [record]
    keys, hash_keys, places = _read(message)
    for place in places:
        if place.key_index >= len(keys) or not _within(place.hash_key_index, hash_keys):
            raise _bad("an index past the end of its table")
    return [
        Record(record.shard_id, record.sequence_number, keys[key], data, record.arrived_at_ms, ordinal)
        for ordinal, (key, _hash_key, data) in enumerate(places)
    ]


class Batch(NamedTuple):
    """Records to be handed out together.

    Args:
        size_bytes: of what they were taken from, as the stream has it.
        error: why its one record has to be rejected.
    """

    records: list[Record]
    size_bytes: int
    error: InvalidRecord | None = None


def taken_apart(records: Sequence[Record]) -> Iterator[Batch]:
    """Take what was fetched apart, one aggregate at a time and each only when its turn comes; between them what was
    no aggregate comes together."""
    if not any(record.data.startswith(MAGIC) for record in records):
        yield Batch(list(records), sum(len(record.data) for record in records))
        return
    for record in records:
        try:
            yield Batch(deaggregate(record), len(record.data))
        except InvalidRecord as error:
            yield Batch([record], len(record.data), error)


def last_sub_sequence(record: Record) -> int:
    """The sub-sequence of the last record inside; 0 when it is no aggregate or cannot be read."""
    try:
        return max(0, len(deaggregate(record)) - 1)
    except InvalidRecord:
        return 0


def _read(message: bytes) -> tuple[list[str], list[str], list[_Place]]:
    """Read the whole message; the tables may come behind the records that point into them."""
    keys: list[str] = []
    hash_keys: list[str] = []
    places: list[_Place] = []
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at, end)
        if tag not in (_KEY, _HASH_KEY, _MEMBER):
            at = _past(message, at, end, tag)
            continue
        begin, at = _length(message, at, end)
        if tag == _MEMBER:
            if len(places) == MAX_MEMBERS:
                raise _bad(f"more than {MAX_MEMBERS} records")
            places.append(_place(message, begin, at))
        else:
            (keys if tag == _KEY else hash_keys).append(_text(message[begin:at]))
    return keys, hash_keys, places


def _within(index: int | None, table: Sequence[str]) -> bool:
    return index is None or index < len(table)


def _place(message: bytes, at: int, end: int) -> _Place:
    key_index: int | None = None
    hash_key_index: int | None = None
    data: bytes | None = None
    while at < end:
        tag, at = _varint(message, at, end)
        if tag == _DATA:
            begin, at = _length(message, at, end)
            data = message[begin:at]
        elif tag == _KEY_INDEX:
            key_index, at = _varint(message, at, end)
        elif tag == _HASH_KEY_INDEX:
            hash_key_index, at = _varint(message, at, end)
        else:
            at = _past(message, at, end, tag)
    if key_index is None or data is None:
        raise _bad("a record without key or data")
    return _Place(key_index, hash_key_index, data)


def _varint(message: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and the place behind it. Source: https://protobuf.dev/programming-guides/encoding/"""
    value = shift = 0
    while at < end and shift != _VARINT_BITS:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _bad("a number that does not end")


def _length(message: bytes, at: int, end: int) -> tuple[int, int]:
    """Where a field of stated length begins and ends."""
    size, at = _varint(message, at, end)
    if size > end - at:
        raise _bad("a field that is longer than what holds it")
    return at, at + size


def _past(message: bytes, at: int, end: int, tag: int) -> int:
    """The place behind a field that we do not know; groups, long deprecated, would be the only nesting."""
    number, wire_type = divmod(tag, 8)
    if number == 0:
        raise _bad("a field without a number")
    if wire_type == 0:
        return _varint(message, at, end)[1]
    if wire_type == 2:
        return _length(message, at, end)[1]
    size = {1: 8, 5: 4}.get(wire_type)
    if size is None or size > end - at:
        raise _bad("a field of an unknown kind, or cut off")
    return at + size


def _text(encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise _bad("a key that is not UTF-8") from None


def _bad(what: str) -> InvalidRecord:
    return InvalidRecord("bad_aggregate", f"an aggregate with {what}")


def _encoded(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _encoded(number >> 7)


def _table(tag: bytes, keys: dict[str, int]) -> bytes:
    encoded = (key.encode() for key in keys)
    return b"".join(tag + _encoded(len(key)) + key for key in encoded)


def _md5(message: bytes) -> bytes:
    return hashlib.md5(message, usedforsecurity=False).digest()
