"""S3 in memory: buckets of whole objects, with faults on demand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from services.kernel.adapters.s3 import S3, AlreadyThere, ObjectInfo
from services.kernel.core.errors import InvalidRecord, MissingResource

Fault = Callable[[str], BaseException | None]


async def _at_once() -> None:
    await asyncio.sleep(0)


class MemoryS3(S3):
    """An S3 without a network.

    `fault` is asked before every call with the operation's name and may return an error to raise; `fault_after` the
    same once the effect has happened: an answer that is lost. `before_put` is awaited before an object is there, so
    that a test decides in which order puts end.
    """

    def __init__(self) -> None:
        super().__init__(client=None, region="us-east-1")
        self.fault: Fault = lambda _operation: None
        self.fault_after: Fault = lambda _operation: None
        self.before_put: Callable[[str], Awaitable[None]] = lambda _key: _at_once()
        self.puts = 0
        self._buckets: dict[str, dict[str, tuple[bytes, ObjectInfo]]] = {}

    async def put(self, bucket: str, key: str, body: bytes, *, if_absent: bool = False) -> str:
        self._check("put_object")
        await self.before_put(key)
        objects = self._objects(bucket)
        if if_absent and key in objects:
            raise AlreadyThere(f"{bucket}/{key}")
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        objects[key] = (bytes(body), ObjectInfo(key, len(body), etag, datetime.now(UTC)))
        self.puts += 1
        self._check("put_object", after=True)
        return etag

    async def get(self, bucket: str, key: str, *, max_bytes: int) -> bytes | None:
        self._check("get_object")
        found = self._objects(bucket).get(key)
        if found is None:
            return None
        if len(found[0]) > max_bytes:
            raise InvalidRecord("too_large", f"{bucket}/{key}: {len(found[0])} bytes, {max_bytes} allowed")
        return found[0]

    async def get_range(self, bucket: str, key: str, start: int, length: int) -> bytes | None:
        self._check("get_object")
        found = self._objects(bucket).get(key)
        return None if found is None else found[0][start : start + length]

    async def list(
        self, bucket: str, prefix: str, start_after: str | None = None
    ) -> AsyncIterator[ObjectInfo]:
        self._check("list_objects_v2")
        objects = self._objects(bucket)
        for key in sorted(objects, key=str.encode):
            if key.startswith(prefix) and (start_after is None or key.encode() > start_after.encode()):
                yield objects[key][1]

    async def head(self, bucket: str, key: str) -> ObjectInfo | None:
        self._check("head_object")
        found = self._buckets.get(bucket, {}).get(key)
        return None if found is None else found[1]

    async def delete(self, bucket: str, key: str) -> None:
        self._check("delete_object")
        self._objects(bucket).pop(key, None)

    async def create_bucket(self, bucket: str) -> bool:
        self._check("create_bucket")
        if bucket in self._buckets:
            return False
        self._buckets[bucket] = {}
        return True

    async def bucket_exists(self, bucket: str) -> bool:
        self._check("head_bucket")
        return bucket in self._buckets

    def _objects(self, bucket: str) -> dict[str, tuple[bytes, ObjectInfo]]:
        if bucket not in self._buckets:
            raise MissingResource(f"{bucket}: there is no such bucket")
        return self._buckets[bucket]

    def _check(self, operation: str, after: bool = False) -> None:
        error = (self.fault_after if after else self.fault)(operation)
        if error is not None:
            raise error
