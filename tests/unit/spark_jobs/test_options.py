"""What a Spark session is told, on AWS and on one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import spark
from services.kernel.core import settings
from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import markdown
from spark_jobs.options import options
from spark_jobs.settings import SparkSettings

README = (Path(__file__).parents[3] / "spark_jobs/README.md").read_text("utf-8")
URL = "http://127.0.0.1:4566"


def read(**environment: str) -> SparkSettings:
    return settings.load(SparkSettings, environment)


def test_on_aws_nothing_is_said_of_endpoints_and_of_the_machine() -> None:
    said = options(read(CADABRA_NAMESPACE="shop", AWS_REGION="eu-west-1"))

    assert said == {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": "lake",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "glue",
        "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "spark.sql.catalog.lake.warehouse": "s3://shop-lake/warehouse",
        "spark.sql.catalog.lake.client.region": "eu-west-1",
    }


def test_endpoints_are_said_to_tables_and_to_plain_objects() -> None:
    said = options(read(CADABRA_S3_ENDPOINT=URL, CADABRA_GLUE_ENDPOINT=URL))

    endpoints = ("catalog.lake.s3.endpoint", "catalog.lake.glue.endpoint", "fs.s3a.endpoint")
    assert [value for key, value in said.items() if key.endswith(endpoints)] == [URL] * 3


def test_a_machine_bounds_the_memory_and_keeps_to_loopback(tmp_path: Path) -> None:
    for name in ("b.jar", "a.jar", "notes.txt"):
        (tmp_path / name).touch()
    given = {"CADABRA_SPARK_MASTER": "local[2]", "CADABRA_SPARK_MEMORY_MB": "900"}
    said = options(read(**given, CADABRA_SPARK_JARS=str(tmp_path)))

    assert (said["spark.master"], said["spark.driver.memory"]) == ("local[2]", "900m")
    assert said["spark.driver.bindAddress"] == said["spark.driver.host"] == "127.0.0.1"
    assert said["spark.ui.enabled"] == "false"
    assert said["spark.jars"] == f"{tmp_path}/a.jar,{tmp_path}/b.jar"


def test_the_second_compiler_is_the_jobs_choice() -> None:
    told = read(CADABRA_SPARK_MASTER="local[2]")
    first, both = (
        options(told, both_compilers=chosen)["spark.driver.extraJavaOptions"] for chosen in (False, True)
    )

    assert first == f"-XX:TieredStopAtLevel=1 {both}"
    assert "Tiered" not in both


def test_a_session_that_could_not_be_is_refused_before_it_is_made() -> None:
    with pytest.raises(Misconfigured, match="CADABRA_SPARK_MEMORY_MB"):
        read(CADABRA_SPARK_MEMORY_MB="100")


def test_a_database_has_a_name_that_athena_takes() -> None:
    assert read(CADABRA_NAMESPACE="shop-eu").database("sales") == "shop_eu_sales"


def test_the_readmes_settings_are_the_jobs() -> None:
    assert markdown(SparkSettings) in README


def test_without_its_jars_spark_is_not_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "JARS", tmp_path / "gone")

    with pytest.raises(spark.NotInPlace, match="gone is missing: run make setup"):
        spark.environment(tmp_path)
