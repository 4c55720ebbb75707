"""Records of the stream `access-logs`, and an indexer over the memory twin at a fixed time."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from services.kernel.streams.records import Record
from services.log_indexer.index_days import IndexDays

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
FAMILY = "shop-access-logs"
DAYS = IndexDays(FAMILY, retention_days=30)
GENERATION = "0123456789abcdef0123456789abcdef"


def clock() -> float:
    """Always noon of the day."""
    return NOW.timestamp()


def an_entry(offset: int = 0, day: date | str = TODAY, host: str = "web-1", **fields: Any) -> dict[str, Any]:
    """An entry of one line, as the shipper writes it."""
    return {
        "@timestamp": f"{day}T10:00:00.000Z",
        "generation": GENERATION,
        "block": str(offset // 65_536),
        "index_day": str(day),
        "host": {"name": host},
        "log": {"file": {"path": "/var/log/apache2/access.log"}, "offset": offset},
        "event": {"created": "2026-03-01T11:59:58.500Z"},
        "http": {"response": {"status_code": 200}},
        "url": {"original": f"/{offset}", "path": f"/{offset}"},
        **fields,
    }


def a_record(offset: int = 0, day: date | str = TODAY, **fields: Any) -> Record:
    """The same as a record of the stream."""
    return as_record(json.dumps(an_entry(offset, day, **fields)).encode(), offset)


def as_record(data: bytes, number: int = 0) -> Record:
    """Any bytes as a record of the stream."""
    return Record("shardId-000000000000", number, GENERATION, data, 0)
