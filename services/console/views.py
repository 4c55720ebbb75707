"""What the API shows, as JSON documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.console.logs import entries
from services.console.logs.entries import Page
from services.console.logs.facets import Counted, Facet
from services.console.logs.histogram import Histogram
from services.console.logs.summary import Summary, Visitors
from services.console.logs.time_range import TimeRange, written


def range_of(within: TimeRange) -> dict[str, Any]:
    """The range that an answer is about."""
    return {"from": written(within.from_ms), "to": written(within.to_ms)}


def page(within: TimeRange, found: Page) -> dict[str, Any]:
    """A page of entries."""
    return {
        **range_of(within),
        "total": {"value": found.total, "exact": found.total_is_exact},
        "entries": [{"id": one.id, "entry": one.entry} for one in found.entries],
        "next_cursor": entries.cursor_of(found.after) if found.after is not None else None,
    }


def facet(found: Facet) -> dict[str, Any]:
    """A facet."""
    return {
        "values": counted(found.values),
        "others": found.others,
        "missing": found.missing,
        "error_at_most": found.error_at_most,
    }


def counted(values: Sequence[Counted]) -> list[dict[str, Any]]:
    """Values with their counts."""
    return [{"value": one.value, "count": one.count, "bytes": one.size_bytes} for one in values]


def histogram(found: Histogram) -> dict[str, Any]:
    """Steps of time."""
    return {
        "interval": found.interval,
        "steps": [
            {"at": written(step.at_ms), "total": step.total, "classes": dict(step.classes)}
            for step in found.steps
        ],
    }


def visitors(found: Visitors) -> dict[str, Any]:
    """Who came."""
    return {
        "addresses": found.addresses,
        "agents": found.agents,
        "address_and_agent": found.pairs,
        "uncounted_entries": found.uncounted,
    }


def summary(within: TimeRange, found: Summary) -> dict[str, Any]:
    """The summary."""
    sizes = found.sizes
    return {
        **range_of(within),
        "total": found.total,
        "classes": dict(found.classes),
        "error_rate": {"4xx": found.client_error_rate, "5xx": found.server_error_rate},
        "bytes": {
            "answers": sizes.answers,
            "total": sizes.total_bytes,
            "largest": sizes.largest_bytes,
            "percentiles": {f"p{percent:g}": size for percent, size in sizes.percentiles.items()},
        },
        "visitors": visitors(found.visitors),
        "histogram": histogram(found.histogram),
        "facets": {name: facet(one) for name, one in found.facets.items()},
        "not_found": counted(found.not_found),
    }
