"""Reports for tests, made without OpenSearch."""

from __future__ import annotations

from collections.abc import Sequence

from services.console.logs.facets import Counted, Facet, Value
from services.console.logs.fields import SUMMARY_FACETS
from services.console.logs.histogram import CLASSES, OTHER, Histogram, Step
from services.console.logs.summary import Sizes, Summary, Visitors
from services.console.logs.time_range import DAY_MS, TimeRange, milliseconds
from services.console.report.collected import Day, Report

FROM_MS = milliseconds("2026-03-01") or 0
RANGE = TimeRange(FROM_MS, FROM_MS + 2 * DAY_MS)
MADE_AT_MS = milliseconds("2026-03-03T08:30:00Z") or 0
HOUR_MS = 3_600_000


def facet(*values: tuple[Value, int, int]) -> Facet:
    """A facet of these values: what, how often, bytes."""
    return Facet(tuple(Counted(*value) for value in values), 0, 0, 0)


def a_report(
    paths: Sequence[tuple[Value, int, int]] = (("/", 700, 7_000_000), ("/wp-login.php", 60, 18_000)),
    query: str = "",
    hosts: Sequence[tuple[Value, int, int]] = (("web-1", 600, 6_000_000), ("web-2", 400, 4_000_000)),
) -> Report:
    """Two days with 1,000 requests, a quiet night and an outage."""
    steps = [_step(hour) for hour in range(48)]
    classes = {name: sum(step.classes[name] for step in steps) for name in (*CLASSES, OTHER)}
    total = sum(step.total for step in steps)
    facets = {name: facet() for name in SUMMARY_FACETS} | {
        "path": facet(*paths),
        "status": facet((200, 900, 9_000_000), (404, 60, 18_000)),
        "referrer": facet(
            ("https://example.org/a/rather/long/place/that/does/not/fit/into/its/column?q=1", 90, 0)
        ),
        "browser": facet(("Firefox", 500, 5_000_000), ("Googlebot", 200, 100_000)),
        "os": facet(("Linux", 450, 4_000_000)),
        "country": facet(("DE", 600, 6_000_000), ("FR", 150, 1_500_000)),
        "bot": facet((False, 800, 8_000_000), (True, 200, 100_000)),
        "method": facet(("GET", 990, 9_900_000), ("POST", 10, 100_000)),
        "host": facet(*hosts),
    }
    sizes = Sizes(
        total, 10_018_000, 9_000_000, {50.0: 1_234.0, 90.0: 20_480.0, 95.0: 99_999.0, 99.0: 1_500_000.0}
    )
    summary = Summary(
        total,
        classes,
        sizes,
        Visitors(120, 30, 150, 0),
        Histogram("1h", steps),
        facets,
        (Counted("/wp-login.php", 60, 18_000), Counted("/.env", 5, 1_500)),
    )
    days = [Day("2026-03-01", Visitors(70, 20, 90, 0)), Day("2026-03-02", Visitors(60, 18, 75, 0))]
    return Report(RANGE, query, summary, days, MADE_AT_MS)


def _step(hour: int) -> Step:
    total = 0 if hour % 24 < 4 else 10 + 2 * (hour % 24)
    failed = total // 2 if hour == 30 else 0
    missing = min(total, 2)
    counts = {"2xx": total - failed - missing, "4xx": missing, "5xx": failed}
    classes = {name: counts.get(name, 0) for name in (*CLASSES, OTHER)}
    return Step(FROM_MS + hour * HOUR_MS, total, classes)
