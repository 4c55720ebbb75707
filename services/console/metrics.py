"""Every metric of the console."""

from __future__ import annotations

from services.kernel.core.http_api import RequestMetrics
from services.kernel.core.metrics import counter, histogram


class ConsoleMetrics(RequestMetrics):
    """What was asked, how it was answered, and what it cost OpenSearch."""

    service = "console"

    search_s = histogram(
        "search_seconds", "Duration of one search in OpenSearch.", labels=("what",), unit="seconds"
    )
    too_slow = counter(
        "too_slow", "Searches cancelled because they took too long.", labels=("what",), unit="searches"
    )
    refused_queries = counter("refused_queries", "Query strings that were not taken.", unit="requests")
