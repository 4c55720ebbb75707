"""The logs, asked of OpenSearch: only the days that are asked about, only for a bounded time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.console.logs import entries, facets, filters, histogram, summary
from services.console.logs.entries import Page, Position
from services.console.logs.facets import Facet
from services.console.logs.fields import TIMESTAMP
from services.console.logs.filters import Filter
from services.console.logs.histogram import Histogram
from services.console.logs.summary import Summary, Visitors
from services.console.logs.time_range import TimeRange
from services.kernel.core.errors import CadabraError, TimedOut


class TooSlow(CadabraError):
    """The search was cancelled; a shorter range or a narrower query may be quicker."""


class SearchEngine(Protocol):
    """What is needed of OpenSearch."""

    async def search(
        self, pattern: str, body: Mapping[str, Any], *, timeout_s: float, ignore_missing: bool = True
    ) -> Mapping[str, Any]:
        """Search these indices, those of them that exist.

        Raises:
            TimedOut: it took longer; the engine was told to stop.
            Retryable: it cannot be reached or is too busy.
        """
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries are meant.

    Args:
        filter: of OpenSearch's query language, by `filters.filter_of`.
    """

    range: TimeRange
    filter: Filter

    @classmethod
    def of(cls, asked: TimeRange, query: str = "") -> Asked:
        """The entries of a range that match a query string.

        Raises:
            QuerySyntaxError: the query string is not of the syntax, or beyond its bounds.
        """
        return cls(asked, filters.filter_of(query))


class Logs:
    """Answers questions about entries.

    Every method raises TooSlow where a search took longer than `timeout_s`, and Retryable where OpenSearch cannot be
    reached. A day without an index has no entries; that is no error.

    Args:
        namespace: prefix of the indices.
        timeout_s: seconds that one search may take.
    """

    def __init__(self, engine: SearchEngine, namespace: str, timeout_s: float) -> None:
        self._engine = engine
        self._prefix = f"{namespace}-access-logs"
        self._timeout_s = timeout_s

    async def entries(self, asked: Asked, limit: int, after: Position | None = None) -> Page:
        """A page of entries, newest first.

        Args:
            limit: 1 to entries.MAX_LIMIT.
        """
        return entries.read(limit, await self._search(asked, entries.body(limit, after)))

    async def summary(self, asked: Asked, interval: str, size: int = summary.DEFAULT_VALUES) -> Summary:
        """Everything that is looked at first.

        Args:
            interval: of the histogram, one of INTERVALS_MS.
            size: values of each facet, 1 to summary.MAX_VALUES.
        """
        found = await self._aggregated(asked, summary.aggregations(interval, size))
        return summary.read(asked.range, interval, found)

    async def facet(self, asked: Asked, name: str, size: int) -> Facet:
        """The most frequent values of a field.

        Args:
            name: one of FACETS.
            size: 1 to facets.MAX_VALUES.
        """
        return facets.read(name, await self._aggregated(asked, facets.aggregations(name, size)))

    async def histogram(self, asked: Asked, interval: str) -> Histogram:
        """Entries over time by class of status.

        Args:
            interval: one of INTERVALS_MS, of which the range has at most MAX_BUCKETS.
        """
        found = await self._aggregated(asked, histogram.aggregations(interval))
        return histogram.read(asked.range, interval, found)

    async def visitors(self, asked: Asked) -> Visitors:
        """Who came."""
        return summary.read_visitors(await self._aggregated(asked, summary.visitor_aggregations()))

    async def _aggregated(self, asked: Asked, aggregations: Mapping[str, Any]) -> Mapping[str, Any]:
        body = {"size": 0, "track_total_hits": False, "aggs": aggregations}
        found: Mapping[str, Any] = (await self._search(asked, body)).get("aggregations", {})
        return found

    async def _search(self, asked: Asked, body: Mapping[str, Any]) -> Mapping[str, Any]:
        indices = ",".join(f"{self._prefix}-{day}" for day in asked.range.days())
        within = {"gte": asked.range.from_ms, "lt": asked.range.to_ms, "format": "epoch_millis"}
        query = {"bool": {"filter": [{"range": {TIMESTAMP: within}}, asked.filter]}}
        try:
            return await self._engine.search(indices, {"query": query, **body}, timeout_s=self._timeout_s)
        except TimedOut as error:
            raise TooSlow(f"the search took longer than {self._timeout_s:g} s") from error
