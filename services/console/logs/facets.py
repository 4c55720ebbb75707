"""Facets: the most frequent values of a field, with how often each occurs and the bytes that were sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.logs.fields import FACETS, SIZE, Kind

MAX_VALUES = 1_000
_LEAST_LOOKED_AT = 1_000
"""Values that each shard proposes at least; more make counts of rare values over several days truer."""

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Counted:
    """One value of a field.

    Args:
        count: entries that have it.
        size_bytes: bytes of the bodies that these were answered with.
    """

    value: Value
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Facet:
    """The most frequent values of a field.

    Args:
        values: most frequent first.
        others: entries with another value.
        missing: entries without the field.
        error_at_most: how much too small a count may be, where many values share several days.
    """

    values: Sequence[Counted]
    others: int
    missing: int
    error_at_most: int


def aggregations(name: str, size: int) -> dict[str, Any]:
    """What to ask of OpenSearch for a facet: two aggregations, named after it.

    Args:
        name: one of FACETS.
        size: values wanted, 1 to MAX_VALUES.
    """
    path = FACETS[name].path
    terms = {"field": path, "size": size, "shard_size": looked_at(size)}
    return {
        f"facet:{name}": {"terms": terms, "aggs": {"bytes": {"sum": {"field": SIZE}}}},
        f"missing:{name}": {"missing": {"field": path}},
    }


def looked_at(size: int) -> int:
    """Values that each shard proposes for a list of `size`."""
    return max(_LEAST_LOOKED_AT, size * 2)


def read(name: str, aggregated: Mapping[str, Any]) -> Facet:
    """Read a facet from OpenSearch's answer; without one (no index has the days) it is empty."""
    terms = aggregated.get(f"facet:{name}")
    if terms is None:
        return Facet((), 0, 0, 0)
    return Facet(
        counted(name, terms),
        int(terms["sum_other_doc_count"]),
        int(aggregated[f"missing:{name}"]["doc_count"]),
        max(0, int(terms["doc_count_error_upper_bound"])),
    )


def counted(name: str, terms: Mapping[str, Any]) -> tuple[Counted, ...]:
    """Read the buckets of a `terms` aggregation over the facet's field."""
    flag = FACETS[name].kind is Kind.FLAG
    return tuple(
        Counted(
            bool(bucket["key"]) if flag else bucket["key"],
            int(bucket["doc_count"]),
            int(bucket["bytes"]["value"]),
        )
        for bucket in terms["buckets"]
    )
