"""What every Spark job is told by its environment. On AWS the endpoints and all about Spark itself are left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.kernel.core.names import bucket_name, database_name
from services.kernel.core.settings import setting

_URL = r"https?://.+"


@dataclass(frozen=True, kw_only=True)
class SparkSettings:
    """Where the lake is, and what Spark may take of this machine."""

    namespace: str = setting(
        "CADABRA_NAMESPACE",
        default="cadabra",
        pattern=r"[a-z][a-z0-9-]{0,40}",
        help="prefix of the lake's bucket and of its databases",
    )
    region: str = setting(
        "AWS_REGION", aliases=("AWS_DEFAULT_REGION",), default="us-east-1", help="AWS region"
    )
    s3_endpoint: str | None = setting(
        "CADABRA_S3_ENDPOINT", default=None, pattern=_URL, help="URL of S3; unset on AWS"
    )
    glue_endpoint: str | None = setting(
        "CADABRA_GLUE_ENDPOINT", default=None, pattern=_URL, help="URL of the Glue Data Catalog; unset on AWS"
    )
    spark_master: str | None = setting(
        "CADABRA_SPARK_MASTER",
        default=None,
        help="where Spark runs, such as local[2]; unset on EMR Serverless, which says so itself",
    )
    spark_memory_mb: int = setting(
        "CADABRA_SPARK_MEMORY_MB",
        default=1300,
        minimum=512,
        maximum=65_536,
        help="largest heap of the JVM in MiB, where CADABRA_SPARK_MASTER is set; all of the job takes some 900 more",
    )
    spark_jars: Path | None = setting(
        "CADABRA_SPARK_JARS", default=None, help="folder of jars for the lake; unset where Spark brings them"
    )
    spark_log_level: str = setting(
        "CADABRA_SPARK_LOG_LEVEL",
        default="WARN",
        choices=("DEBUG", "INFO", "WARN", "ERROR"),
        help="least level that Spark itself logs",
    )

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return bucket_name(self.namespace)

    def database(self, namespace: str) -> str:
        """The database of the Glue Data Catalog that holds a namespace of `contracts/lake`."""
        return database_name(self.namespace, namespace)
