"""Aggregates in KPL's format: round trips, bytes that others wrote, and bytes that nobody should have written."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.kernel.core.errors import InvalidRecord
from services.kernel.streams import aggregation
from services.kernel.streams.aggregation import (
    ENVELOPE_BYTES,
    MAGIC,
    MAX_MEMBERS,
    MEMBER_BYTES,
    Member,
    aggregate,
    deaggregate,
    last_sub_sequence,
    taken_apart,
)
from services.kernel.streams.records import Record

# An aggregate that came to Elastic's Functionbeat from a stream: ten records of one key.
# Source: https://github.com/elastic/beats, x-pack/functionbeat/provider/aws/aws/transformer/transformer_test.go
FROM_A_STREAM = (
    "84mawgoIejJKSjl6dFgaEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVl"
    "In0aEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97Imtl"
    "eSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVlIn0aEwgAGg97ImtleSI6InZhbHVlIn3x"
    "j2DFMGZ0aNQC7aexsnkU"
)
# What awslabs' own aggregators wrote: three keys (Python), and one key for three records (JavaScript).
# Source: https://github.com/awslabs/kinesis-aggregation
BY_AWSLABS = (
    "84mawgoEcGstMAoEcGstMQoEcGstMhoTCAAaD3sibXNnIjoibGluZTAifRoTCAEaD3sibXNnIjoibGluZTEifRoTCAIaD3sibXNn"
    "IjoibGluZTIifZ8hyadI+v2KZPZrUGim6cQ="
)
BY_AWSLABS_ONE_KEY = (
    "84mawgoCcDEaGAgAGhQwMTIzNDU2Nzg5MDEyMzQ1NjdfQRoYCAAaFDAxMjM0NTY3ODkwMTIzNDU2N19CGhgIABoUMDEyMzQ1Njc4"
    "OTAxMjM0NTY3X0NHjL02iyRk3D+kO2UC2X6u"
)
# The message of this one begins like the example in awslabs' KinesisDeaggregator/README.md: key abc, explicit hash
# key, alternating alphabets; there are 100 records there.
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
HASH_KEY_OF_THE_README = "191415658344158766168031473277922803570"
HEAD_OF_THE_README = base64.b64decode(
    "84mawgoDYWJjEicxOTE0MTU2NTgzNDQxNTg3NjYxNjgwMzE0NzMyNzc5MjI4MDM1NzAaIAgAEAAaGmFiY2RlZmdoaWprbG1ub3Bx"
    "cnN0dXZ3eHl6GiAIABAAGhp6eXh3dnV0c3JxcG9ubWxramloZ2ZlZGNiYRogCAAQ"
)
MD5_OF_THE_README = base64.b64decode("0I8WvwEDJiGD4YsiKIfUOw==")


def record(data: bytes) -> Record:
    return Record("shard", 7, "outer", data, 1_234)


def signed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def inside(data: bytes) -> list[tuple[str, bytes]]:
    return [(one.partition_key, one.data) for one in deaggregate(record(data))]


members = st.lists(
    st.builds(
        Member,
        st.text(max_size=20),
        st.binary(max_size=200),
        st.none() | st.integers(0, 2**128 - 1).map(str),
    ),
    min_size=1,
    max_size=30,
)


@given(members)
@example([Member("\U0001f600é", b"")])
@example([Member("k", bytes(70_000), str(2**128 - 1))] * 3)
@example([Member(f"{n}", b"") for n in range(300)])
def test_what_is_packed_comes_out_in_order_with_places_of_its_own(packed: list[Member]) -> None:
    data = aggregate(packed)
    found = deaggregate(record(data))
    assert [(one.partition_key, one.data) for one in found] == [(one[0], one[1]) for one in packed]
    assert [one.sub_sequence for one in found] == list(range(len(packed)))
    assert {(one.shard_id, one.sequence_number, one.arrived_at_ms) for one in found} == {("shard", 7, 1_234)}
    assert last_sub_sequence(record(data)) == len(packed) - 1
    keys = sum(len(one.partition_key.encode()) for one in packed)
    hash_keys = sum(len(one.explicit_hash_key or "") + 2 for one in packed)
    most = ENVELOPE_BYTES + keys + hash_keys + sum(len(one.data) + MEMBER_BYTES for one in packed)
    assert len(data) <= most


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (FROM_A_STREAM, [("z2JJ9ztX", b'{"key":"value"}')] * 10),
        (BY_AWSLABS, [(f"pk-{n}", b'{"msg":"line%d"}' % n) for n in range(3)]),
        (BY_AWSLABS_ONE_KEY, [("p1", b"012345678901234567_%c" % letter) for letter in b"ABC"]),
    ],
)
def test_what_others_wrote_is_read_and_would_be_written_so(
    encoded: str, expected: list[tuple[str, bytes]]
) -> None:
    data = base64.b64decode(encoded)
    assert inside(data) == expected
    assert aggregate([Member(key, content) for key, content in expected]) == data


def test_explicit_hash_keys_are_written_as_others_write_them() -> None:
    packed = [
        Member("abc", ALPHABET if n % 2 == 0 else ALPHABET[::-1], HASH_KEY_OF_THE_README) for n in range(100)
    ]
    data = aggregate(packed)
    assert data.startswith(HEAD_OF_THE_README)
    assert data.endswith(MD5_OF_THE_README)
    assert inside(data) == [("abc", one.data) for one in packed]


@pytest.mark.parametrize(
    "data", [b"", b"x", MAGIC, MAGIC + bytes(16), MAGIC + bytes(17), MAGIC[:3] + bytes(40), signed(b"")]
)
def test_what_is_no_aggregate_is_a_record_of_its_own(data: bytes) -> None:
    assert deaggregate(record(data)) == [record(data)]


def test_without_the_right_checksum_it_is_a_record_of_its_own_as_for_kcl() -> None:
    data = base64.b64decode(BY_AWSLABS)
    for cut in range(1, len(data)):
        assert deaggregate(record(data[:cut])) == [record(data[:cut])]
    for at in range(len(MAGIC), len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert deaggregate(record(changed)) == [record(changed)]


KEY = b"\x0a\x01k"
BROKEN = {
    "no key table": b"\x1a\x04\x08\x00\x1a\x00",
    "an index past its table": KEY + b"\x1a\x04\x08\x01\x1a\x00",
    "a huge index": KEY + b"\x1a\x0d\x08" + b"\xff" * 9 + b"\x01\x1a\x00",
    "an index that wraps to 0 in 32 bits": KEY + b"\x1a\x08\x08\x80\x80\x80\x80\x10\x1a\x00",
    "a hash key index past its table": KEY + b"\x1a\x06\x08\x00\x10\x00\x1a\x00",
    "no data": KEY + b"\x1a\x02\x08\x00",
    "no key": KEY + b"\x1a\x02\x1a\x00",
    "an endless number": b"\xff" * 40,
    "a length past the end": b"\x0a\x7f",
    "a huge length": b"\x0a" + b"\xff" * 9 + b"\x01",
    "a member's data past the member": KEY + b"\x1a\x04\x08\x00\x1a\x7f" + bytes(200),
    "groups in groups": b"\x23" * 500_000,
    "an end of no group": b"\x24",
    "an unknown wire type": b"\x26",
    "field 0": b"\x02\x00",
    "a fixed field cut off": b"\x29\x00",
    "a fixed field cut off at the end": KEY * 3 + b"\x29" + bytes(7),
    "a number of eleven bytes": KEY + b"\x20" + b"\x80" * 10 + b"\x00",
    "a key that is not UTF-8": b"\x0a\x01\xff",
}


@pytest.mark.parametrize("message", BROKEN.values(), ids=BROKEN)
def test_a_broken_message_is_rejected_whole(message: bytes) -> None:
    broken = record(signed(message))
    with pytest.raises(InvalidRecord) as error:
        deaggregate(broken)
    assert error.value.reason == "bad_aggregate"
    assert last_sub_sequence(broken) == 0
    [batch] = taken_apart([broken])
    assert batch.records == [broken]
    assert batch.error is not None


def test_unknown_fields_and_tags_are_passed_over() -> None:
    unknown = b"\x20" + b"\xff" * 9 + b"\x01" + b"\x29" + bytes(8) + b"\x2d" + bytes(4) + b"\x32\x02zz"
    member = b"\x08\x00" + unknown + b"\x22\x03\x0a\x01t" + b"\x1a\x02ok"
    message = b"\x1a" + bytes([len(member)]) + member + unknown + KEY  # the table comes last
    assert inside(signed(message)) == [("k", b"ok")]
    for last in (b"\x29" + bytes(8), b"\x2d" + bytes(4), b"\x32\x00"):
        assert inside(signed(message + last)) == [("k", b"ok")]


@pytest.mark.parametrize(
    ("size", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (16_256, b"\x80\x7f"), (70_000, b"\xf0\xa2\x04")],
)
def test_a_number_is_written_in_as_few_bytes_as_it_needs(size: int, encoded: bytes) -> None:
    assert aggregate([Member("k", bytes(size))])[: -16 - size].endswith(b"\x1a" + encoded)


def test_an_aggregate_holds_so_many_records_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_MEMBERS == 65_536
    monkeypatch.setattr(aggregation, "MAX_MEMBERS", 3)
    most = [Member("k", b"")] * 3
    assert len(inside(aggregate(most))) == 3
    with pytest.raises(InvalidRecord, match="bad_aggregate"):
        deaggregate(record(aggregate([*most, Member("k", b"")])))


def test_an_aggregate_of_nothing_holds_nothing() -> None:
    assert deaggregate(record(signed(KEY))) == []
    assert last_sub_sequence(record(signed(KEY))) == 0


def outcome(message: bytes) -> str:
    """How taking apart ended; what it raises beside InvalidRecord is not caught."""
    try:
        found = deaggregate(record(signed(message)))
    except InvalidRecord as error:
        return error.reason
    return "read" if sum(len(one.data) for one in found) <= len(message) else "made up"


def test_whatever_is_changed_in_the_message_nothing_but_invalid_record_is_raised() -> None:
    rng = random.Random(4)
    message = base64.b64decode(BY_AWSLABS)[4:-16]
    outcomes = set()
    for at in range(len(message)):
        for value in {0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256), message[at] ^ 1}:
            outcomes.add(outcome(message[:at] + bytes([value]) + message[at + 1 :]))
        outcomes |= {outcome(message[: at + 1]), outcome(message[at:])}
    assert outcomes == {"read", "bad_aggregate"}


@given(st.binary(min_size=1, max_size=300))
def test_random_messages_raise_nothing_but_invalid_record(message: bytes) -> None:
    assert outcome(message) in ("read", "bad_aggregate")


def test_a_record_whose_hash_key_lies_elsewhere_is_handed_out_too() -> None:
    """KCL would drop the whole aggregate; what no producer puts again would be lost."""
    anywhere = [Member(f"{n}", b"x", str(n * 2**120)) for n in range(256)]
    assert len(inside(aggregate(anywhere))) == 256


def test_plain_records_of_a_fetch_stay_together_and_an_aggregate_comes_alone() -> None:
    plain = [record(b"a"), record(b"b")]
    [batch] = taken_apart(plain)
    assert (batch.records, batch.size_bytes, batch.error) == (plain, 2, None)
    packed = record(aggregate([Member("k", b"1"), Member("k", b"2")]))
    batches = list(taken_apart([record(b"a"), packed, record(b"b")]))
    assert [[one.data for one in batch.records] for batch in batches] == [[b"a"], [b"1", b"2"], [b"b"]]
    assert batches[1].size_bytes == len(packed.data)
    assert list(taken_apart([])) == [([], 0, None)]
