"""Options of a Spark session. Pure: needs no Spark."""

from __future__ import annotations

from spark_jobs.settings import SparkSettings

CATALOG = "lake"
_CATALOG = f"spark.sql.catalog.{CATALOG}"
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"


def options(settings: SparkSettings, *, both_compilers: bool = False) -> dict[str, str]:
    """All options of a job's session: the lake's, and of the machine what the settings name.

    Tables are read and written through Iceberg's own client of S3, `S3FileIO`; plain Parquet objects at `s3://` by
    the file system that Spark has for them. Credentials are found by the SDK's usual chain.

    Args:
        both_compilers: whether the JVM on this machine also takes its second compiler, for a job that reckons much.
    """
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": CATALOG,
        _CATALOG: "org.apache.iceberg.spark.SparkCatalog",
        f"{_CATALOG}.type": "glue",
        f"{_CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{_CATALOG}.warehouse": f"s3://{settings.bucket}/warehouse",
        f"{_CATALOG}.client.region": settings.region,
        **_endpoints(settings),
        **_machine(settings, both_compilers),
    }


def _endpoints(settings: SparkSettings) -> dict[str, str]:
    """Where S3 and Glue are, when they are not AWS's."""
    options = {}
    if settings.glue_endpoint:
        options[f"{_CATALOG}.glue.endpoint"] = settings.glue_endpoint
    if settings.s3_endpoint:
        options |= {
            f"{_CATALOG}.s3.endpoint": settings.s3_endpoint,
            f"{_CATALOG}.s3.path-style-access": "true",
            "spark.hadoop.fs.s3.impl": _S3A,
            "spark.hadoop.fs.s3a.endpoint": settings.s3_endpoint,
            "spark.hadoop.fs.s3a.endpoint.region": settings.region,
            "spark.hadoop.fs.s3a.path.style.access": "true",
        }
    return options


def _machine(settings: SparkSettings, both_compilers: bool) -> dict[str, str]:
    """What Spark may take of this machine, when nobody else has said so; all its sockets on 127.0.0.1."""
    options = {}
    if settings.spark_jars:
        options["spark.jars"] = ",".join(str(jar) for jar in sorted(settings.spark_jars.glob("*.jar")))
    if settings.spark_master:
        options |= {
            "spark.master": settings.spark_master,
            "spark.driver.memory": f"{settings.spark_memory_mb}m",
            "spark.driver.extraJavaOptions": _JVM if both_compilers else f"{_FIRST_COMPILER} {_JVM}",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            # One task a core is the best that two cores can do with the tables of a shop.
            "spark.sql.shuffle.partitions": "4",
        }
    return options


# A load of a shop's day is over before what the second compiler makes has paid for its making.
_FIRST_COMPILER = "-XX:TieredStopAtLevel=1"
_JVM = " ".join(
    (
        "-XX:+UseSerialGC",
        # Spark's ALS names in each task all of its steps before, one within the other.
        "-Xss4m",
        "-XX:MaxMetaspaceSize=320m",
        "-XX:ReservedCodeCacheSize=128m",
        "-XX:MaxDirectMemorySize=128m",
    )
)
