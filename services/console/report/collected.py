"""What a report is about: a summary, and who came on each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.console import views
from services.console.logs.facets import Counted
from services.console.logs.search import Asked, Logs
from services.console.logs.summary import Summary, Visitors
from services.console.logs.time_range import DAY_MS, TimeRange, written

MAX_REPORT_DAYS = 92
VALUES = 10
"""Values of each list."""


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day, or the part of it that the report is about.

    Args:
        name: YYYY-MM-DD.
    """

    name: str
    visitors: Visitors


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown.

    Args:
        range: at most MAX_REPORT_DAYS.
        query: the query string, "" for every entry.
        days: in order.
        made_at_ms: milliseconds since the epoch.
    """

    range: TimeRange
    query: str
    summary: Summary
    days: Sequence[Day]
    made_at_ms: int

    @property
    def agents(self) -> Sequence[Counted]:
        """The most frequent programs: by name where the shipper recognises them, else as they call themselves."""
        named = self.summary.facets["browser"].values
        return named or self.summary.facets["agent"].values

    @property
    def bots(self) -> int:
        """Entries of known robots."""
        values = self.summary.facets["bot"].values
        return next((one.count for one in values if one.value is True), 0)

    def document(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "query": self.query,
            "made_at": written(self.made_at_ms),
            **views.summary(self.range, self.summary),
            "days": [{"day": day.name, "visitors": views.visitors(day.visitors)} for day in self.days],
        }


async def collect(logs: Logs, within: TimeRange, query: str, now_ms: int) -> Report:
    """Ask for everything, one search after another.

    Raises:
        QuerySyntaxError: the query string is not taken.
        TooSlow, Retryable: OpenSearch did not answer.
    """
    asked = Asked.of(within, query)
    summary = await logs.summary(asked, within.sensible_interval(), VALUES)
    days = [Day(_name(day), await logs.visitors(Asked(day, asked.filter))) for day in _days(within)]
    return Report(within, query, summary, days, now_ms)


def _days(within: TimeRange) -> list[TimeRange]:
    starts = range(within.from_ms // DAY_MS * DAY_MS, within.to_ms, DAY_MS)
    return [TimeRange(max(start, within.from_ms), min(start + DAY_MS, within.to_ms)) for start in starts]


def _name(day: TimeRange) -> str:
    return written(day.from_ms)[:10]
