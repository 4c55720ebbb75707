"""What the warehouse's load is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.errors import Misconfigured
from services.kernel.core.names import database_name
from services.kernel.core.settings import S3Settings, setting

_ARN = r"arn:aws[a-z-]*:{}:.+"


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings):
    """Where the exports and the warehouse are."""

    namespace: str = setting(
        "CADABRA_NAMESPACE",
        default="cadabra",
        pattern=r"[a-z][a-z0-9-]{0,31}",
        help="prefix of the lake's bucket and of the warehouse's schema",
    )
    region: str = setting(
        "AWS_REGION", aliases=("AWS_DEFAULT_REGION",), default="us-east-1", help="AWS region"
    )
    endpoint: str | None = setting(
        "CADABRA_REDSHIFT_ENDPOINT",
        default=None,
        pattern=r"(postgresql|https?)://.+",
        secret=True,
        help="postgresql:// URL of what stands in for Redshift, or URL of a Redshift Data API; unset on AWS",
    )
    workgroup: str | None = setting(
        "CADABRA_REDSHIFT_WORKGROUP",
        default=None,
        pattern=r"[a-z0-9-]{3,64}",
        help="workgroup of Redshift Serverless; needed but with a postgresql:// endpoint",
    )
    database: str = setting(
        "CADABRA_REDSHIFT_DATABASE",
        default="warehouse",
        pattern=r"[a-z][a-z0-9_]{0,63}",
        help="database of the workgroup; a postgresql:// URL names its own",
    )
    secret_arn: str | None = setting(
        "CADABRA_REDSHIFT_SECRET_ARN",
        default=None,
        pattern=_ARN.format("secretsmanager"),
        help="secret of the database user; unset where the role itself is one",
    )
    copy_role_arn: str | None = setting(
        "CADABRA_REDSHIFT_COPY_ROLE_ARN",
        default=None,
        pattern=_ARN.format("iam"),
        help="role by which Redshift reads the exports; needed but with a postgresql:// endpoint",
    )
    timeout_s: float = setting(
        "CADABRA_REDSHIFT_TIMEOUT_S",
        default=900.0,
        minimum=1,
        maximum=86_400,
        help="seconds that one transaction may take, waiting for another load included",
    )

    def __post_init__(self) -> None:
        if not self.is_postgresql and not (self.workgroup and self.copy_role_arn):
            raise Misconfigured(
                "CADABRA_REDSHIFT_WORKGROUP and CADABRA_REDSHIFT_COPY_ROLE_ARN are needed without a postgresql:// "
                "CADABRA_REDSHIFT_ENDPOINT"
            )

    @property
    def is_postgresql(self) -> bool:
        """Whether the endpoint is PostgreSQL's."""
        return (self.endpoint or "").startswith("postgresql:")

    @property
    def schema(self) -> str:
        """The schema of the warehouse's tables: one database may hold several namespaces."""
        return database_name(self.namespace)
