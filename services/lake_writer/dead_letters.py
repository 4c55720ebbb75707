"""The stream `rejected` as rows of its own contract: one for each record, its bytes in base64 as they stand there."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from contracts import catalog, codec
from contracts.codec import ContractViolation, Rejected
from services.kernel.core.errors import Detail, InvalidRecord
from services.kernel.streams.records import Record
from services.lake_writer import columns
from services.lake_writer.rows import Decoded, Format

_SCHEMA = columns.schema(catalog.contract("rejected", 1))
_decode = codec.decoder("rejected", 1)


def decode(record: Record) -> Decoded[Rejected]:
    """Read a record by the contract `rejected/1`.

    Raises:
        InvalidRecord: it is no dead letter. It becomes one, and is archived as that.
    """
    try:
        return Decoded(record, _decode(record.data), 1)
    except ContractViolation as violation:
        details = [Detail(fault.pointer, fault.reason) for fault in violation.details]
        raise InvalidRecord(violation.reason, violation.message, details) from violation


def batch(decoded: Sequence[Decoded[Rejected]]) -> pa.RecordBatch:
    """Make one row of each dead letter."""
    letters = [msgspec.to_builtins(one.value) for one in decoded]
    found = [columns.column(field.type, [letter[field.name] for letter in letters]) for field in _SCHEMA]
    return pa.record_batch(found, schema=_SCHEMA)


FORMAT = Format(_SCHEMA, decode, batch)
