"""S3: whole objects put, read, listed and deleted.

An object is put in one request. S3 takes up to 5 GB that way, and nothing here writes more than a few dozen MB, so
there is no multipart upload that a crash could leave behind half done.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.kernel.adapters import sdk
from services.kernel.core.errors import (
    CadabraError,
    InvalidRecord,
    Misconfigured,
    MissingResource,
    TimedOut,
    Unavailable,
)

# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html: of this region alone none is named.
_UNNAMED_REGION = "us-east-1"
_NO_OBJECT = {"NoSuchKey"}
_NO_BUCKET = {"NoSuchBucket"}
# S3's own codes beside those that all services share.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_AGAIN = {"OperationAborted", "ConditionalRequestConflict"}
_MISCONFIGURED = {
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "InvalidAccessKeyId",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "PermanentRedirect",
}


class AlreadyThere(CadabraError):
    """An object of this key exists, and the call asked for it to be absent; nothing was written."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What S3 tells of an object without its bytes."""

    key: str
    size_bytes: int
    etag: str
    modified: datetime


class S3:
    """One client of S3; safe for concurrent calls, never retries what S3 has answered.

    A call whose connection turns out to be closed may go out once more, for each of them may be repeated.
    Every method raises Throttled, Unavailable or TimedOut (the call may have had its effect), MissingResource (no such
    bucket), Misconfigured (credentials, permissions, region) or Refused (a fault of the caller).
    """

    def __init__(self, client: Any, region: str) -> None:
        self._client = client
        self._region = region

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        endpoint: str | None,
        region: str,
        max_connections: int = 16,
        connect_timeout_s: float = 3.0,
        read_timeout_s: float = 60.0,
    ) -> AsyncIterator[S3]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL, None on AWS.
            max_connections: calls in flight at most; further ones wait for a free connection.
            read_timeout_s: without a byte from S3, after which a call is TimedOut.
        """
        session = sdk.new_session()
        async with sdk.client(
            session, "s3", endpoint, region, max_connections, connect_timeout_s, read_timeout_s
        ) as client:
            yield cls(client, region)

    async def put(self, bucket: str, key: str, body: bytes, *, if_absent: bool = False) -> str:
        """Put an object and return its ETag once it is durable; one of the same key is replaced whole.

        The SDK sends a checksum along, so what S3 has taken is what was given.

        Args:
            if_absent: only where there is none of this key.

        Raises:
            AlreadyThere: `if_absent`, and there is one.
        """
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        answer = await self._call(
            "put_object", f"{bucket}/{key}", Bucket=bucket, Key=key, Body=body, **condition
        )
        return str(answer["ETag"])

    async def get(self, bucket: str, key: str, *, max_bytes: int) -> bytes | None:
        """Read an object whole; None where there is none.

        Raises:
            InvalidRecord: `too_large`: it has more than `max_bytes`; nothing was read.
        """
        return await self._read(bucket, key, max_bytes, {})

    async def get_range(self, bucket: str, key: str, start: int, length: int) -> bytes | None:
        """Read `length` bytes from `start` on, fewer at the object's end; None where there is no object.

        Args:
            length: at least 1.
        """
        try:
            return await self._read(bucket, key, length, {"Range": f"bytes={start}-{start + length - 1}"})
        except _OutOfRange:
            return b""

    async def list(
        self, bucket: str, prefix: str, start_after: str | None = None
    ) -> AsyncIterator[ObjectInfo]:
        """Every object whose key begins with `prefix`, in the order of its key's bytes.

        Args:
            start_after: only keys behind this one.
        """
        more = {} if start_after is None else {"StartAfter": start_after}
        while True:
            answer = await self._call(
                "list_objects_v2", f"{bucket}/{prefix}", Bucket=bucket, Prefix=prefix, **more
            )
            for one in answer.get("Contents", []):
                yield ObjectInfo(str(one["Key"]), int(one["Size"]), str(one["ETag"]), one["LastModified"])
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    async def head(self, bucket: str, key: str) -> ObjectInfo | None:
        """Look at an object without reading it; None where there is none (or no bucket: S3 does not tell which)."""
        try:
            answer = await self._call("head_object", f"{bucket}/{key}", Bucket=bucket, Key=key)
        except _NoObject:
            return None
        return ObjectInfo(key, int(answer["ContentLength"]), str(answer["ETag"]), answer["LastModified"])

    async def delete(self, bucket: str, key: str) -> None:
        """Delete an object; none is fine."""
        await self._call("delete_object", f"{bucket}/{key}", Bucket=bucket, Key=key)

    async def create_bucket(self, bucket: str) -> bool:
        """Make a bucket, or find it ours already; whether it was made."""
        if await self.bucket_exists(bucket):
            return False  # asking to make it again is an error in every region but one
        where = (
            {}
            if self._region == _UNNAMED_REGION
            else {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        )
        try:
            await self._call("create_bucket", bucket, Bucket=bucket, **where)
        except _OursAlready:
            return False
        return True

    async def bucket_exists(self, bucket: str) -> bool:
        """Whether there is a bucket of this name that we may look at.

        Raises:
            Misconfigured: it is somebody else's, or the role may not look.
        """
        try:
            await self._call("head_bucket", bucket, Bucket=bucket)
        except (_NoObject, MissingResource):
            return False
        return True

    async def _read(self, bucket: str, key: str, max_bytes: int, how: dict[str, str]) -> bytes | None:
        what = f"{bucket}/{key}"
        try:
            answer = await self._call("get_object", what, Bucket=bucket, Key=key, **how)
        except _NoObject:
            return None
        async with answer["Body"] as body:
            if int(answer["ContentLength"]) > max_bytes:
                raise InvalidRecord(
                    "too_large", f"{what}: {answer['ContentLength']} bytes, {max_bytes} allowed"
                )
            try:
                return bytes(await body.read())
            except sdk.SDK_ERRORS as error:
                raise sdk.translate(error, f"get_object {what}") from error

    async def _call(self, operation: str, what: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        except sdk.SDK_ERRORS as error:
            raise _translate(error, f"{operation} {what}") from error
        return answer


class _NoObject(CadabraError):
    """There is no object of this key; a HEAD cannot say whether there is a bucket."""


class _OutOfRange(CadabraError):
    """The object ends before the range begins."""


class _OursAlready(CadabraError):
    """The bucket is there, and ours."""


def _translate(error: Any, what: str) -> CadabraError:
    code = sdk.error_code(error)
    named: dict[str, CadabraError] = {
        **dict.fromkeys(_NO_BUCKET, MissingResource(f"{what}: there is no such bucket")),
        # A HEAD has no body to say more in: its status is the code.
        **dict.fromkeys((*_NO_OBJECT, "404", "NotFound"), _NoObject(what)),
        **dict.fromkeys(("403", "Forbidden", *_MISCONFIGURED), Misconfigured(f"{what}: {code}")),
        **dict.fromkeys(_AGAIN, Unavailable(f"{what}: {code}")),
        "301": Misconfigured(f"{what}: the bucket is in another region"),
        "BucketAlreadyOwnedByYou": _OursAlready(what),
        "BucketAlreadyExists": Misconfigured(f"{what}: the bucket's name is somebody else's"),
        "InvalidRange": _OutOfRange(what),
        "416": _OutOfRange(what),
        "PreconditionFailed": AlreadyThere(what),
        "412": AlreadyThere(what),
        "RequestTimeout": TimedOut(f"{what}: {code}"),
    }
    return named.get(code) or sdk.translate(error, what)
