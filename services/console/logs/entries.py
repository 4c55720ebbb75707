"""Entries page by page, newest first; a cursor is where the page before ended. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.console.logs.fields import TIMESTAMP

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
MAX_COUNTED = 10_000
"""Matches are counted up to here; beyond, `at least`."""
MAX_PAGE_BYTES = 4 * 1024 * 1024
MAX_CURSOR_CHARACTERS = 1_024
_SORT = (TIMESTAMP, "host.name", "generation", "log.offset")
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Position:
    """An entry's place in the order of pages: its time, and its identity."""

    at_ms: int
    host: str
    generation: str
    offset: int


@dataclass(frozen=True, slots=True)
class Found:
    """One entry.

    Args:
        id: of the document; never another entry's.
        entry: by the contract access_log_entry/1, as it was stored.
    """

    id: str
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first.

    Args:
        total: matches, at most MAX_COUNTED.
        total_is_exact: False where there are more.
        after: where the next page begins, None where nothing can follow.
    """

    entries: Sequence[Found]
    total: int
    total_is_exact: bool
    after: Position | None


def body(limit: int, after: Position | None) -> dict[str, Any]:
    """What to ask of OpenSearch for a page."""
    asked: dict[str, Any] = {
        "size": limit,
        "track_total_hits": MAX_COUNTED,
        "sort": [{field: "desc"} for field in _SORT],
    }
    if after is not None:
        asked["search_after"] = [after.at_ms, after.host, after.generation, after.offset]
    return asked


def read(limit: int, answer: Mapping[str, Any]) -> Page:
    """Read a page; it ends early where its entries would be more than MAX_PAGE_BYTES, but holds at least one."""
    hits = answer["hits"]["hits"]
    shown: list[Found] = []
    size_bytes = 0
    for hit in hits:
        size_bytes += len(msgspec.json.encode(hit["_source"]))
        if shown and size_bytes > MAX_PAGE_BYTES:
            break
        shown.append(Found(hit["_id"], hit["_source"]))
    more = len(shown) < len(hits) or len(hits) == limit
    total = answer["hits"]["total"]
    return Page(
        shown,
        int(total["value"]),
        total["relation"] == "eq",
        Position(*hits[len(shown) - 1]["sort"]) if shown and more else None,
    )


def cursor_of(position: Position) -> str:
    """A position as text for an address."""
    values = [position.at_ms, position.host, position.generation, position.offset]
    packed = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def position_of(cursor: str) -> Position | None:
    """Read a cursor; every caller may see every entry, so it needs no signature. None where it is none of ours."""
    if len(cursor) > MAX_CURSOR_CHARACTERS or not cursor.isascii():
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at_ms, host, generation, offset = msgspec.json.decode(packed, type=tuple[int, str, str, int])
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    if at_ms not in _INT64 or offset not in _INT64:
        return None
    position = Position(at_ms, host, generation, offset)
    return position if cursor_of(position) == cursor else None
