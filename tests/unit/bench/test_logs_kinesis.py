"""The log bench's Kinesis counts entries, in whatever records they come."""

from __future__ import annotations

import base64
import json

from bench.logs.kinesis import entries_in
from services.kernel.streams.aggregation import Member, aggregate

ENTRY = b'{"@timestamp":"2015-05-17T10:05:03.000Z","event":{"original":"{\\"@timestamp\\":1}"}}'


def _put(*records: bytes) -> bytes:
    found = [{"Data": base64.b64encode(data).decode(), "PartitionKey": "a/0"} for data in records]
    return json.dumps({"StreamName": "access-logs", "Records": found}, separators=(",", ":")).encode()


def test_entries_are_counted_within_records_and_aggregates() -> None:
    packed = aggregate([Member("a/0", ENTRY)] * 3)
    assert entries_in(_put(packed, ENTRY)) == 4
    assert entries_in(_put()) == 0
