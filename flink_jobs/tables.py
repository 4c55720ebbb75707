"""Tables over streams: the columns that the contracts render, a connector and its options. Pure: needs no Flink."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts import catalog
from contracts.model import Contract

GENERATED = Path(catalog.__file__).parent / "generated" / "flink"
# Bytes as a text in which each character stands for one byte. As BYTES they would reach Python element by element:
# 200 microseconds a record of 3.5 KB (measured). As a text of UTF-8 what is not UTF-8 would be lost.
RAW = "`data` STRING"
RAW_FORMAT = {"format": "raw", "raw.charset": "ISO-8859-1"}


def create(name: str, columns: str, options: Mapping[str, str], partitioned_by: str = "") -> str:
    """The statement that makes a table of this session."""
    given = ",\n  ".join(f"{_text(key)} = {_text(value)}" for key, value in options.items())
    partitioning = f" PARTITIONED BY ({partitioned_by})" if partitioned_by else ""
    return f"CREATE TEMPORARY TABLE `{name}` (\n  {columns}\n){partitioning} WITH (\n  {given}\n)"


def source(name: str, options: Mapping[str, str]) -> str:
    """A table of the bytes of a stream's records, as they are: what cannot be decoded is not lost before a look."""
    return create(name, RAW, {"connector": "kinesis", **options, **RAW_FORMAT})


def sink(name: str, stream: str, options: Mapping[str, str]) -> str:
    """A table that writes the records of a stream's contract, each under the partition key that its stream states.

    Args:
        name: of the table.
        stream: logical name, as in `contracts/streams/`.
    """
    rendered = _rendered(stream)
    key = rendered["partition_key"]
    delimiter = {"sink.partitioner-field-delimiter": key["delimiter"]} if key["delimiter"] else {}
    all_options = {"connector": "kinesis", **options, **delimiter, "format": "json"}
    partitioned_by = ", ".join(f"`{column}`" for column in key["columns"])
    return create(name, columns(stream), all_options, partitioned_by)


def columns(stream: str) -> str:
    """The column list of a stream's records."""
    return ",\n  ".join(_rendered(stream)["columns"])


def contract_of(stream: str) -> Contract:
    """The contract of a stream's records."""
    name, _, version = str(_rendered(stream)["contract"]).partition("/")
    return catalog.contract(name, int(version))


def record_bytes(text: str | None) -> bytes:
    """The bytes of a record, from a column of `RAW`."""
    return (text or "").encode("latin-1")


def stream_name(arn: str) -> str:
    """The physical name of the stream that an ARN stands for."""
    return arn.rpartition("/")[2]


def _rendered(stream: str) -> dict[str, Any]:
    return dict(json.loads((GENERATED / f"{stream}.json").read_text(encoding="utf-8")))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
