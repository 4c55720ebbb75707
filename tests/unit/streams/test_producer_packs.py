"""What goes into one aggregate: records of one hash key, so that no reshard parts them; and what it saves."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.streams.aggregation import deaggregate
from services.kernel.streams.producer import Producer
from services.kernel.streams.producer_packs import MAX_GROUPS, Packs, group_keys
from tests.memory.kinesis import MemoryKinesis

STREAM = "small"
UNIT_BYTES = (
    25 * 1024
)  # what one PUT payload unit holds. Source: https://aws.amazon.com/kinesis/data-streams/pricing/


def hash_key(key: str) -> int:
    return int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest(), "big")


@pytest.mark.parametrize("groups", [1, 2, 64, MAX_GROUPS])
def test_each_group_has_a_key_whose_hash_lies_in_it(groups: int) -> None:
    width = 2**128 // groups
    for group, (name, explicit) in enumerate(group_keys(groups)):
        assert int(explicit) == hash_key(name)
        assert int(explicit) // width == group


def test_the_keys_of_the_groups_never_change() -> None:
    """Another name would send a key's records to another shard: order would break over a release."""
    assert hashlib.sha256(repr(group_keys(64)).encode()).hexdigest()[:16] == "c93786b82e6325be"


@given(st.text(min_size=1, max_size=30))
def test_a_key_goes_where_it_would_have_gone_by_itself_among_shards_of_equal_size(key: str) -> None:
    packs = Packs(64, 10, 1_000)
    put_under = packs.key_of(packs.group_of(key))
    for shards in (1, 2, 4, 16, 64):
        assert hash_key(put_under) * shards >> 128 == hash_key(key) * shards >> 128


@pytest.mark.parametrize("groups", [0, 3, 512])
def test_groups_are_a_power_of_two(groups: int) -> None:
    with pytest.raises(ValueError, match="groups"):
        Packs(groups, 10, 1_000)


def test_an_aggregate_has_at_least_one_record() -> None:
    with pytest.raises(ValueError, match="records"):
        Packs(64, 0, 1_000)


async def test_small_records_share_put_payload_units() -> None:
    """10,000 records of 100 bytes: 10,000 units and 20 calls by themselves, 64 to 128 and one packed."""
    units = Counter[str]()
    calls = Counter[str]()
    for name, packed in (("alone", False), ("packed", True)):
        kinesis = MemoryKinesis()
        await kinesis.create_stream(STREAM, 4)
        producer = Producer(kinesis, STREAM, linger_s=0.2, aggregate=packed)
        await asyncio.gather(*(producer.put(f"device-{n}", b"%0100d" % n) for n in range(10_000)))
        await producer.drain()
        found = kinesis.records(STREAM)
        assert sum(len(deaggregate(one)) for one in found) == 10_000
        units[name] = sum(math.ceil(len(one.data) / UNIT_BYTES) for one in found)
        calls[name] = len(kinesis.batches)
    assert units["alone"] == 10_000
    assert 10_000 / units["packed"] > 75
    assert calls["packed"] < calls["alone"] / 2
