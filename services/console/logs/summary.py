"""The summary: everything that an operator looks at first, from one search. Pure.

Numbers of different values (addresses, agents) are estimated by HyperLogLog++, percentiles by HdrHistogram; everything
else is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.logs import facets, histogram
from services.console.logs.facets import Counted, Facet
from services.console.logs.fields import ADDRESS, AGENT, PATH, SIZE, STATUS, SUMMARY_FACETS
from services.console.logs.histogram import CLASSES, OTHER, Histogram
from services.console.logs.time_range import TimeRange

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
DEFAULT_VALUES = 10
MAX_VALUES = 50
_PRECISION = 3_000
"""Below so many different values OpenSearch's count is close to exact. Source: cardinality aggregation,
`precision_threshold`, https://docs.opensearch.org/2.19/aggregations/metric/cardinality/"""
_HISTOGRAM = {"hdr": {"number_of_significant_value_digits": 3}}
"""Percentiles by buckets that are 0.1 % wide: a third of what OpenSearch's t-digest costs."""
_VISITOR_AGENTS = 1_000
_VISITOR_PRECISION = 500


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bodies that were sent.

    Args:
        answers: entries that have a size.
        total_bytes, largest_bytes: over these; 0 where there is none.
        percentiles: size in bytes by percent, within 0.1 %; None where no entry has a size.
    """

    answers: int
    total_bytes: int
    largest_bytes: int
    percentiles: Mapping[float, float | None]


@dataclass(frozen=True, slots=True)
class Visitors:
    """Who came.

    Args:
        addresses, agents: different ones, estimated.
        pairs: different pairs of address and agent, estimated; no agent counts as one.
        uncounted: entries whose agent is too rare to be looked at for `pairs`.
    """

    addresses: int
    agents: int
    pairs: int
    uncounted: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A range of time in numbers.

    Args:
        classes: entries by class of status; they add up to `total`.
        facets: by their names, SUMMARY_FACETS.
        not_found: paths that were answered with 404, most frequent first.
    """

    total: int
    classes: Mapping[str, int]
    sizes: Sizes
    visitors: Visitors
    histogram: Histogram
    facets: Mapping[str, Facet]
    not_found: Sequence[Counted]

    @property
    def client_error_rate(self) -> float:
        """Share of the entries that were answered with 4xx, 0 to 1."""
        return self.classes["4xx"] / self.total if self.total else 0.0

    @property
    def server_error_rate(self) -> float:
        """Share of the entries that were answered with 5xx, 0 to 1."""
        return self.classes["5xx"] / self.total if self.total else 0.0


def aggregations(interval: str, size: int = DEFAULT_VALUES) -> dict[str, Any]:
    """What to ask of OpenSearch for a summary.

    Args:
        interval: of the histogram, one of INTERVALS_MS.
        size: values of each facet, 1 to MAX_VALUES.
    """
    asked: dict[str, Any] = {
        "total": {"filter": {"match_all": {}}},
        "classes": histogram.class_aggregation(),
        "sizes": {"stats": {"field": SIZE}},
        "percentiles": {"percentiles": {"field": SIZE, "percents": list(PERCENTILES), **_HISTOGRAM}},
        "not_found": _not_found(size),
        **visitor_aggregations(),
        **histogram.aggregations(interval),
    }
    for name in SUMMARY_FACETS:
        asked |= facets.aggregations(name, size)
    return asked


def visitor_aggregations() -> dict[str, Any]:
    """What to ask for to know who came; bounded by the number of agents that are looked at."""
    addresses = {"cardinality": {"field": ADDRESS, "precision_threshold": _VISITOR_PRECISION}}
    return {
        "addresses": {"cardinality": {"field": ADDRESS, "precision_threshold": _PRECISION}},
        "agents": {"cardinality": {"field": AGENT, "precision_threshold": _PRECISION}},
        "pairs": {
            "terms": {
                "field": AGENT,
                "size": _VISITOR_AGENTS,
                "shard_size": _VISITOR_AGENTS * 2,
                "missing": "-",
            },
            "aggs": {"addresses": addresses},
        },
    }


def _not_found(size: int) -> dict[str, Any]:
    terms = {"field": PATH, "size": size, "shard_size": facets.looked_at(size)}
    paths = {"terms": terms, "aggs": {"bytes": {"sum": {"field": SIZE}}}}
    return {"filter": {"term": {STATUS: 404}}, "aggs": {"paths": paths}}


def read(asked: TimeRange, interval: str, aggregated: Mapping[str, Any]) -> Summary:
    """Read a summary; where no index has the days, everything is zero."""
    steps = histogram.read(asked, interval, aggregated)
    found = {name: facets.read(name, aggregated) for name in SUMMARY_FACETS}
    if "total" not in aggregated:
        nothing = dict.fromkeys((*CLASSES, OTHER), 0)
        sizes = Sizes(0, 0, 0, dict.fromkeys(PERCENTILES))
        return Summary(0, nothing, sizes, Visitors(0, 0, 0, 0), steps, found, ())
    total = int(aggregated["total"]["doc_count"])
    return Summary(
        total,
        histogram.class_counts(total, aggregated["classes"]),
        _sizes(aggregated),
        read_visitors(aggregated),
        steps,
        found,
        facets.counted("path", aggregated["not_found"]["paths"]),
    )


def _sizes(aggregated: Mapping[str, Any]) -> Sizes:
    sizes, values = aggregated["sizes"], aggregated["percentiles"]["values"]
    return Sizes(
        int(sizes["count"]),
        int(sizes["sum"]),
        int(sizes["max"] or 0),
        {percent: values[str(percent)] for percent in PERCENTILES},
    )


def read_visitors(aggregated: Mapping[str, Any]) -> Visitors:
    """Read `visitor_aggregations`; zeros where no index has the days."""
    if "pairs" not in aggregated:
        return Visitors(0, 0, 0, 0)
    pairs = aggregated["pairs"]
    return Visitors(
        int(aggregated["addresses"]["value"]),
        int(aggregated["agents"]["value"]),
        sum(int(bucket["addresses"]["value"]) for bucket in pairs["buckets"]),
        int(pairs["sum_other_doc_count"]),
    )
