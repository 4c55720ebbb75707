"""The Parquet objects of an export: whether they are what the export says, and their rows as CSV."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from contracts.model import Boolean, Date, Decimal, Double, Int32, Int64, String, Timestamp, Type
from services.kernel.adapters.s3 import S3, ObjectInfo
from services.kernel.adapters.warehouse import Copy
from spark_jobs.warehouse.export import Export
from spark_jobs.warehouse.redshift import star
from spark_jobs.warehouse.redshift.comparing import digests_prefix
from spark_jobs.warehouse.redshift.exports import patient
from spark_jobs.warehouse.redshift.plan import DataAtFault

Columns = Sequence[tuple[str, Type]]
_DIGEST_COLUMNS: Columns = (
    ("table_name", String()),
    ("bucket", String()),
    ("rows_count", Int64()),
    ("first_half", Decimal(38, 0)),
    ("second_half", Decimal(38, 0)),
)
_AT_ONCE = 8
_FOOTER_BYTES = 64 * 1024
_TRAILER_BYTES = 8
_RANGE_BYTES = 8 * 1024 * 1024
_BATCH_ROWS = 16_384
_BUFFER_BYTES = 1024 * 1024
_IS: Mapping[type[Type], Callable[[Any], bool]] = {
    String: lambda found: pa.types.is_string(found) or pa.types.is_large_string(found),
    Int32: pa.types.is_int32,
    Int64: pa.types.is_int64,
    Double: pa.types.is_float64,
    Boolean: pa.types.is_boolean,
    Date: pa.types.is_date32,
    Timestamp: pa.types.is_timestamp,
}


@dataclass(frozen=True)
class Files:
    """The objects of one bucket."""

    s3: S3
    bucket: str

    async def hold(self, export: Export, digests: bool) -> None:
        """Refuse an export whose files are not those that its document tells of, before anything is begun.

        Args:
            digests: whether it has to have digests.

        Raises:
            DataAtFault: rows are missing, or a column is another one.
        """
        for name, table in star.tables().items():
            columns = [(field.name, field.type) for field in table.fields]
            await self._hold(export.tables[name].prefix, columns, export.tables[name].rows)
        if digests:
            await self.hold_digests(export.run)

    async def hold_digests(self, run: str) -> None:
        """Refuse an export whose digests are not there.

        Raises:
            DataAtFault: as said.
        """
        await self._hold(digests_prefix(run), _DIGEST_COLUMNS, None)

    async def rows(self, copy: Copy) -> AsyncIterator[bytes]:
        """All rows of a copy as CSV, whole lines at a time; memory is bounded, whatever the size of an object."""
        for found in await self._objects(copy.prefix):
            with tempfile.TemporaryFile() as file:
                await self._fetch(found, file)
                file.seek(0)
                for lines in _csv(file):
                    yield lines

    async def _hold(self, prefix: str, columns: Columns, rows: int | None) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def footer(found: ObjectInfo) -> tuple[str, Any]:
            async with slots:
                return found.key, await self._footer(found)

        seen = await asyncio.gather(*map(footer, await self._objects(prefix)))
        for key, metadata in seen:
            _hold_columns(key, metadata.schema.to_arrow_schema(), columns)
        there = sum(metadata.num_rows for _, metadata in seen)
        if there != rows if rows is not None else not there:
            said = "digests" if rows is None else f"{rows} rows"
            raise DataAtFault(
                f"{prefix}: {there} rows in {len(seen)} files, and the export tells of {said}: a file is missing, or "
                "there is one too many",
                prefix=prefix,
                rows=there,
                said=rows,
            )

    async def _objects(self, prefix: str) -> list[ObjectInfo]:
        async def listed() -> list[ObjectInfo]:
            return [one async for one in self.s3.list(self.bucket, prefix)]

        # Redshift's COPY passes over the same names.
        return [
            one for one in await patient(listed) if not one.key.removeprefix(prefix).startswith(("_", "."))
        ]

    async def _footer(self, found: ObjectInfo) -> Any:
        """The metadata at the end of an object: it says how long it is, in a trailer of 8 bytes."""
        length = min(found.size_bytes, _FOOTER_BYTES)
        tail = await self._range(found.key, found.size_bytes - length, length)
        needed = int.from_bytes(tail[-_TRAILER_BYTES:-4], "little") + _TRAILER_BYTES
        if length < needed <= found.size_bytes:
            tail = await self._range(found.key, found.size_bytes - needed, needed)
        try:
            return parquet.read_metadata(pa.BufferReader(tail))
        except (pa.ArrowException, OSError) as error:
            raise DataAtFault(f"{found.key} is no Parquet file", key=found.key) from error

    async def _fetch(self, found: ObjectInfo, file: IO[bytes]) -> None:
        for start in range(0, found.size_bytes, _RANGE_BYTES):
            file.write(await self._range(found.key, start, _RANGE_BYTES))

    async def _range(self, key: str, start: int, length: int) -> bytes:
        read = await patient(lambda: self.s3.get_range(self.bucket, key, start, max(length, 1)))
        if read is None:
            raise DataAtFault(f"{key} is gone", key=key)
        return read


def _hold_columns(key: str, schema: pa.Schema, columns: Columns) -> None:
    names = [name for name, _ in columns]
    if schema.names != names:
        raise DataAtFault(
            f"{key}: columns {', '.join(schema.names)}; the contract has {', '.join(names)}", key=key
        )
    for name, type_ in columns:
        if not _is(type_, schema.field(name).type):
            raise DataAtFault(
                f"{key}: column {name} is {schema.field(name).type}; the contract has {type_}", key=key
            )


def _is(type_: Type, found: pa.DataType) -> bool:
    if isinstance(type_, Decimal):
        return pa.types.is_decimal(found) and (found.precision, found.scale) == (type_.precision, type_.scale)
    return _IS[type(type_)](found)


def _csv(file: IO[bytes]) -> Iterator[bytes]:
    """A file's rows as CSV. Texts are in quotes, so that an empty one is not a null."""
    opened = parquet.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for batch in opened.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
        sink = pa.BufferOutputStream()
        csv.write_csv(
            pa.record_batch(list(map(_plain, batch.columns)), names=batch.schema.names), sink, options
        )
        yield sink.getvalue().to_pybytes()


def _plain(column: pa.Array) -> pa.Array:
    """A column as a warehouse's is: instants are UTC and have no zone."""
    return column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
