"""What the release is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.names import bucket_name, physical_name
from services.kernel.core.settings import S3Settings, setting

TABLE = "recommendations"
"""Of `contracts/tables`."""


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings):
    """Where versions are, and where they come into service."""

    namespace: str = setting(
        "CADABRA_NAMESPACE",
        default="cadabra",
        pattern=r"[a-z][a-z0-9-]{0,31}",
        help="prefix of the lake's bucket and of the table",
    )
    region: str = setting(
        "AWS_REGION", aliases=("AWS_DEFAULT_REGION",), default="us-east-1", help="AWS region"
    )
    dynamodb_endpoint: str | None = setting(
        "CADABRA_DYNAMODB_ENDPOINT",
        default=None,
        pattern=r"https?://.+",
        help="URL of DynamoDB; unset on AWS",
    )
    concurrency: int = setting(
        "CADABRA_PUBLISH_CONCURRENCY",
        default=8,
        minimum=1,
        maximum=64,
        help="batches of 25 items in flight at most, and segments of a scan",
    )
    patience_s: float = setting(
        "CADABRA_PUBLISH_PATIENCE_S",
        default=60.0,
        minimum=0,
        maximum=3600,
        help="seconds for which a call is repeated that S3 or DynamoDB does not answer, or a batch it does not take",
    )

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return bucket_name(self.namespace)

    @property
    def table(self) -> str:
        """The table as AWS knows it."""
        return physical_name(self.namespace, TABLE)
