"""Requests over time by class of status, in steps without gaps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.logs.fields import STATUS, TIMESTAMP
from services.console.logs.time_range import INTERVALS_MS, TimeRange

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
OTHER = "other"
"""Entries without a status, or with one of no class."""
_NAME = "histogram"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of time.

    Args:
        at_ms: its beginning, milliseconds since the epoch.
        total: entries in it.
        classes: entries by class of status, OTHER included; they add up to `total`.
    """

    at_ms: int
    total: int
    classes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Steps of one length that cover a range, in order.

    Args:
        interval: one of INTERVALS_MS.
    """

    interval: str
    steps: Sequence[Step]


def class_aggregation() -> dict[str, Any]:
    """Entries by class of status."""
    ranges = [{"key": name, "from": int(name[0]) * 100, "to": (int(name[0]) + 1) * 100} for name in CLASSES]
    return {"range": {"field": STATUS, "keyed": True, "ranges": ranges}}


def class_counts(total: int, aggregated: Mapping[str, Any]) -> dict[str, int]:
    """Read `class_aggregation`; what is in no class is OTHER."""
    counts = {name: int(aggregated["buckets"][name]["doc_count"]) for name in CLASSES}
    return {**counts, OTHER: total - sum(counts.values())}


def aggregations(interval: str) -> dict[str, Any]:
    """What to ask of OpenSearch for a histogram.

    Args:
        interval: one of INTERVALS_MS; the caller has looked at how many steps the range has of them.
    """
    steps = {"field": TIMESTAMP, "fixed_interval": f"{INTERVALS_MS[interval]}ms", "min_doc_count": 1}
    return {_NAME: {"date_histogram": steps, "aggs": {"classes": class_aggregation()}}}


def read(asked: TimeRange, interval: str, aggregated: Mapping[str, Any]) -> Histogram:
    """Read a histogram; a step that OpenSearch does not name, or a day without an index, has zeros."""
    buckets = aggregated.get(_NAME, {"buckets": []})["buckets"]
    found = {int(bucket["key"]): bucket for bucket in buckets}
    return Histogram(interval, [_step(at_ms, found.get(at_ms)) for at_ms in asked.buckets(interval)])


def _step(at_ms: int, bucket: Mapping[str, Any] | None) -> Step:
    if bucket is None:
        return Step(at_ms, 0, dict.fromkeys((*CLASSES, OTHER), 0))
    total = int(bucket["doc_count"])
    return Step(at_ms, total, class_counts(total, bucket["classes"]))
