"""What the console is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import S3Settings, ServiceSettings, setting


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings, ServiceSettings):
    """The common settings, where OpenSearch and the lake are, and the bounds on what is asked of them."""

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
        help="seconds after which a search or a question of a command is cancelled",
    )
    question_engine: str = setting(
        "CADABRA_QUESTION_ENGINE",
        default="athena",
        choices=("athena", "duckdb"),
        help="what answers questions to the lake: Athena, or DuckDB in this process",
    )
    question_timeout_s: float = setting(
        "CADABRA_QUESTION_TIMEOUT_S",
        default=15.0,
        minimum=0.05,
        maximum=100,
        help="seconds after which a question to the lake is stopped and answered 504",
    )
    athena_endpoint: str | None = setting(
        "CADABRA_ATHENA_ENDPOINT", default=None, pattern=r"https?://.+", help="URL of Athena; unset on AWS"
    )
    athena_workgroup: str = setting(
        "CADABRA_ATHENA_WORKGROUP",
        default="primary",
        pattern=r"[A-Za-z0-9._-]{1,128}",
        help="workgroup of Athena; it says where results go, and how many bytes a question may scan",
    )
    glue_endpoint: str | None = setting(
        "CADABRA_GLUE_ENDPOINT",
        default=None,
        pattern=r"https?://.+",
        help="URL of the Glue Data Catalog, for DuckDB; unset on AWS",
    )
    duckdb_memory_mb: int = setting(
        "CADABRA_DUCKDB_MEMORY_MB",
        default=512,
        minimum=64,
        maximum=65_536,
        help="MiB that DuckDB holds for all questions together; beyond it spills to disk, at most four times as much",
    )
    request_timeout_s: float = setting(
        "CADABRA_REQUEST_TIMEOUT_S",
        default=20.0,
        minimum=0.1,
        maximum=120,
        help="seconds a request may take; past them 503",
    )
    max_requests: int = setting(
        "CADABRA_MAX_REQUESTS",
        default=8,
        minimum=1,
        maximum=1_000,
        help="requests at work at once, each at most one search or question; further ones get 503 with Retry-After",
    )
