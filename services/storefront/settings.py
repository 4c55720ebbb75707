"""What the storefront is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.kernel.core.settings import ServiceSettings, setting


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """The common settings, and the storefront's own limits."""

    cursor_secret_file: Path = setting(
        "CADABRA_CURSOR_SECRET_FILE",
        help="file with the secrets of cursors, one a line of at least 32 bytes; the first signs, all verify",
    )
    request_timeout_s: float = setting(
        "CADABRA_REQUEST_TIMEOUT_S",
        default=5.0,
        minimum=0.1,
        maximum=60,
        help="seconds a request may take; past them 503",
    )
    max_requests: int = setting(
        "CADABRA_MAX_REQUESTS",
        default=64,
        minimum=1,
        maximum=10_000,
        help="requests at work at once; further ones get 503 with Retry-After",
    )
    max_reads: int = setting(
        "CADABRA_MAX_READS",
        default=32,
        minimum=1,
        maximum=1_000,
        help="DynamoDB calls in flight at once, over all requests; as many again for recommendations",
    )
    pointer_max_age_s: float = setting(
        "CADABRA_POINTER_MAX_AGE_S",
        default=2.0,
        minimum=0.05,
        maximum=300,
        help="seconds for which the version in service is taken as known; a flip is seen within them",
    )
    recommendations_timeout_s: float = setting(
        "CADABRA_RECOMMENDATIONS_TIMEOUT_S",
        default=0.25,
        minimum=0.01,
        maximum=10,
        help="seconds that recommendations wait for each table; past them they go on without it",
    )
    recommendations_cache_bytes: int = setting(
        "CADABRA_RECOMMENDATIONS_CACHE_BYTES",
        default=16 * 1024 * 1024,
        minimum=0,
        maximum=1_000_000_000,
        help="bytes of products' and countries' records kept in memory, as they are stored; decoded about twice that",
    )
