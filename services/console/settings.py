"""What the console is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import ServiceSettings, setting


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """The common settings, where OpenSearch is, and the bounds on what is asked of it."""

    opensearch_endpoint: str | None = setting(
        "CADABRA_OPENSEARCH_ENDPOINT",
        default=None,
        pattern=r"https?://.+",
        help="URL of OpenSearch; on AWS that of the domain",
    )
    query_timeout_s: float = setting(
        "CADABRA_QUERY_TIMEOUT_S",
        default=2.0,
        minimum=0.05,
        maximum=60,
        help="seconds after which a search is cancelled and answered 504",
    )
    report_timeout_s: float = setting(
        "CADABRA_REPORT_TIMEOUT_S",
        default=60.0,
        minimum=0.1,
        maximum=3600,
        help="seconds after which a search of the command `report` is cancelled",
    )
    request_timeout_s: float = setting(
        "CADABRA_REQUEST_TIMEOUT_S",
        default=5.0,
        minimum=0.1,
        maximum=120,
        help="seconds a request may take; past them 503",
    )
    max_requests: int = setting(
        "CADABRA_MAX_REQUESTS",
        default=8,
        minimum=1,
        maximum=1_000,
        help="requests at work at once, each at most one search; further ones get 503 with Retry-After",
    )
