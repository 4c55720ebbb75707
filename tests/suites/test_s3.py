"""One suite for every S3 that we have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.kernel.adapters.s3 import S3, AlreadyThere
from services.kernel.core.errors import InvalidRecord, MissingResource, Unavailable
from tests.fault.proxy import FaultProxy
from tests.memory.s3 import MemoryS3


@pytest.fixture(params=["memory", "engine"])
async def s3(request: pytest.FixtureRequest) -> AsyncIterator[S3]:
    if request.param == "memory":
        yield MemoryS3()
        return
    async with S3.open(request.getfixturevalue("aws_endpoint"), "us-east-1") as client:
        yield client


@pytest.fixture
async def bucket(s3: S3, namespace: str) -> str:
    assert await s3.create_bucket(f"{namespace}-lake")
    return f"{namespace}-lake"


async def keys(s3: S3, bucket: str, prefix: str, start_after: str | None = None) -> list[str]:
    return [found.key async for found in s3.list(bucket, prefix, start_after)]


async def test_a_bucket_is_made_once(s3: S3, namespace: str) -> None:
    name = f"{namespace}-other"
    assert not await s3.bucket_exists(name)
    assert await s3.create_bucket(name)
    assert not await s3.create_bucket(name)
    assert await s3.bucket_exists(name)


async def test_an_object_comes_back_as_it_was_put(s3: S3, bucket: str) -> None:
    body = bytes(range(256)) * 5_000
    key = "landing/orders/v1/ingested_hour=2026-11-27T05/a b+c.parquet"
    etag = await s3.put(bucket, key, body)
    assert await s3.get(bucket, key, max_bytes=len(body)) == body
    info = await s3.head(bucket, key)
    assert info is not None
    assert (info.key, info.size_bytes, info.etag) == (key, len(body), etag)
    assert info.modified.tzinfo is not None
    assert await s3.put(bucket, key, body) == etag
    assert await s3.put(bucket, key, b"") != etag
    assert await s3.get(bucket, key, max_bytes=0) == b""


async def test_what_is_not_there_is_none(s3: S3, bucket: str) -> None:
    assert await s3.get(bucket, "none", max_bytes=1) is None
    assert await s3.get_range(bucket, "none", 0, 1) is None
    assert await s3.head(bucket, "none") is None
    await s3.delete(bucket, "none")


async def test_an_object_above_the_limit_is_not_read(s3: S3, bucket: str) -> None:
    await s3.put(bucket, "key", b"12345")
    with pytest.raises(InvalidRecord, match="5 bytes, 4 allowed"):
        await s3.get(bucket, "key", max_bytes=4)


async def test_a_range_ends_with_the_object(s3: S3, bucket: str) -> None:
    await s3.put(bucket, "key", b"0123456789")
    wanted = {(0, 4): b"0123", (6, 4): b"6789", (6, 400): b"6789", (9, 1): b"9", (10, 5): b"", (50, 5): b""}
    for (start, length), expected in wanted.items():
        assert await s3.get_range(bucket, "key", start, length) == expected


async def test_of_many_that_put_where_nothing_is_one_wins(s3: S3, bucket: str) -> None:
    async def one(number: int) -> int | None:
        try:
            await s3.put(bucket, "only", b"%d" % number, if_absent=True)
        except AlreadyThere:
            return None
        return number

    winners = [won for won in await asyncio.gather(*map(one, range(8))) if won is not None]
    assert len(winners) == 1
    assert await s3.get(bucket, "only", max_bytes=1) == b"%d" % winners[0]
    await s3.put(bucket, "only", b"other")
    assert await s3.get(bucket, "only", max_bytes=5) == b"other"


async def test_a_list_is_whole_ordered_and_goes_on_behind_a_key(s3: S3, bucket: str) -> None:
    """More than the 1,000 keys that one answer holds."""
    names = [f"a/{number:04}" for number in range(1_050)]
    await asyncio.gather(*(s3.put(bucket, name, b"x") for name in [*names, "b/1"]))
    assert await keys(s3, bucket, "a/") == names
    assert await keys(s3, bucket, "a/", names[1_000]) == names[1_001:]
    assert await keys(s3, bucket, "c/") == []
    await s3.delete(bucket, names[0])
    assert (await keys(s3, bucket, "a/"))[0] == names[1]


async def test_a_bucket_that_is_not_there_is_named(s3: S3, namespace: str) -> None:
    gone = f"{namespace}-gone"
    with pytest.raises(MissingResource, match=gone):
        await s3.put(gone, "key", b"x")
    with pytest.raises(MissingResource, match=gone):
        await s3.get(gone, "key", max_bytes=1)
    with pytest.raises(MissingResource, match=gone):
        await keys(s3, gone, "")


async def test_an_s3_that_is_away_is_a_retryable_error(aws_endpoint: str, namespace: str) -> None:
    async with FaultProxy(aws_endpoint) as proxy, S3.open(proxy.url, "us-east-1") as s3:
        await s3.create_bucket(f"{namespace}-away")
        rule = proxy.outage()
        for _ in range(4):  # by a coin a cut connection or a 503
            with pytest.raises(Unavailable):
                await s3.put(f"{namespace}-away", "key", b"x" * 100_000)
        assert rule.hits >= 4
        rule.lift()
        assert await s3.put(f"{namespace}-away", "key", b"x" * 100_000)
