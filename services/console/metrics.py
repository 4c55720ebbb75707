"""Every metric of the console."""

from __future__ import annotations

from services.kernel.core.http_api import RequestMetrics
from services.kernel.core.metrics import counter, histogram


class ConsoleMetrics(RequestMetrics):
    """What was asked, how it was answered, and what it cost OpenSearch and the lake's engine."""

    service = "console"

    search_s = histogram(
        "search_seconds", "Duration of one search in OpenSearch.", labels=("what",), unit="seconds"
    )
    too_slow = counter(
        "too_slow", "Searches cancelled because they took too long.", labels=("what",), unit="searches"
    )
    refused_queries = counter("refused_queries", "Query strings that were not taken.", unit="requests")
    question_s = histogram(
        "question_seconds",
        "Duration of one question to the lake, by saved query; `sales` is one of measures by dimensions.",
        labels=("what",),
        unit="seconds",
    )
    question_rows = counter(
        "question_rows", "Rows that questions to the lake were answered with.", labels=("what",), unit="rows"
    )
    failed_questions = counter(
        "failed_questions",
        "Questions to the lake without an answer: too_slow, too_much, refused, missing, unavailable, other.",
        labels=("what", "reason"),
        unit="questions",
    )
