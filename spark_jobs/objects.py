"""Whole objects of the lake's bucket, for a job that has no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from services.kernel.adapters.s3 import S3, ObjectInfo
from services.kernel.core.retry import Retry
from spark_jobs.settings import SparkSettings

T = TypeVar("T")
_PATIENCE_S = 20.0
_MAX_BYTES = 2**20


class Objects:
    """The lake's bucket. An S3 that is away is waited for, 20 s a call.

    Every method raises what `services.kernel.adapters.s3.S3` raises.
    """

    def __init__(self, settings: SparkSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket

    def list(self, prefix: str) -> list[ObjectInfo]:
        """Every object below a prefix, in the order of keys."""

        async def listed(s3: S3) -> list[ObjectInfo]:
            return [one async for one in s3.list(self._bucket, prefix)]

        return self._call(listed)

    def put(self, key: str, text: str) -> None:
        """Put a small object."""
        self.put_bytes(key, text.encode())

    def put_bytes(self, key: str, body: bytes) -> None:
        """Put an object of at most 5 GB, in one request."""

        async def put(s3: S3) -> None:
            await s3.put(self._bucket, key, body)

        self._call(put)

    def get(self, key: str) -> str | None:
        """Read a small object, of at most 1 MiB; None where there is none."""

        async def got(s3: S3) -> bytes | None:
            return await s3.get(self._bucket, key, max_bytes=_MAX_BYTES)

        body = self._call(got)
        return None if body is None else body.decode()

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is fine."""

        async def deleted(s3: S3) -> None:
            for key in keys:
                await s3.delete(self._bucket, key)

        self._call(deleted)

    def _call(self, what: Callable[[S3], Awaitable[T]]) -> T:
        async def once() -> T:
            async with S3.open(self._settings.s3_endpoint, self._settings.region) as s3:
                return await Retry(budget_s=_PATIENCE_S).call(lambda: what(s3))

        return asyncio.run(once())
