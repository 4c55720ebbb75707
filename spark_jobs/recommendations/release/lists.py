"""The records of a version, read from its Parquet objects; memory is bounded by one batch of rows."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.parquet as parquet

from services.kernel.adapters.s3 import S3
from services.kernel.core.retry import Retry
from spark_jobs.recommendations.release import manifest as manifests
from spark_jobs.recommendations.release.errors import Unfit
from spark_jobs.recommendations.release.manifest import Manifest

Record = tuple[str, bytes]
"""A subject, and its record in JSON."""
_RANGE_BYTES = 8 * 1024 * 1024
_BATCH_ROWS = 256
_BUFFER_BYTES = 1024 * 1024
_TEXT = (pa.types.is_string, pa.types.is_large_string)
_BYTES = (*_TEXT, pa.types.is_binary, pa.types.is_large_binary)


class Digest:
    """What a manifest has of the records of a version: the same records, the same digest."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, subject: str, body: bytes) -> None:
        """Take in the next record in order of subject."""
        self._hash.update(subject.encode())
        self._hash.update(b"\0")
        self._hash.update(body)
        self._hash.update(b"\n")

    def text(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()


@dataclass(frozen=True)
class Lists:
    """The lists in one bucket."""

    s3: S3
    bucket: str
    retry: Retry

    async def records(self, manifest: Manifest) -> AsyncIterator[Record]:
        """Every record, as it lies there; whether they are in order, and whether each holds, is the caller's to see.

        Raises:
            Unfit: an object is gone, is no Parquet, or has other columns.
        """
        for name in manifest.files:
            with tempfile.TemporaryFile() as file:
                await self._fetch(manifest.version, name, file)
                file.seek(0)
                try:
                    for record in _rows(manifest.version, name, file):
                        yield record
                except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                    raise Unfit(manifest.version, [f"{name} is no Parquet file of lists"]) from error

    async def _fetch(self, version: str, name: str, file: IO[bytes]) -> None:
        key, start = manifests.key(version, name), 0
        while True:
            part = await self.retry.call(
                lambda start=start: self.s3.get_range(self.bucket, key, start, _RANGE_BYTES)  # type: ignore[misc]
            )
            if part is None:
                raise Unfit(version, [f"{name} is gone"])
            file.write(part)
            start += len(part)
            if len(part) < _RANGE_BYTES:
                return


def _rows(version: str, name: str, file: IO[bytes]) -> Iterator[Record]:
    opened = parquet.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    schema = opened.schema_arrow
    columns = {one.name: one.type for one in schema}
    if not (_is(columns.get("subject"), _TEXT) and _is(columns.get("body"), _BYTES)):
        raise Unfit(version, [f"{name}: columns {', '.join(map(str, schema))}; subject and body are needed"])
    for batch in opened.iter_batches(_BATCH_ROWS, columns=["subject", "body"], use_threads=False):
        subjects, bodies = (batch.column(one).to_pylist() for one in ("subject", "body"))
        for subject, body in zip(subjects, bodies, strict=True):
            if subject is None or body is None:
                raise Unfit(version, [f"{name}: a row without subject or body"])
            yield subject, body.encode() if isinstance(body, str) else body


def _is(type_: pa.DataType | None, kinds: tuple[object, ...]) -> bool:
    return type_ is not None and any(kind(type_) for kind in kinds)  # type: ignore[operator]
