"""The tables of the lake, as everybody sees them and as a run's branch has them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from spark_jobs import runtime, tables
from spark_jobs.settings import SparkSettings

ORDER_LINES, LOADED_OBJECTS = "sales.order_lines", "sales.loaded_objects"
STAR = (
    "sales.dim_country",
    "sales.dim_customer",
    "sales.dim_date",
    "sales.dim_product",
    "sales.fact_order_lines",
)


@dataclass(frozen=True)
class Lake:
    """A namespace's tables in one session.

    Args:
        branch: of every table, that is read and written; None for what everybody sees.
    """

    spark: SparkSession
    settings: SparkSettings
    branch: str | None = None

    def create(self) -> None:
        """Make every table that is not there yet."""
        for table in (ORDER_LINES, *STAR, LOADED_OBJECTS):
            runtime.create(self.spark, table, self.settings)

    def name(self, table: str) -> str:
        """A table's name for SQL, at this branch; also to write to.

        Args:
            table: logical name, as in `contracts/lake/`.
        """
        _, name = tables.place(table, self.settings)
        return name if self.branch is None else f"{name}.`branch_{self.branch}`"

    def read(self, table: str) -> DataFrame:
        """A table's rows at this branch."""
        return self.spark.table(self.name(table))

    def at(self, branch: str | None) -> Lake:
        """The same tables at another branch."""
        return Lake(self.spark, self.settings, branch)
